/* One HTTP request and its answer: what http.h fills in and sends, and what the API works on. */
#pragma once

#include "common/bus_client.h"
#include "common/client_address.h"
#include "common/cors.h"
#include "common/ids.h"
#include "common/trace_sampler.h"
#include "rest/request_id.h"
#include "rest/routes.h"
#include "rest/static_files.h"

enum {
    EXCHANGE_NAME_BYTES_MAX = 256, /* as messages.def allows in a token's claims */
    EXCHANGE_ROLE_BYTES_MAX = 64,
};

#define EXCHANGE_TYPE_JSON "application/json"

typedef struct api api_t;
typedef struct exchange exchange_t;

/* What is sent back. */
typedef struct {
    unsigned status;                 /* 0: there is no answer yet */
    strbuf_t body;                   /* JSON, when there is no file */
    uint32_t retry_after_seconds;    /* 0: not said */
    const static_file_t *file;       /* a file of the page … */
    const static_variant_t *variant; /* … in this coding */
    bool close;                      /* the connection ends with this answer */
} answer_t;

/* From the request's first line to the answer's last byte. The strings of the request are borrowed
 * from its connection or from storage in here. */
struct exchange {
    /* the request */
    unsigned method; /* a METHOD_ bit, 0 for any other */
    char *target;    /* as it came: path and query */
    str_t path, query;
    route_match_t match;
    strbuf_t storage; /* decoded parameters */
    strbuf_t body;
    str_t authorization, content_type, idempotency_key, accept_encoding, if_none_match, origin;
    client_address_t address;
    char request_id[REQUEST_ID_BYTES_MAX + 1];
    trace_context_t context;
    cors_result_t cors;
    bool preflight;
    int64_t started_ms; /* monotonic */

    /* who asks, once the token has been checked */
    char user[IDS_USER_MAX + 1];
    char name[EXCHANGE_NAME_BYTES_MAX + 1];
    char role[EXCHANGE_ROLE_BYTES_MAX + 1];

    /* the work under way */
    api_t *api;
    bus_request_id_t pending; /* id 0: none */
    uint16_t expected;        /* the type that answers the pending request */
    void (*next)(exchange_t *self, const envelope_t *reply);

    answer_t answer;
    /* Called when the answer came after the exchange was left to wait; NULL until then. */
    void (*wake)(exchange_t *self);
};

/* Answers with what was written to answer.body before. Later answers to the same request are our
 * own bug. */
void exchange_answer(exchange_t *self, unsigned status);

/* Answers with an error object; `message` is copied, http_error_message() when empty. The delay
 * counts for the codes that have one. */
void exchange_fail(exchange_t *self, code_t code, str_t message, uint64_t retry_after_ms);

/* The same with another status, for those that no code stands for: 405, 415. */
void exchange_fail_as(exchange_t *self, unsigned status, code_t code, str_t message);

/* Frees what it holds; the memory of the exchange is the caller's. */
void exchange_fini(exchange_t *self);
