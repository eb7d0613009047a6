/* Engine.IO 4 packets: encoded once and shared by every queue that holds them, and decoded in
 * place.
 *
 * Source: Engine.IO protocol, revision 4, "Packet encoding". */
#pragma once

#include "common/strbuf.h"
#include "gateway/socketio/engineio.h"

/* The first character of a packet. A binary message has none on WebSocket and `b` in a payload. */
enum {
    EIO_OPEN = '0',
    EIO_CLOSE = '1',
    EIO_PING = '2',
    EIO_PONG = '3',
    EIO_MESSAGE = '4',
    EIO_UPGRADE = '5',
    EIO_NOOP = '6',
};

/* Between the packets of a polling payload. */
#define EIO_SEPARATOR '\x1e'

/* A text packet of type `type`; the caller has the one reference. */
eio_packet_t *eio_packet_new(char type, str_t payload);
eio_packet_t *eio_packet_ref(eio_packet_t *packet);

/* A text packet that ends in its own way: `base` without its last `cut` bytes, then `tail`. It
 * shares the bytes of `base`, which is not itself such a packet, and holds a reference to it; the
 * caller has the one to the result. */
eio_packet_t *eio_packet_with_tail(eio_packet_t *base, size_t cut, str_t tail);

/* The packet as one unmasked WebSocket frame (RFC 6455 §5.2), header included, as it lies in
 * memory; .p is NULL for one with a tail, which doesn't lie there in one piece. */
str_t eio_packet_frame(const eio_packet_t *packet);
size_t eio_packet_frame_size(const eio_packet_t *packet);
void eio_packet_append_frame(const eio_packet_t *packet, strbuf_t *out);
/* The length of type and payload of a text packet; of a binary one, of its payload. */
size_t eio_packet_size(const eio_packet_t *packet);
/* What the packet counts in a queue's limit: its bytes and what keeping it costs. */
size_t eio_packet_cost(const eio_packet_t *packet);
/* Appends the packet to a polling payload, with a separator if `payload` isn't empty. */
void eio_packet_append_to_payload(const eio_packet_t *packet, strbuf_t *payload);

/* A packet as it arrived. */
typedef struct {
    char type;   /* EIO_OPEN … EIO_NOOP */
    bool binary; /* only messages are */
    str_t payload;
} eio_incoming_t;

/* Takes the next packet off the front of a polling payload. False when there is none left. `*rest`
 * starts as the whole body; its .p becomes NULL behind the last. */
bool eio_payload_next(str_t *rest, str_t *packet_out);

/* Reads one packet: of a polling payload, or a WebSocket's text message, where clients may send
 * binary messages as base64 too. Its payload points into `text` or, for a binary one, into
 * `scratch` until that changes. ERR_INVALID: empty, an unknown type, no UTF-8, bad base64. */
err_t eio_decode(str_t text, strbuf_t *scratch, eio_incoming_t *incoming_out) MUST_CHECK;
