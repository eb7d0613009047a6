#include "common/bus_client.h"

#include <inttypes.h>

#include "common/bus_pump.h"
#include "common/bus_socket.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/trace_log.h"

typedef struct {
    bus_client_t *bus;
    size_t index;
    dialer_t *dialer;
} broker_link_t;

struct bus_client {
    bus_client_config_t config;
    const bus_client_handler_t *handler;
    void *ctx;
    dialer_config_t dialer_config;
    bus_pump_t *pump;
    broker_link_t *links;
    size_t count;
};

/* ---- the dialers' effects ---- */

static str_t endpoint_of(const bus_client_t *self, size_t index) {
    return str_from(brokers_endpoint(self->config.brokers, index));
}

static bool transmit(void *ctx, str_t frame) {
    broker_link_t *link = ctx;
    trace_log_frame("envelope_sent", endpoint_of(link->bus, link->index), frame);
    return bus_pump_send(link->bus->pump, link->index, (str_t){"", 0}, frame);
}

static void on_up(void *ctx, uint64_t epoch) {
    broker_link_t *link = ctx;
    link->bus->handler->up(link->bus->ctx, link->index, epoch);
}

static void on_down(void *ctx, const char *reason) {
    broker_link_t *link = ctx;
    link->bus->handler->down(link->bus->ctx, link->index, reason);
}

static void on_deliver(void *ctx, const envelope_t *envelope) {
    broker_link_t *link = ctx;
    link->bus->handler->deliver(link->bus->ctx, link->index, envelope);
}

static void on_refused(void *ctx, unsigned reason) {
    broker_link_t *link = ctx;
    link->bus->handler->refused(link->bus->ctx, link->index, reason);
}

static const dialer_ops_t dialer_ops = {
    .transmit = transmit,
    .up = on_up,
    .down = on_down,
    .deliver = on_deliver,
    .refused = on_refused,
};

/* ---- the pump's events ---- */

static void on_receive(void *ctx, size_t index, str_t routing_id, str_t frame) {
    (void)routing_id;
    bus_client_t *self = ctx;
    dialer_t *dialer = self->links[index].dialer;
    uint64_t malformed = dialer_stats(dialer)->malformed;
    trace_log_frame("envelope_received", endpoint_of(self, index), frame);
    dialer_receive(dialer, frame, clock_now_ms());
    if (dialer_stats(dialer)->malformed > malformed)
        log_refused("bus_frame_refused",
                    log_text("broker", brokers_endpoint(self->config.brokers, index)),
                    log_u64("bytes", frame.n));
}

static void on_disconnected(void *ctx, size_t index) {
    bus_client_t *self = ctx;
    dialer_lost(self->links[index].dialer, "the connection broke", clock_now_ms());
}

static void on_turn(void *ctx) {
    bus_client_t *self = ctx;
    int64_t now_ms = clock_now_ms();
    for (size_t i = 0; i < self->count; i++)
        dialer_tick(self->links[i].dialer, now_ms);
}

static const bus_pump_ops_t pump_ops = {
    .receive = on_receive, .disconnected = on_disconnected, .turn = on_turn};

static void on_closed(void *ctx) {
    bus_client_t *self = ctx;
    for (size_t i = 0; i < self->count; i++)
        dialer_free(&self->links[i].dialer);
    free(self->links);
    free(self);
}

/* ---- life ---- */

static err_t open_link(bus_client_t *self, size_t index) {
    char routing_id[64];
    snprintf(routing_id, sizeof(routing_id), "%s/%" PRIx64, self->config.name,
             self->dialer_config.incarnation);
    zsock_t *socket = bus_socket_dealer(brokers_endpoint(self->config.brokers, index), routing_id);
    if (!socket)
        return ERR_IO;
    broker_link_t *link = &self->links[index];
    *link = (broker_link_t){.bus = self, .index = index};
    link->dialer = dialer_new(&self->dialer_config, &dialer_ops, link);
    self->count++;
    return bus_pump_add(self->pump, socket, false);
}

