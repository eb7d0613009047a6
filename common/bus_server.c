#include "common/bus_server.h"

#include "common/bus_monitor.h"
#include "common/bus_pump.h"
#include "common/bus_socket.h"
#include "common/bus_zap.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/trace_log.h"

struct bus_server {
    const bus_server_handler_t *handler;
    void *ctx;
    link_listener_config_t listener_config;
    link_listener_t *listener;
    bus_keys_t *keys; /* NULL: links are not encrypted */
    bus_pump_t *pump;
    zsock_t *zsock; /* the pump's */
    zsock_t *zap;   /* … too; NULL without keys */
};

/* What of a routing id may stand in a log: who knows all of it can take the connection over. */
static str_t name_of(str_t routing_id) {
    const char *slash = routing_id.n ? memchr(routing_id.p, '/', routing_id.n) : NULL;
    return (str_t){routing_id.p, slash ? (size_t)(slash - routing_id.p) : routing_id.n};
}

static bool transmit(void *ctx, str_t routing_id, str_t frame) {
    bus_server_t *self = ctx;
    trace_log_frame("envelope_sent", name_of(routing_id), frame);
    return bus_socket_send(zsock_resolve(self->zsock), routing_id, frame);
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
    self->handler->refused(self->ctx, name_of(routing_id), what);
}

static const link_listener_ops_t listener_ops = {
    .transmit = transmit,
    .up = on_up,
    .down = on_down,
    .deliver = on_deliver,
    .refused = on_refused,
};

/* What the key stands for that a message came under. */
static role_t roles_of(const bus_server_t *self, const zmq_msg_t *message) {
    if (!self->keys)
        return ROLE_CLIENTS;
    const char *key = zmq_msg_gets(message, BUS_ZAP_PROPERTY);
    return key ? keyring_role(bus_keys_ring(self->keys), str_from(key)) : 0;
}

static str_t bytes_of(zmq_msg_t *part) {
    return (str_t){zmq_msg_data(part), zmq_msg_size(part)};
}

static bool on_message(void *ctx, void *zmq) {
    bus_server_t *self = ctx;
    zmq_msg_t parts[2];
    size_t n = bus_socket_take(zmq, parts, 2);
    if (n == 2) {
        link_origin_t from = {.routing_id = bytes_of(&parts[0]),
                              .roles = roles_of(self, &parts[1])};
        trace_log_frame("envelope_received", name_of(from.routing_id), bytes_of(&parts[1]));
        link_listener_receive(self->listener, &from, bytes_of(&parts[1]), clock_now_ms());
    }
    for (size_t i = 0; i < n && i < 2; i++)
        zmq_msg_close(&parts[i]);
    return n > 0;
}

static bool on_event(void *ctx, void *zmq) {
    static const bus_stranger_t kinds[BUS_EVENT_COUNT] = {
        [BUS_EVENT_NO_HANDSHAKE] = BUS_STRANGER_SILENT,
        [BUS_EVENT_BAD_HANDSHAKE] = BUS_STRANGER_PROTOCOL,
        [BUS_EVENT_KEY_NOT_KNOWN] = BUS_STRANGER_KEY,
    };
    bus_server_t *self = ctx;
    bus_event_t event;
    if (!bus_monitor_next(zmq, &event))
        return false;
    if (event == BUS_EVENT_DISCONNECTED) /* ZeroMQ doesn't say whose it was */
        link_listener_probe(self->listener, clock_now_ms());
    else if (event != BUS_EVENT_OTHER)
        self->handler->stranger(self->ctx, kinds[event]);
    return true;
}

/* The monitor tells of the refused ones too, but not who they are. */
static bool on_zap(void *ctx, void *zmq) {
    bus_server_t *self = ctx;
    bus_zap_verdict_t verdict;
    if (!bus_zap_answer(zmq, bus_keys_ring(self->keys), ROLE_CLIENTS, &verdict))
        return false;
    if (!verdict.accepted)
        log_refused("bus_key_refused", log_text("address", verdict.address));
    return true;
}

static void on_turn(void *ctx) {
    bus_server_t *self = ctx;
    link_listener_tick(self->listener, clock_now_ms());
}

static void on_closed(void *ctx) {
    bus_server_t *self = ctx;
    link_listener_free(&self->listener);
    free(self);
}

/* Keys, and who may connect by them: before anybody can. */
static err_t open_keys(bus_server_t *self, uv_loop_t *loop, const char *directory) {
    if (bus_keys_new(loop, directory, ROLE_BROKER, &self->keys) != OK)
        return ERR_INVALID;
    self->zap = bus_zap_new();
    if (!self->zap)
        return ERR_IO;
    bus_pump_add(self->pump, self->zap, on_zap, self);
    return OK;
}

static err_t open_socket(bus_server_t *self, const char *endpoint) {
    zsock_t *zsock = bus_socket_router(endpoint, self->keys);
    zsock_t *monitor = zsock ? bus_monitor_new(zsock_resolve(zsock)) : NULL;
    if (!monitor) {
        zsock_destroy(&zsock);
        return ERR_IO;
    }
    self->zsock = zsock;
    bus_pump_add(self->pump, zsock, on_message, self);
    bus_pump_add(self->pump, monitor, on_event, self);
    return OK;
}

err_t bus_server_new(uv_loop_t *loop, const bus_server_config_t *config,
                     const bus_server_handler_t *handler, void *ctx, bus_server_t **self_out) {
    bus_server_t *self = xcalloc(1, sizeof(*self));
    self->handler = handler;
    self->ctx = ctx;
    self->listener_config = (link_listener_config_t){
        .name = config->name,
        .incarnation = bus_socket_start(),
        .broker_digest = config->broker_digest,
    };
    self->listener = link_listener_new(&self->listener_config, &listener_ops, self);
    self->pump = bus_pump_new(loop, on_turn, self);
    err_t err = config->keys_directory ? open_keys(self, loop, config->keys_directory) : OK;
    if (err == OK)
        err = open_socket(self, config->bind_endpoint);
    int reason = errno;
    if (err != OK)
        bus_server_close(&self);
    errno = reason;
    *self_out = self;
    return err;
}

void bus_server_close(bus_server_t **self) {
    if (*self) {
        if ((*self)->zap)
            bus_zap_stop((*self)->zap);
        bus_keys_free(&(*self)->keys);
        bus_pump_close((*self)->pump, on_closed);
    }
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
