/* The connections between services and brokers, as ZeroMQ's DEALER and ROUTER keep them: frames
 * arrive in order or, when the connection breaks, not at all, and nobody is told. */
#pragma once

#include "channel.h"
#include "common/brokers.h"

enum { NETWORK_BROKERS_MAX = 2 };

typedef struct network network_t;
typedef struct wire wire_t;

network_t *network_new(world_t *world, size_t brokers);
void network_free(network_t **self);
size_t network_brokers(const network_t *self);
size_t network_broker_of(const network_t *self, str_t room);
/* For cores that choose by themselves; borrowed. */
const brokers_t *network_list(const network_t *self);

/* Where frames for this broker go, whichever life of it is there. */
typedef struct {
    const process_t *process;
    void (*receive)(void *ctx, str_t routing_id, str_t frame);
    void *ctx;
} network_listener_t;
void network_listen(network_t *self, size_t broker, const network_listener_t *listener);

typedef struct {
    const process_t *process;
    size_t broker;
    const char *routing_id; /* copied */
    void (*receive)(void *ctx, str_t frame);
    void *ctx;
} network_dial_t;
/* The network owns the wire. */
wire_t *network_dial(network_t *self, const network_dial_t *dial);
/* The process that dialed is gone. What it has sent may still arrive. */
void wire_hang_up(wire_t *self);

/* False when the frame can't be taken now. */
bool wire_send(wire_t *self, str_t frame);
bool network_send(network_t *self, size_t broker, str_t routing_id, str_t frame);
/* The broker's process was killed. */
void network_broker_died(network_t *self, size_t broker, int64_t back_at_ms);

/* ---- faults: each on one wire that is in use ---- */

/* The connection breaks: what is on the way is lost. It is there again after the time. */
void network_break(network_t *self, int64_t for_ms);
/* Nothing arrives for a time, then all of it. */
void network_hold(network_t *self, int64_t for_ms);
/* One frame vanishes. */
void network_lose_one(network_t *self);
/* For a time the queue of either side is full. */
void network_fill(network_t *self, int64_t for_ms);
