/* The inside of http.h, shared by http.c (connections and their deadlines), http_request.c
 * (reading) and http_answer.c (sending). */
#pragma once

#include "common/deadline.h"
#include "common/mhd_loop.h"
#include "rest/address_counts.h"
#include "rest/http.h"

enum {
    HTTP_HEAD_BYTES_MAX =
        32768, /* memory of one connection: request line, headers, answer's head */
    HTTP_PLACES_RESERVED =
        16, /* connections less than the limit: room for those that are cut off */
    HTTP_DISCARD_BYTES_MAX =
        1 << 20,            /* of a body that is refused, read so that its answer arrives */
    HTTP_ANSWER_MS = 30000, /* an answer must be taken within this time … */
    HTTP_ANSWER_BYTES_PER_SECOND = 16384, /* … and its size at this rate */
};

typedef struct request request_t;

/* One TCP connection. */
typedef struct connection {
    struct connection *prev, *next;
    http_t *http;
    int fd; /* the daemon's */
    client_address_t subscriber;
    bool counted;        /* in http->addresses */
    request_t *request;  /* from its first line until its answer has been sent, else NULL */
    deadline_t deadline; /* of whatever its client must do next; none while a request waits */
} connection_t;

typedef enum {
    STAGE_HEAD,    /* the request line is there, headers are coming */
    STAGE_BODY,    /* the body is coming, to be kept or thrown away */
    STAGE_WAITING, /* suspended until other services have answered */
    STAGE_ANSWERED /* the answer is on its way */
} request_stage_t;

/* One request on a connection. */
struct request {
    exchange_t exchange;
    http_t *http;
    connection_t *connection;
    struct MHD_Connection *mhd;
    request_stage_t stage;
    size_t discarded; /* bytes of the body thrown away */
    size_t answered;  /* bytes of the answer that count in http->answer_bytes */
};

struct http {
    http_options_t options;
    uint16_t port;
    uv_loop_t *loop;
    mhd_loop_t *mhd_loop;
    struct MHD_Daemon *daemon;
    uv_timer_t timer; /* the earliest deadline */
    deadline_heap_t deadlines;
    connection_t *connections;
    size_t connection_count;
    address_counts_t *addresses; /* NULL when limits are off */
    client_network_t *trusted;
    size_t trusted_count;
    cors_t cors;
    size_t waiting;      /* suspended requests */
    size_t body_bytes;   /* of request bodies in memory */
    size_t answer_bytes; /* of answers that are being sent, files of the page apart */
    bool draining, closing;
    void (*drained)(void *context);
    void *drained_context;
};

/* http.c */
/* Sets what the connection's client must do within `ms`; 0: nothing. */
void http_set_deadline(connection_t *connection, int64_t ms);

/* http_request.c */
/* The callbacks of libmicrohttpd: a request line, each further step, the end. */
void *http_request_begin(void *context, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_request_step(void *context, struct MHD_Connection *mhd, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_size, void **request_ref);
void http_request_end(void *context, struct MHD_Connection *mhd, void **request_ref,
                      enum MHD_RequestTerminationCode reason);

/* Ends the waiting of a suspended request: it is answered with `unavailable`. */
void http_request_abandon(request_t *request);

/* http_answer.c */
/* Queues the exchange's answer. */
enum MHD_Result http_answer_send(request_t *request);
