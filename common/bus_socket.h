/* How every ZeroMQ socket of the bus is set up. Internal to bus_client and bus_server. */
#pragma once

#include <czmq.h>

#include "common/str.h"

/* Prepares czmq for a process that has its own signal handling, and draws an incarnation. */
uint64_t bus_socket_start(void);

/* A DEALER that connects to `endpoint`, known to the broker as `routing_id`. NULL with errno. */
zsock_t *bus_socket_dealer(const char *endpoint, const char *routing_id);

/* A ROUTER bound to `endpoint`. NULL with errno. */
zsock_t *bus_socket_router(const char *endpoint);
