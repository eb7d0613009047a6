/* The `offset` of connection state recovery: what a session has had, in plain text. It goes out
 * with each event that would be missed, and comes back when the client does. It decides nothing but
 * what is read again, so it needs no secrecy; what a forged one can name is bounded here. Pure.
 *
 *   1,<generation>,<changes>[/<conversation>,<seq>,<read>]…     or, not recoverable:  0
 *
 * generation: the first RECOVERY_GENERATION_MAX characters of the database's, or none;
 * changes: Unix ms of the newest change of membership that was told; for each joined conversation
 * the highest seq, and the Unix ms of the newest read mark, that were passed on. */
#pragma once

#include "common/strbuf.h"

enum {
    RECOVERY_ROOMS_MAX = 50,
    RECOVERY_OFFSET_MAX = 2048, /* bytes; a session whose offset would be longer has none */
    RECOVERY_GENERATION_MAX = 8,
};

typedef struct {
    str_t name;
    uint64_t seq;
    uint64_t read_ms;
} recovery_room_t;

typedef struct {
    str_t generation;
    uint64_t changes_ms;
    size_t n;
    recovery_room_t rooms[RECOVERY_ROOMS_MAX];
} recovery_offset_t;

/* Appends one without rooms, then each room. Who writes more rooms or bytes than the limits has to
 * write RECOVERY_OFFSET_NONE instead. */
#define RECOVERY_OFFSET_NONE "0"
void recovery_offset_begin(strbuf_t *out, str_t generation, uint64_t changes_ms);
void recovery_offset_add(strbuf_t *out, str_t room, uint64_t seq, uint64_t read_ms);

/* Reads one that came from a client; the texts point into it. ERR_INVALID: malformed, or it names
 * something that is no conversation, or one twice; ERR_LIMIT: not recoverable. */
err_t recovery_offset_parse(str_t text, recovery_offset_t *offset_out) MUST_CHECK;
