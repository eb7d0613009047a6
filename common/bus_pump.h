/* ZeroMQ sockets on a libuv loop. A ZeroMQ socket's descriptor is edge-triggered, and any call on
 * the socket, a send too, may eat the edge; so the descriptors only wake the loop, and the pump
 * looks at the sockets' own state in every turn of it. Internal to bus_client and bus_server.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "common/err.h"

typedef struct bus_pump bus_pump_t;

/* Takes one message off the socket (a zmq socket, not a zsock_t); false when there is none. */
typedef bool (*bus_pump_receive_fn)(void *ctx, void *zmq);

enum { BUS_TICK_MS = 50 };

/* `turn` is called once per loop turn, before the loop sleeps, and at least every BUS_TICK_MS. */
bus_pump_t *bus_pump_new(uv_loop_t *loop, void (*turn)(void *ctx), void *ctx);
/* Adds a socket (a czmq zsock_t, owned by the pump from now on). In one turn all sockets are
 * drained in the order in which they were added. */
void bus_pump_add(bus_pump_t *self, void *zsock, bus_pump_receive_fn receive, void *ctx);
/* Calls nobody any more, and closes sockets and handles; `closed` is called when the memory of the
 * owner may go. */
void bus_pump_close(bus_pump_t *self, void (*closed)(void *ctx));
