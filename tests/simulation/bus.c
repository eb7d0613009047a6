#include "bus.h"

#include <inttypes.h>

typedef struct {
    bus_t *bus;
    size_t broker;
    dialer_t *dialer;
    wire_t *wire;
} bus_link_t;

struct bus {
    world_t *world;
    bus_config_t config;
    dialer_config_t dialer_config;
    const bus_ops_t *ops;
    void *ctx;
    size_t count;
    bus_link_t links[NETWORK_BROKERS_MAX];
};

static bool transmit(void *ctx, str_t frame) {
    bus_link_t *link = ctx;
    return wire_send(link->wire, frame);
}

static void on_up(void *ctx, uint64_t epoch) {
    bus_link_t *link = ctx;
    world_note(link->bus->world, "%s up to broker %d", link->bus->config.name, (int)link->broker);
    (void)epoch;
    link->bus->ops->up(link->bus->ctx, link->broker);
}

static void on_down(void *ctx, const char *reason) {
    bus_link_t *link = ctx;
    world_note(link->bus->world, "%s down from broker %d: %s", link->bus->config.name,
               (int)link->broker, reason);
    link->bus->ops->down(link->bus->ctx, link->broker);
}

static void on_deliver(void *ctx, const envelope_t *envelope) {
    bus_link_t *link = ctx;
    link->bus->ops->deliver(link->bus->ctx, link->broker, envelope);
}

static void on_refused(void *ctx, unsigned reason) {
    bus_link_t *link = ctx;
    world_note(link->bus->world, "%s refused by broker %d: %u", link->bus->config.name,
               (int)link->broker, reason);
    link->bus->ops->refused(link->bus->ctx);
}

static const dialer_ops_t dialer_ops = {.transmit = transmit,
                                        .up = on_up,
                                        .down = on_down,
                                        .deliver = on_deliver,
                                        .refused = on_refused};

static void on_receive(void *ctx, str_t frame) {
    bus_link_t *link = ctx;
    dialer_receive(link->dialer, frame, link->bus->world->now_ms);
}

bus_t *bus_new(world_t *world, const bus_config_t *config, const bus_ops_t *ops, void *ctx) {
    bus_t *self = xcalloc(1, sizeof(*self));
    char routing_id[64];
    self->world = world;
    self->config = *config;
    self->ops = ops;
    self->ctx = ctx;
    self->count = network_brokers(config->network);
    self->dialer_config = (dialer_config_t){.role = config->role,
                                            .name = config->name,
                                            .incarnation = config->incarnation,
                                            .broker_digest = BUS_DIGEST,
                                            .write_credit = config->write_credit,
                                            .read_credit = config->read_credit,
                                            .max_pending_bytes = config->max_pending_bytes};
    for (size_t i = 0; i < self->count; i++) {
        bus_link_t *link = &self->links[i];
        snprintf(routing_id, sizeof(routing_id), "%s/%" PRIx64, config->name, config->incarnation);
        *link = (bus_link_t){.bus = self, .broker = i};
        link->dialer = dialer_new(&self->dialer_config, &dialer_ops, link);
        link->wire = network_dial(config->network, &(network_dial_t){.process = config->process,
                                                                     .broker = i,
                                                                     .routing_id = routing_id,
                                                                     .receive = on_receive,
                                                                     .ctx = link});
    }
    return self;
}

void bus_free(bus_t **self_in) {
    bus_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++) {
        wire_hang_up(self->links[i].wire);
        dialer_free(&self->links[i].dialer);
    }
    free(self);
}

void bus_tick(bus_t *self) {
    for (size_t i = 0; i < self->count; i++)
        dialer_tick(self->links[i].dialer, self->world->now_ms);
}

uint64_t bus_request(bus_t *self, size_t broker, const link_request_t *request) {
    return dialer_request(self->links[broker].dialer, request, self->world->now_ms);
}

void bus_cancel(bus_t *self, size_t broker, uint64_t request_id) {
    dialer_cancel(self->links[broker].dialer, request_id);
}

err_t bus_send(bus_t *self, size_t broker, const envelope_t *envelope) {
    return dialer_send(self->links[broker].dialer, envelope, self->world->now_ms);
}

void bus_reply(bus_t *self, size_t broker, const envelope_t *request, const envelope_t *answer) {
    envelope_t reply = *answer;
    reply.flags = ENVELOPE_REPLY;
    reply.request_id = request->request_id;
    reply.session = request->session;
    reply.room = request->room;
    reply.user = request->user;
    (void)!bus_send(self, broker, &reply);
}

uint64_t bus_epoch(const bus_t *self, size_t broker) {
    return dialer_epoch(self->links[broker].dialer);
}

size_t bus_pending(const bus_t *self) {
    size_t pending = 0;
    for (size_t i = 0; i < self->count; i++)
        pending += dialer_pending(self->links[i].dialer);
    return pending;
}

bool bus_is_within_bounds(const bus_t *self) {
    for (size_t i = 0; i < self->count; i++) {
        if (dialer_pending_bytes(self->links[i].dialer) > self->config.max_pending_bytes)
            return false;
    }
    return true;
}

bool bus_is_busy(const bus_t *self, size_t broker) {
    const dialer_t *dialer = self->links[broker].dialer;
    return dialer_is_crowded(dialer) || dialer_is_behind(dialer);
}

bool bus_is_up(const bus_t *self) {
    for (size_t i = 0; i < self->count; i++) {
        if (dialer_state(self->links[i].dialer) != DIALER_UP)
            return false;
    }
    return true;
}
