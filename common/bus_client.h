/* A service's links to all brokers: the ZeroMQ and libuv shell of link_dialer. One DEALER per
 * broker, drained on the loop; no thread of ours. */
#pragma once

#include <uv.h>

#include "common/brokers.h"
#include "common/link_dialer.h"

typedef struct bus_client bus_client_t;

/* What the service does with its links; `broker` is the index in the list. As dialer_ops_t. */
typedef struct {
    void (*up)(void *ctx, size_t broker, uint64_t epoch);
    void (*down)(void *ctx, size_t broker, const char *reason);
    void (*deliver)(void *ctx, size_t broker, const envelope_t *envelope);
    void (*refused)(void *ctx, size_t broker, unsigned reason);
} bus_client_handler_t;

typedef struct {
    const brokers_t *brokers; /* borrowed, outlives the bus */
    role_t role;
    const char *name;
    uint16_t write_credit;
    uint16_t read_credit;
    size_t max_pending_bytes; /* for each broker, as in dialer_config_t */
    size_t max_pending;
    const char *keys_directory; /* BUS_KEYS; NULL: links are not encrypted */
} bus_client_config_t;

/* Connects (in the background). The incarnation is drawn here. ERR_IO when a socket can't be made,
 * or the keys' error, which the log tells. `handler` and the config's strings are borrowed. */
err_t bus_client_new(uv_loop_t *loop, const bus_client_config_t *config,
                     const bus_client_handler_t *handler, void *ctx,
                     bus_client_t **self_out) MUST_CHECK;
/* Says GOODBYE, closes sockets and handles; the memory goes when the loop has run the close
 * callbacks. No callback of the service's is called any more. */
void bus_client_close(bus_client_t **self);

const brokers_t *bus_client_brokers(const bus_client_t *self);
uint64_t bus_client_incarnation(const bus_client_t *self);

/* Which request, for cancelling; id 0: none was made. */
typedef struct {
    size_t broker;
    uint64_t id;
} bus_request_id_t;

/* Makes a request of the broker that owns the envelope's room; without a room, of the first one
 * that is up. See dialer_request. The reply function always runs later than this call, never
 * within. */
bus_request_id_t bus_client_request(bus_client_t *self, const link_request_t *request);
bus_request_id_t bus_client_request_to(bus_client_t *self, size_t broker,
                                       const link_request_t *request);
void bus_client_cancel(bus_client_t *self, bus_request_id_t request);

/* Sends without repeating, to the broker of the envelope's room, or to a certain one. */
err_t bus_client_send(bus_client_t *self, const envelope_t *envelope);
err_t bus_client_send_to(bus_client_t *self, size_t broker, const envelope_t *envelope);
/* Answers `request` (as delivered, or kept with its type, request_id and trace) with type, code and
 * body. */
err_t bus_client_reply(bus_client_t *self, size_t broker, const envelope_t *request, uint16_t type,
                       code_t code, str_t body);

bool bus_client_is_up(const bus_client_t *self, size_t broker);
uint64_t bus_client_epoch(const bus_client_t *self, size_t broker);
const dialer_t *bus_client_dialer(const bus_client_t *self, size_t broker); /* for metrics */
/* Of the link to this broker: dialer_is_crowded() and dialer_is_behind(). */
bool bus_client_is_crowded(const bus_client_t *self, size_t broker);
bool bus_client_is_behind(const bus_client_t *self, size_t broker);

/* Of all brokers together, for metrics. */
typedef struct {
    size_t up, links;           /* open links, all links */
    size_t pending;             /* requests without an answer */
    size_t pending_bytes;       /* their memory */
    size_t pending_bytes_limit; /* its bound */
    size_t unread_bytes;        /* sent, and not read by the broker */
    link_stats_t stats;         /* of all links */
} bus_figures_t;
bus_figures_t bus_client_figures(const bus_client_t *self);
