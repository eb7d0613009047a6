#include "common/bus_client.h"

#include "common/bus_monitor.h"
#include "common/bus_pump.h"
#include "common/bus_socket.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/trace_log.h"

enum {
    REDIAL_FAILED_MS = 1000, /* after a failed handshake */
    REDIAL_BROKEN_MS = 5000, /* after a broken connection; ZeroMQ itself tries sooner */
};

typedef struct {
    bus_client_t *bus;
    size_t index;
    dialer_t *dialer;
    zsock_t *zsock;       /* the pump's */
    size_t turn;          /* counts the dials */
    int64_t redial_at_ms; /* when to connect anew, if there is no link by then; 0: not */
} broker_link_t;

struct bus_client {
    bus_client_config_t config;
    const bus_client_handler_t *handler;
    void *ctx;
    dialer_config_t dialer_config;
    bus_keys_t *keys; /* NULL: links are not encrypted */
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
    return bus_socket_send(zsock_resolve(link->zsock), STR(""), frame);
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

static void log_malformed(const broker_link_t *link, str_t frame) {
    log_refused("bus_frame_refused", log_str("broker", endpoint_of(link->bus, link->index)),
                log_u64("bytes", frame.n));
}

static bool on_message(void *ctx, void *zmq) {
    broker_link_t *link = ctx;
    zmq_msg_t parts[1];
    size_t n = bus_socket_take(zmq, parts, 1);
    if (n == 0)
        return false;
    str_t frame = {zmq_msg_data(&parts[0]), zmq_msg_size(&parts[0])};
    uint64_t malformed = dialer_stats(link->dialer)->malformed;
    trace_log_frame("envelope_received", endpoint_of(link->bus, link->index), frame);
    if (n == 1)
        dialer_receive(link->dialer, frame, clock_now_ms());
    if (n != 1 || dialer_stats(link->dialer)->malformed > malformed)
        log_malformed(link, frame);
    zmq_msg_close(&parts[0]);
    return true;
}

/* Sees to it that the link is dialled anew, unless it is there by then. */
static void redial_in(broker_link_t *link, int64_t wait_ms) {
    int64_t at_ms = clock_now_ms() + wait_ms;
    if (link->redial_at_ms == 0 || at_ms < link->redial_at_ms)
        link->redial_at_ms = at_ms;
}

static bool on_event(void *ctx, void *zmq) {
    broker_link_t *link = ctx;
    bus_event_t event;
    if (!bus_monitor_next(zmq, &event))
        return false;
    if (event == BUS_EVENT_DISCONNECTED) {
        dialer_lost(link->dialer, "the connection broke", clock_now_ms());
        redial_in(link, REDIAL_BROKEN_MS);
    } else if (event != BUS_EVENT_OTHER) {
        log_refused("bus_handshake_failed", log_str("broker", endpoint_of(link->bus, link->index)),
                    log_text("reason", bus_event_names[event]));
        redial_in(link, REDIAL_FAILED_MS);
    }
    return true;
}

static err_t dial(broker_link_t *link) {
    const bus_client_t *self = link->bus;
    const char *endpoint = brokers_endpoint(self->config.brokers, link->index);
    return bus_socket_dial(link->zsock, endpoint, self->keys, link->turn++);
}

static void redial_if_due(broker_link_t *link, int64_t now_ms) {
    if (link->redial_at_ms == 0 || now_ms < link->redial_at_ms)
        return;
    link->redial_at_ms = 0;
    if (dialer_state(link->dialer) == DIALER_HELLO && dial(link) != OK)
        redial_in(link, REDIAL_FAILED_MS);
}

static void on_turn(void *ctx) {
    bus_client_t *self = ctx;
    int64_t now_ms = clock_now_ms();
    for (size_t i = 0; i < self->count; i++) {
        redial_if_due(&self->links[i], now_ms);
        dialer_tick(self->links[i].dialer, now_ms);
    }
}

static void on_closed(void *ctx) {
    bus_client_t *self = ctx;
    for (size_t i = 0; i < self->count; i++)
        dialer_free(&self->links[i].dialer);
    free(self->links);
    free(self);
}

/* ---- life ---- */

static err_t open_link(bus_client_t *self, size_t index, const char *routing_id) {
    zsock_t *zsock = bus_socket_dealer(routing_id, self->keys);
    zsock_t *monitor = zsock ? bus_monitor_new(zsock_resolve(zsock)) : NULL;
    if (!monitor) {
        zsock_destroy(&zsock);
        return ERR_IO;
    }
    broker_link_t *link = &self->links[index];
    *link = (broker_link_t){.bus = self, .index = index, .zsock = zsock};
    link->dialer = dialer_new(&self->dialer_config, &dialer_ops, link);
    self->count++;
    bus_pump_add(self->pump, zsock, on_message, link);
    bus_pump_add(self->pump, monitor, on_event, link);
    return dial(link);
}

static err_t open_links(bus_client_t *self) {
    char routing_id[BUS_ROUTING_BYTES];
    bus_socket_draw_routing_id(self->config.name, routing_id);
    for (size_t i = 0; i < brokers_count(self->config.brokers); i++) {
        err_t err = open_link(self, i, routing_id);
        if (err)
            return err;
    }
    return OK;
}

err_t bus_client_new(uv_loop_t *loop, const bus_client_config_t *config,
                     const bus_client_handler_t *handler, void *ctx, bus_client_t **self_out) {
    bus_client_t *self = xcalloc(1, sizeof(*self));
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
    self->links = xcalloc(brokers_count(config->brokers), sizeof(*self->links));
    self->pump = bus_pump_new(loop, on_turn, self);
    err_t err = OK;
    if (config->keys_directory)
        err = bus_keys_new(loop, config->keys_directory, config->role, &self->keys);
    if (err == OK)
        err = open_links(self);
    if (err != OK)
        bus_client_close(&self);
    *self_out = self;
    return err;
}

void bus_client_close(bus_client_t **self_in) {
    bus_client_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        dialer_goodbye(self->links[i].dialer, clock_now_ms());
    bus_keys_free(&self->keys);
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
