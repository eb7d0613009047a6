#include "network.h"

#include <utlist.h>

#include "proto/envelope.h"
#include "proto/proto.h"

enum { ROUTING_BYTES = 64 };

struct wire {
    network_t *network;
    size_t broker;
    char routing_id[ROUTING_BYTES];
    channel_t up;   /* to the broker */
    channel_t down; /* to the service */
    void (*receive)(void *ctx, str_t frame);
    void *ctx;
    bool hung_up;
    bool is_noticed; /* the broker's side knows when the connection is gone */
    int64_t broken_until_ms;
    int64_t full_until_ms;
    uint32_t up_count, down_count; /* PLANT_UNCOUNTED: as the receivers count */
    wire_t *prev, *next;
};

struct network {
    world_t *world;
    brokers_t *brokers;
    network_listener_t listeners[NETWORK_BROKERS_MAX];
    wire_t *wires; /* those hung up, too: the last thing they carried may be on the way */
};

network_t *network_new(world_t *world, size_t brokers) {
    network_t *self = xcalloc(1, sizeof(*self));
    ASSERT(brokers <= NETWORK_BROKERS_MAX);
    self->world = world;
    const char *why;
    str_t list = brokers == 1 ? STR("ipc://one") : STR("ipc://one,ipc://two");
    ASSERT(brokers_new(list, &self->brokers, &why) == OK);
    return self;
}

void network_free(network_t **self_in) {
    network_t *self = *self_in;
    wire_t *wire = NULL, *next = NULL;
    *self_in = NULL;
    DL_FOREACH_SAFE(self->wires, wire, next) {
        channel_fini(&wire->up);
        channel_fini(&wire->down);
        free(wire);
    }
    brokers_free(&self->brokers);
    free(self);
}

size_t network_brokers(const network_t *self) {
    return brokers_count(self->brokers);
}

size_t network_broker_of(const network_t *self, str_t room) {
    return brokers_of_room(self->brokers, room);
}

const brokers_t *network_list(const network_t *self) {
    return self->brokers;
}

void network_listen(network_t *self, size_t broker, const network_listener_t *listener) {
    self->listeners[broker] = *listener;
}

/* ---- arriving ---- */

/* PLANT_UNCOUNTED: gives the frame the number that its receiver expects. */
static void renumber(str_t frame, uint32_t *count) {
    envelope_t envelope;
    if (envelope_decode(frame, &envelope) != OK || envelope.type == MSG_RESYNC ||
        envelope.type == MSG_REFUSED)
        return;
    if (envelope.type == MSG_HELLO || envelope.type == MSG_WELCOME)
        *count = 0;
    else
        envelope_stamp((char *)(uintptr_t)frame.p, ++*count, envelope.receiver,
                       envelope.deadline_ms);
}

/* For --trace: a line for each frame that arrives, but heartbeats. */
static void trace(const wire_t *self, str_t frame, const char *arrow) {
    envelope_t envelope;
    if (!self->network->world->tracing || envelope_decode(frame, &envelope) != OK ||
        envelope.type == MSG_HEARTBEAT)
        return;
    printf("           %s %s broker-%zu %s%s id=%d room=%.*s user=%.*s session=%d code=%d\n",
           self->routing_id, arrow, self->broker, proto_name(envelope.type),
           envelope.flags & ENVELOPE_REPLY ? " reply" : "", (int)envelope.request_id,
           STR_ARG(envelope.room), STR_ARG(envelope.user), (int)envelope.session,
           (int)envelope.code);
}

static void arrive_up(void *ctx, str_t frame) {
    wire_t *self = ctx;
    trace(self, frame, "->");
    const network_listener_t *listener = &self->network->listeners[self->broker];
    if (self->network->world->plant == PLANT_UNCOUNTED)
        renumber(frame, &self->up_count);
    listener->receive(listener->ctx, str_from(self->routing_id), frame);
}

static void arrive_down(void *ctx, str_t frame) {
    wire_t *self = ctx;
    trace(self, frame, "<-");
    if (self->network->world->plant == PLANT_UNCOUNTED)
        renumber(frame, &self->down_count);
    self->receive(self->ctx, frame);
}

