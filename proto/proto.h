/* The messages between services, generated from messages.def: one struct, encoder and decoder each.
 *
 * For every row of messages.def named `send` there are
 *     MSG_SEND                                     its id, as envelope_t.type carries it
 *     proto_send_t                                 its fields, and `present`: bit k is set when key
 * k came void  proto_send_encode(const proto_send_t *, strbuf_t *body_out) err_t
 * proto_send_decode(str_t body, proto_arena_t *arena, proto_send_t *out)
 *
 * Encoding writes required fields always, optional ones when their bit in `present` is set or their
 * value is not empty. Decoding scans the body with bounds first (envelope_scan.h), then reads it
 * with msgpack-c, skips unknown keys, and returns ERR_INVALID for a missing or mistyped field,
 * ERR_LIMIT for one over its bound. Decoded strings point into `body`, lists into `arena`; both
 * live as long as body and arena's next use.
 */
#pragma once

#include "common/str.h"
#include "common/strbuf.h"

/* Roles as bits, so that a message can name several. */
enum {
    ROLE_GATEWAY = 1,
    ROLE_REST = 2,
    ROLE_PERSIST = 4,
    ROLE_AUTH = 8,
    ROLE_BROKER = 16,
    ROLE_CLIENTS = ROLE_GATEWAY | ROLE_REST | ROLE_PERSIST | ROLE_AUTH,
    ROLE_ALL = ROLE_CLIENTS | ROLE_BROKER,
};
typedef uint8_t role_t;

/* "gateway", "rest", "persist-worker", "auth-worker", "broker", or "unknown". */
const char *role_name(role_t role);
/* The role of that name, 0 when there is none. */
role_t role_from_name(str_t name);

/* The outcome of a request as the client sees it (API.md: codes). Travels in the envelope's head.
 */
#define CODES(X)                                                                                   \
    X(0, OK, "ok")                                                                                 \
    X(1, UNAUTHORIZED, "unauthorized")                                                             \
    X(2, TOKEN_EXPIRED, "token_expired")                                                           \
    X(3, FORBIDDEN, "forbidden")                                                                   \
    X(4, NOT_FOUND, "not_found")                                                                   \
    X(5, INVALID_PAYLOAD, "invalid_payload")                                                       \
    X(6, PAYLOAD_TOO_LARGE, "payload_too_large")                                                   \
    X(7, CONFLICT, "conflict")                                                                     \
    X(8, RATE_LIMITED, "rate_limited")                                                             \
    X(9, UNAVAILABLE, "unavailable")                                                               \
    X(10, INTERNAL, "internal")
#define X(number, NAME, text) CODE_##NAME = number,
typedef enum { CODES(X) CODE_COUNT } code_t;
#undef X

/* The code's wire name for clients; "internal" for a number that isn't one. */
const char *code_name(unsigned code);

#define REQUIRED 1
#define OPTIONAL 0

typedef struct {
    const uint64_t *items;
    size_t n;
} proto_u64s_t;

typedef struct {
    const str_t *items;
    size_t n;
} proto_texts_t;

/* Memory for decoded lists, reused from one decode to the next. */
typedef struct proto_arena proto_arena_t;
proto_arena_t *proto_arena_new(void);
void proto_arena_free(proto_arena_t **self);

#define MESSAGE(id, NAME, name, from, to, doc) MSG_##NAME = id,
#define U64(name, key, field, need, max, doc)
#define TEXT(name, key, field, need, max, doc)
#define U64S(name, key, field, need, max, doc)
#define TEXTS(name, key, field, need, max, doc)
#define END(NAME, name)
enum {
#include "proto/messages.def"
};
#undef MESSAGE
#undef U64
#undef TEXT
#undef U64S
#undef TEXTS
#undef END

#define MESSAGE(id, NAME, name, from, to, doc)                                                     \
    typedef struct {                                                                               \
        uint64_t present;
#define U64(name, key, field, need, max, doc) uint64_t field;
#define TEXT(name, key, field, need, max, doc) str_t field;
#define U64S(name, key, field, need, max, doc) proto_u64s_t field;
#define TEXTS(name, key, field, need, max, doc) proto_texts_t field;
#define END(NAME, name)                                                                            \
    }                                                                                              \
    proto_##name##_t;                                                                              \
    void proto_##name##_encode(const proto_##name##_t *message, strbuf_t *body_out);               \
    err_t proto_##name##_decode(str_t body, proto_arena_t *arena, proto_##name##_t *out) MUST_CHECK;
#include "proto/messages.def"
#undef MESSAGE
#undef U64
#undef TEXT
#undef U64S
#undef TEXTS
#undef END

/* Whether key `key` came with a decoded message. */
#define PROTO_HAS(message, key) (((message)->present >> (key)) & 1)

/* The name in messages.def ("SEND"), or NULL for an unknown type. */
const char *proto_name(uint16_t type);

/* Whether a peer of role `from` may send `type` to one of role `to`; false for an unknown type. */
bool proto_allowed(uint16_t type, role_t from, role_t to);

/* Decodes `body` as message `type` and forgets it: is it well formed? For fuzzing and tests.
 * ERR_INVALID for an unknown type. */
err_t proto_check(uint16_t type, str_t body, proto_arena_t *arena) MUST_CHECK;

/* Prints docs/protocol.md's table of messages. */
void proto_print_markdown(strbuf_t *out);
