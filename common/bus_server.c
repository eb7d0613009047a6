#include "common/bus_server.h"

#include "common/bus_pump.h"
#include "common/bus_socket.h"
#include "common/clock.h"
#include "common/trace_log.h"

struct bus_server {
    const bus_server_handler_t *handler;
    void *ctx;
    link_listener_config_t listener_config;
    link_listener_t *listener;
    bus_pump_t *pump;
};

static bool transmit(void *ctx, str_t routing_id, str_t frame) {
    bus_server_t *self = ctx;
    trace_log_frame("envelope_sent", routing_id, frame);
    return bus_pump_send(self->pump, 0, routing_id, frame);
}

static void on_up(void *ctx, link_peer_t *peer) {
    bus_server_t *self = ctx;
    self->handler->up(self->ctx, peer);
}

static void on_down(void *ctx, link_peer_t *peer, const char *reason) {
    bus_server_t *self = ctx;
    self->handler->down(self->ctx, peer, reason);
}

static void on_deliver(void *ctx, link_peer_t *peer, const envelope_t *envelope) {
    bus_server_t *self = ctx;
    self->handler->deliver(self->ctx, peer, envelope);
}

static void on_refused(void *ctx, str_t routing_id, const char *what) {
    bus_server_t *self = ctx;
    self->handler->refused(self->ctx, routing_id, what);
}

static const link_listener_ops_t listener_ops = {
    .transmit = transmit,
    .up = on_up,
    .down = on_down,
    .deliver = on_deliver,
    .refused = on_refused,
};

static void on_receive(void *ctx, size_t index, str_t routing_id, str_t frame) {
    (void)index;
    bus_server_t *self = ctx;
    trace_log_frame("envelope_received", routing_id, frame);
    link_listener_receive(self->listener, routing_id, frame, clock_now_ms());
}

/* ZeroMQ doesn't say whose it was. */
static void on_disconnected(void *ctx, size_t index) {
    (void)index;
    bus_server_t *self = ctx;
    link_listener_probe(self->listener, clock_now_ms());
}

static void on_turn(void *ctx) {
    bus_server_t *self = ctx;
    link_listener_tick(self->listener, clock_now_ms());
}

static const bus_pump_ops_t pump_ops = {
    .receive = on_receive, .disconnected = on_disconnected, .turn = on_turn};

static void on_closed(void *ctx) {
    bus_server_t *self = ctx;
    link_listener_free(&self->listener);
    free(self);
}

err_t bus_server_new(uv_loop_t *loop, const bus_server_config_t *config,
                     const bus_server_handler_t *handler, void *ctx, bus_server_t **self_out) {
    uint64_t incarnation = bus_socket_start();
    zsock_t *socket = bus_socket_router(config->bind_endpoint);
    if (!socket)
        return ERR_IO;
    bus_server_t *self = xcalloc(1, sizeof(*self));
    self->handler = handler;
    self->ctx = ctx;
    self->listener_config = (link_listener_config_t){
        .name = config->name,
        .incarnation = incarnation,
        .broker_digest = config->broker_digest,
    };
    self->listener = link_listener_new(&self->listener_config, &listener_ops, self);
    self->pump = bus_pump_new(loop, &pump_ops, self);
    err_t err = bus_pump_add(self->pump, socket, true);
    if (err)
        bus_server_close(&self);
    *self_out = self;
    return err;
}

void bus_server_close(bus_server_t **self) {
    if (*self)
        bus_pump_close((*self)->pump, on_closed);
    *self = NULL;
}

uint64_t bus_server_incarnation(const bus_server_t *self) {
    return self->listener_config.incarnation;
}

err_t bus_server_send(bus_server_t *self, link_peer_t *peer, const envelope_t *envelope) {
    return link_listener_send(self->listener, peer, envelope, clock_now_ms());
}

const link_listener_t *bus_server_listener(const bus_server_t *self) {
    return self->listener;
}
