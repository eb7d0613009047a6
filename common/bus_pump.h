/* ZeroMQ sockets on a libuv loop. A ZeroMQ socket's descriptor is edge-triggered, and any call on
 * the socket, a send too, may eat the edge; so besides the descriptor the pump looks at the
 * sockets' own state before each time the loop would sleep. Internal to bus_client and bus_server.
 */
#pragma once

#include <uv.h>

#include "common/err.h"
#include "common/str.h"

typedef struct bus_pump bus_pump_t;

typedef struct {
    /* One message of socket `index`. `routing_id` is empty but on a ROUTER. Valid during the call.
     */
    void (*receive)(void *ctx, size_t index, str_t routing_id, str_t frame);
    /* A connection of socket `index` broke; what was under way on it is lost. */
    void (*disconnected)(void *ctx, size_t index);
    /* Once per loop turn, before the loop sleeps, and at least every BUS_TICK_MS. */
    void (*turn)(void *ctx);
} bus_pump_ops_t;

enum { BUS_TICK_MS = 50 };

bus_pump_t *bus_pump_new(uv_loop_t *loop, const bus_pump_ops_t *ops, void *ctx);
/* Adds a socket (a czmq zsock_t, owned by the pump from now on). Its index counts from 0. ERR_IO:
 * its connections can't be watched; then it was not added, and is destroyed. */
err_t bus_pump_add(bus_pump_t *self, void *zsock, bool is_router) MUST_CHECK;
/* Sends one message: to `routing_id` on a ROUTER, else that is empty. False when it can't be sent
 * now: nobody is connected, or the queue is full. */
bool bus_pump_send(bus_pump_t *self, size_t index, str_t routing_id, str_t frame);
/* Closes sockets and handles; `closed` is called when the memory of the owner may go. */
void bus_pump_close(bus_pump_t *self, void (*closed)(void *ctx));
