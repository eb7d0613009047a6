/* What the handlers of the routes share: requests to other services, and reading bodies. */
#pragma once

#include "rest/api.h"
#include "rest/body.h"

enum {
    API_AUTH_TIMEOUT_MS = 5000,
    API_PASSWORD_TIMEOUT_MS = 15000, /* password hashes take their time */
    API_TIMEOUT_MS = 15000,
    API_TOKEN_BYTES_MAX = 8192,
};

/* A request to the broker of `room` (of any, when that is empty). */
typedef struct {
    uint16_t type;
    uint16_t expected; /* the type of a good answer; any other one is an internal error */
    uint32_t timeout_ms;
    str_t room;
    strbuf_t body; /* taken */
    /* Called with the good answer; it answers the exchange or makes the next request. */
    void (*next)(exchange_t *exchange, const envelope_t *reply);
} api_call_t;

void api_call(exchange_t *exchange, api_call_t *call);

/* The arena for decoding the reply at hand, valid until the next use. */
proto_arena_t *api_arena(const exchange_t *exchange);
service_t *api_service(const exchange_t *exchange);

/* The bearer token of the request; empty when there is none. */
str_t api_bearer_token(const exchange_t *exchange);

/* Parses the body. NULL: the exchange has been answered. */
json_doc_t *api_parse_body(exchange_t *exchange);
void api_fail_body(exchange_t *exchange, const body_fault_t *fault);
/* Answers with `invalid_payload` and this text. */
void api_fail_invalid(exchange_t *exchange, const char *message);
/* The reply could not be read, or makes no sense. */
void api_fail_reply(exchange_t *exchange, const envelope_t *reply);

/* A new UUID in text. */
void api_make_uuid(char text_out[37]);

/* The handlers, by file. */
void api_register(exchange_t *exchange);
void api_login(exchange_t *exchange);
void api_refresh(exchange_t *exchange);

void api_me(exchange_t *exchange);
void api_get_user(exchange_t *exchange);
void api_put_user(exchange_t *exchange);

void api_list_conversations(exchange_t *exchange);
void api_create_conversation(exchange_t *exchange);
void api_get_conversation(exchange_t *exchange);
void api_add_participants(exchange_t *exchange);
void api_remove_participant(exchange_t *exchange);

void api_list_messages(exchange_t *exchange);
void api_mark_read(exchange_t *exchange);
void api_send_message(exchange_t *exchange);

void api_health(exchange_t *exchange);
void api_ready(exchange_t *exchange);

/* The conversation id in the path. False: the exchange has been answered. */
bool api_conversation_parameter(exchange_t *exchange, str_t *conversation_out);
/* Answers with the finished JSON of a reply of type JSON: 201 when it was made by this request. */
void api_answer_json(exchange_t *exchange, const envelope_t *reply);