/* ---- wires ---- */

wire_t *network_dial(network_t *self, const network_dial_t *dial) {
    wire_t *wire = xcalloc(1, sizeof(*wire));
    wire->network = self;
    wire->broker = dial->broker;
    snprintf(wire->routing_id, sizeof(wire->routing_id), "%s", dial->routing_id);
    wire->receive = dial->receive;
    wire->ctx = dial->ctx;
    wire->is_noticed = world_chance(self->world, 70);
    channel_init(&wire->up, self->world, self->listeners[dial->broker].process, arrive_up, wire);
    channel_init(&wire->down, self->world, dial->process, arrive_down, wire);
    DL_APPEND(self->wires, wire);
    return wire;
}

void wire_hang_up(wire_t *self) {
    self->hung_up = true;
    channel_lose_all(&self->down);
    if (world_chance(self->network->world, 50))
        channel_lose_all(&self->up);
}

bool wire_send(wire_t *self, str_t frame) {
    if (self->full_until_ms > self->network->world->now_ms)
        return false;
    channel_put(&self->up, frame);
    return true;
}

bool network_send(network_t *self, size_t broker, str_t routing_id, str_t frame) {
    wire_t *wire = NULL;
    DL_FOREACH(self->wires, wire) {
        if (wire->broker == broker && str_eq(str_from(wire->routing_id), routing_id))
            break;
    }
    if (!wire)
        return false;
    if (wire->hung_up || wire->broken_until_ms > self->world->now_ms)
        return !wire->is_noticed;
    if (wire->full_until_ms > self->world->now_ms)
        return false;
    channel_put(&wire->down, frame);
    return true;
}

void network_broker_died(network_t *self, size_t broker, int64_t back_at_ms) {
    wire_t *wire = NULL;
    DL_FOREACH(self->wires, wire) {
        if (wire->broker != broker)
            continue;
        if (world_chance(self->world, 50))
            channel_lose_all(&wire->up);
        if (world_chance(self->world, 50))
            channel_lose_all(&wire->down);
        channel_hold(&wire->up, back_at_ms);
    }
}

/* ---- faults ---- */

static wire_t *any_wire(network_t *self) {
    wire_t *wire = NULL;
    uint64_t count = 0;
    DL_FOREACH(self->wires, wire) {
        count += !wire->hung_up;
    }
    if (count == 0)
        return NULL;
    uint64_t skip = world_random(self->world, count);
    DL_FOREACH(self->wires, wire) {
        if (!wire->hung_up && skip-- == 0)
            return wire;
    }
    return NULL;
}

void network_break(network_t *self, int64_t for_ms) {
    wire_t *wire = any_wire(self);
    if (!wire)
        return;
    world_note(self->world, "fault: %s loses its connection for %d ms", wire->routing_id,
               (int)for_ms);
    channel_lose_all(&wire->up);
    channel_lose_all(&wire->down);
    wire->broken_until_ms = self->world->now_ms + for_ms;
    channel_hold(&wire->up, wire->broken_until_ms);
    channel_hold(&wire->down, wire->broken_until_ms);
}

void network_hold(network_t *self, int64_t for_ms) {
    wire_t *wire = any_wire(self);
    if (!wire)
        return;
    bool up = world_chance(self->world, 50);
    world_note(self->world, "fault: %s %s is held up for %d ms", wire->routing_id,
               up ? "to its broker" : "from its broker", (int)for_ms);
    channel_hold(up ? &wire->up : &wire->down, self->world->now_ms + for_ms);
}

void network_lose_one(network_t *self) {
    wire_t *wire = any_wire(self);
    if (!wire)
        return;
    bool up = world_chance(self->world, 50);
    if (channel_lose_one(up ? &wire->up : &wire->down))
        world_note(self->world, "fault: %s %s loses a frame", wire->routing_id,
                   up ? "to its broker" : "from its broker");
}

void network_fill(network_t *self, int64_t for_ms) {
    wire_t *wire = any_wire(self);
    if (!wire)
        return;
    world_note(self->world, "fault: %s is full for %d ms", wire->routing_id, (int)for_ms);
    wire->full_until_ms = self->world->now_ms + for_ms;
}
