/* The broker's ROUTER: the ZeroMQ and libuv shell of link_listener. */
#pragma once

#include <uv.h>

#include "common/bus_stranger.h"
#include "common/link_listener.h"

typedef struct bus_server bus_server_t;

/* As link_listener_ops_t, without the transmission. */
typedef struct {
    void (*up)(void *ctx, link_peer_t *peer);
    void (*down)(void *ctx, link_peer_t *peer, const char *reason);
    void (*deliver)(void *ctx, link_peer_t *peer, const envelope_t *envelope);
    void (*refused)(void *ctx, str_t peer, const char *what); /* its name, as it says */
    /* Somebody didn't get as far as being heard. */
    void (*stranger)(void *ctx, bus_stranger_t kind);
} bus_server_handler_t;

typedef struct {
    const char *name;
    const char *bind_endpoint;
    uint64_t broker_digest;
    const char *keys_directory; /* BUS_KEYS; NULL: links are not encrypted, and open to all */
} bus_server_config_t;

/* Binds. ERR_IO with the reason in errno when it can't; ERR_INVALID when the keys can't be used,
 * which the log tells. */
err_t bus_server_new(uv_loop_t *loop, const bus_server_config_t *config,
                     const bus_server_handler_t *handler, void *ctx,
                     bus_server_t **self_out) MUST_CHECK;
void bus_server_close(bus_server_t **self);

uint64_t bus_server_incarnation(const bus_server_t *self);
/* As link_listener_send. */
err_t bus_server_send(bus_server_t *self, link_peer_t *peer, const envelope_t *envelope);
const link_listener_t *bus_server_listener(const bus_server_t *self); /* for metrics */
