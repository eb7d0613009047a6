/* The events that clients send: one table of names, payload rules and the request that each one
 * makes (API.md, Socket.IO), and the decoder that follows from it. */
#pragma once

#include "common/json.h"
#include "gateway/rates.h"

enum {
    EVENTS_TEXT_MAX = 8000,    /* characters */
    EVENTS_CLIENT_ID_MAX = 64, /* characters */
    EVENTS_TOKEN_MAX = 8192,
};

/* The members of payloads, as bits. */
enum {
    FIELD_CONVERSATION_ID = 1,
    FIELD_AFTER = 2,
    FIELD_TEXT = 4,
    FIELD_CLIENT_ID = 8,
    FIELD_REPLY_TO = 16,
    FIELD_SEQ = 32,
    FIELD_TOKEN = 64,
};

/*   X(NAME, name, required fields, optional fields, what a bare string means, rate, request) */
#define CLIENT_EVENTS(X)                                                                           \
    X(JOIN_CONVERSATION, "join_conversation", FIELD_CONVERSATION_ID, FIELD_AFTER,                  \
      FIELD_CONVERSATION_ID, RATE_REQUEST, MSG_JOIN)                                               \
    X(LEAVE_CONVERSATION, "leave_conversation", FIELD_CONVERSATION_ID, 0, FIELD_CONVERSATION_ID,   \
      RATE_REQUEST, MSG_LEAVE)                                                                     \
    X(SEND_MESSAGE, "send_message", FIELD_CONVERSATION_ID | FIELD_TEXT,                            \
      FIELD_CLIENT_ID | FIELD_REPLY_TO, 0, RATE_SEND, MSG_SEND)                                    \
    X(TYPING, "typing", FIELD_CONVERSATION_ID, 0, 0, RATE_TYPING, MSG_TYPING)                      \
    X(STOP_TYPING, "stop_typing", FIELD_CONVERSATION_ID, 0, 0, RATE_TYPING, MSG_TYPING)            \
    X(MARK_READ, "mark_read", FIELD_CONVERSATION_ID, FIELD_SEQ, 0, RATE_REQUEST, MSG_MARK_READ)    \
    X(REFRESH_TOKEN, "refresh_token", FIELD_TOKEN, 0, 0, RATE_REQUEST, MSG_AUTH_VERIFY)

typedef enum {
#define X(NAME, name, required, optional, bare, rate, request) EVENT_##NAME,
    CLIENT_EVENTS(X)
#undef X
        EVENT_KINDS,
    EVENT_UNKNOWN = EVENT_KINDS,
} event_kind_t;

typedef struct {
    const char *name;
    unsigned required; /* FIELD_… */
    unsigned optional;
    unsigned bare; /* the field that a payload which is a string alone means; 0: none may be */
    rate_class_t rate;
    uint16_t request; /* MSG_… */
} event_rule_t;

/* EVENT_UNKNOWN has the name "unknown" and no request. */
const event_rule_t *events_rule(event_kind_t kind);
event_kind_t events_kind(str_t name);

/* A payload that keeps the rules. Fields that didn't come are zero. Strings belong to `doc`. */
typedef struct {
    unsigned present; /* FIELD_… */
    str_t conversation_id;
    str_t text;
    str_t client_id;
    str_t token;
    uint64_t after;
    uint64_t reply_to;
    uint64_t seq;
    json_doc_t *doc;
} event_payload_t;

/* Why a payload is refused: plain text for the client. */
typedef struct {
    char text[64];
} event_fault_t;

/* Reads the payload of an event from the whole array as it came, ["name",payload,…]; further
 * arguments are ignored. ERR_INVALID: it breaks the rules, *fault_out says how. */
err_t events_decode(event_kind_t kind, str_t array, event_payload_t *payload_out,
                    event_fault_t *fault_out) MUST_CHECK;
/* Frees what the payload's strings live in. */
void events_payload_fini(event_payload_t *payload);
