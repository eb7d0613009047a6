/* Socket.IO 5 packets: the text of an Engine.IO message, and the binary messages behind it.
 *
 *   <type>[<attachments>-][<namespace>,][<ack id>][JSON]
 *
 * Source: Socket.IO protocol, revision 5, "Packet encoding". */
#pragma once

#include "gateway/socketio/eio_packet.h"
#include "gateway/socketio/json_scan.h"
#include "gateway/socketio/socketio.h"

typedef enum {
    SIO_CONNECT,
    SIO_DISCONNECT,
    SIO_EVENT,
    SIO_ACK,
    SIO_CONNECT_ERROR,
    SIO_BINARY_EVENT,
    SIO_BINARY_ACK,
} sio_type_t;

#define SIO_MAX_ACK_ID 9007199254740991u /* the largest integer that JavaScript counts to */

typedef struct {
    sio_type_t type;
    uint32_t attachments; /* that follow; 0 for types without */
    str_t nsp;            /* "/" when the packet has none */
    bool has_id;
    uint64_t id;
    str_t json; /* the whole payload; empty = none */
    str_t name; /* events: the first item's JSON text */
    str_t args; /* events: the items behind the name; acks: all items. Without the brackets */
} sio_incoming_t;

typedef struct {
    uint32_t max_attachments;
    uint32_t max_depth;
} sio_limits_t;

/* Reads a packet in place and checks its payload for its type. The text must be valid UTF-8.
 * ERR_INVALID: breaks the protocol; ERR_LIMIT: too many attachments, or nested too deeply. */
err_t sio_decode(str_t text, const sio_limits_t *limits, sio_incoming_t *incoming_out) MUST_CHECK;

/* What a packet is made of. */
typedef struct {
    sio_type_t type; /* SIO_EVENT and SIO_ACK become binary when there are attachments */
    str_t nsp;
    bool has_id;
    uint64_t id;
    bool has_name; /* an event's, as a JSON string; plain text here */
    str_t name;
    str_t args; /* JSON values, without brackets; for other types the whole payload */
    sio_attachments_t attachments;
} sio_outgoing_t;

/* Encodes; the caller has the one reference. */
sio_packet_t *sio_packet_encode(const sio_outgoing_t *outgoing);
/* Queues its Engine.IO packets, the header and the attachments without anything in between. */
void sio_packet_send(const sio_packet_t *packet, eio_session_t *session);
/* The same for an event, with an end of its own in place of the closing bracket. */
void sio_packet_send_with(const sio_packet_t *packet, eio_session_t *session, str_t tail);
