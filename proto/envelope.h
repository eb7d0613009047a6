/* The envelope of every message between services: a fixed head that a broker routes by, then the
 * msgpack body, which it relays without looking into it.
 *
 * All numbers are little-endian:
 *   0 version u8 · 1 flags u8 · 2 type u16 · 4 count u32 · 8 receiver incarnation u64 · 16 request
 * id u64 24 session u64 · 32 deadline_ms u32 · 36 code u16 · 38 room length u8 · 39 user length u8
 *   40 trace id, 16 bytes · 56 room, user, body
 */
#pragma once

#include "common/str.h"
#include "common/strbuf.h"
#include "common/trace.h"

enum {
    ENVELOPE_VERSION = 1,
    ENVELOPE_HEAD_BYTES = 56,
    ENVELOPE_MAX_BYTES = 16 << 20,
    ENVELOPE_ROOM_BYTES = 200,
    ENVELOPE_USER_BYTES = 64,
};

enum {
    ENVELOPE_REPLY = 1, /* answers the request of the same id */
    /* On the wire only, trace.sampled in envelope_t: the way of this trace is logged. */
    ENVELOPE_SAMPLED = 2,
};

/* `room`, `user` and `body` are borrowed: from the frame when decoded, from the caller when built.
 */
typedef struct {
    uint8_t flags;
    uint16_t type;
    uint16_t code;        /* code_t, of an answer */
    uint32_t count;       /* place among all envelopes of this link and direction since hello */
    uint32_t deadline_ms; /* milliseconds that the sender still waits; 0: it doesn't */
    uint64_t receiver;    /* incarnation of the receiver as the sender knows it; 0 in HELLO */
    uint64_t request_id;  /* 0: no answer is wanted */
    uint64_t session;     /* the gateway's number of the socket, 0 for none */
    trace_t trace;
    str_t room;
    str_t user; /* on whose behalf */
    str_t body;
} envelope_t;

/* Appends head, room, user and body to `out`. Room and user lengths must be within their bounds. */
void envelope_encode(const envelope_t *envelope, strbuf_t *out);

/* Reads one frame. ERR_INVALID when it is shorter than it says, of another version, or has lengths
 * over their bounds. The body isn't looked into. */
err_t envelope_decode(str_t frame, envelope_t *out) MUST_CHECK;

/* Sets count, receiver and deadline_ms in an encoded frame, so that one encoding serves many sends.
 */
void envelope_stamp(char *frame, uint32_t count, uint64_t receiver, uint32_t deadline_ms);