err_t bus_client_new(uv_loop_t *loop, const bus_client_config_t *config,
                     const bus_client_handler_t *handler, void *ctx, bus_client_t **self_out) {
    bus_client_t *self = xcalloc(1, sizeof(*self));
    size_t brokers = brokers_count(config->brokers);
    self->config = *config;
    self->handler = handler;
    self->ctx = ctx;
    self->dialer_config = (dialer_config_t){
        .role = config->role,
        .name = config->name,
        .incarnation = bus_socket_start(),
        .broker_digest = brokers_digest(config->brokers),
        .write_credit = config->write_credit,
        .read_credit = config->read_credit,
        .max_pending_bytes = config->max_pending_bytes,
        .max_pending = config->max_pending,
    };
    self->links = xcalloc(brokers, sizeof(*self->links));
    self->pump = bus_pump_new(loop, &pump_ops, self);
    for (size_t i = 0; i < brokers; i++) {
        err_t err = open_link(self, i);
        if (err) {
            bus_client_close(&self);
            return err;
        }
    }
    *self_out = self;
    return OK;
}

void bus_client_close(bus_client_t **self_in) {
    bus_client_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        dialer_goodbye(self->links[i].dialer, clock_now_ms());
    bus_pump_close(self->pump, on_closed);
}

const brokers_t *bus_client_brokers(const bus_client_t *self) {
    return self->config.brokers;
}

uint64_t bus_client_incarnation(const bus_client_t *self) {
    return self->dialer_config.incarnation;
}

/* ---- requests and sends ---- */

/* The broker of the room; without a room the first that is up, else the first. */
static size_t choose(const bus_client_t *self, str_t room) {
    if (room.n)
        return brokers_of_room(self->config.brokers, room);
    for (size_t i = 0; i < self->count; i++) {
        if (bus_client_is_up(self, i))
            return i;
    }
    return 0;
}

bus_request_id_t bus_client_request(bus_client_t *self, const link_request_t *request) {
    return bus_client_request_to(self, choose(self, request->envelope->room), request);
}

bus_request_id_t bus_client_request_to(bus_client_t *self, size_t broker,
                                       const link_request_t *request) {
    ASSERT(broker < self->count);
    uint64_t id = dialer_request(self->links[broker].dialer, request, clock_now_ms());
    return (bus_request_id_t){.broker = broker, .id = id};
}

void bus_client_cancel(bus_client_t *self, bus_request_id_t request) {
    if (request.id)
        dialer_cancel(self->links[request.broker].dialer, request.id);
}

err_t bus_client_send(bus_client_t *self, const envelope_t *envelope) {
    return bus_client_send_to(self, choose(self, envelope->room), envelope);
}

err_t bus_client_send_to(bus_client_t *self, size_t broker, const envelope_t *envelope) {
    ASSERT(broker < self->count);
    return dialer_send(self->links[broker].dialer, envelope, clock_now_ms());
}

err_t bus_client_reply(bus_client_t *self, size_t broker, const envelope_t *request, uint16_t type,
                       code_t code, str_t body) {
    envelope_t reply = {
        .type = type,
        .flags = ENVELOPE_REPLY,
        .code = (uint16_t)code,
        .request_id = request->request_id,
        .session = request->session,
        .room = request->room,
        .user = request->user,
        .trace = request->trace,
        .body = body,
    };
    return bus_client_send_to(self, broker, &reply);
}

bool bus_client_is_up(const bus_client_t *self, size_t broker) {
    return dialer_state(self->links[broker].dialer) == DIALER_UP;
}

uint64_t bus_client_epoch(const bus_client_t *self, size_t broker) {
    return dialer_epoch(self->links[broker].dialer);
}

const dialer_t *bus_client_dialer(const bus_client_t *self, size_t broker) {
    return self->links[broker].dialer;
}

bool bus_client_is_crowded(const bus_client_t *self, size_t broker) {
    return dialer_is_crowded(self->links[broker].dialer);
}

bool bus_client_is_behind(const bus_client_t *self, size_t broker) {
    return dialer_is_behind(self->links[broker].dialer);
}

static void add_stats(link_stats_t *sum, const link_stats_t *more) {
    sum->sent += more->sent;
    sum->received += more->received;
    sum->resent += more->resent;
    sum->timeouts += more->timeouts;
    sum->resyncs += more->resyncs;
    sum->dropped += more->dropped;
    sum->malformed += more->malformed;
}

bus_figures_t bus_client_figures(const bus_client_t *self) {
    bus_figures_t figures = {0};
    for (size_t i = 0; i < self->count; i++) {
        const dialer_t *dialer = self->links[i].dialer;
        figures.up += bus_client_is_up(self, i);
        figures.pending += dialer_pending(dialer);
        figures.pending_bytes += dialer_pending_bytes(dialer);
        figures.unread_bytes += dialer_unread_bytes(dialer);
        add_stats(&figures.stats, dialer_stats(dialer));
    }
    figures.links = self->count;
    figures.pending_bytes_limit = self->count * self->config.max_pending_bytes;
    return figures;
}
