/* How every ZeroMQ socket of the bus is set up, and how messages are taken and sent. Internal to
 * bus_client and bus_server. */
#pragma once

#include <czmq.h>

#include "common/bus_keys.h"

enum { BUS_ROUTING_BYTES = 64 };

/* Prepares czmq for a process that has its own signal handling, and draws an incarnation. */
uint64_t bus_socket_start(void);

/* What the brokers know a process's sockets by: the instance's name and random digits that nobody
 * else can know, so that no other peer can take its connections over. */
void bus_socket_draw_routing_id(const char *name, char routing_id_out[BUS_ROUTING_BYTES]);

/* A DEALER, not connected yet. `keys` NULL: without encryption. NULL with errno. */
zsock_t *bus_socket_dealer(const char *routing_id, const bus_keys_t *keys);
/* Connects the dealer in the background; one that was connected gives that up, for ZeroMQ doesn't
 * try again by itself after a handshake that failed. `turn` says which of the brokers' keys is
 * expected, when there are several: they are taken in turn. */
err_t bus_socket_dial(zsock_t *dealer, const char *endpoint, const bus_keys_t *keys, size_t turn);

/* A ROUTER bound to `endpoint`. With keys, bus_zap must be answering. NULL with errno. */
zsock_t *bus_socket_router(const char *endpoint, const bus_keys_t *keys);

/* Takes one message whole, up to `max` of its parts into `parts` (which the caller closes), the
 * rest is thrown away. Returns how many parts it had, 0 when there is no message. */
size_t bus_socket_take(void *zmq, zmq_msg_t *parts, size_t max);

/* Sends one message: to `routing_id` on a ROUTER, else that is empty. False when it can't be sent
 * now: nobody is connected, or the queue is full. */
bool bus_socket_send(void *zmq, str_t routing_id, str_t frame);
