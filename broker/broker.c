#include "broker/broker.h"

#include <errno.h>

#include "broker/broker_config.h"
#include "broker/broker_core.h"
#include "broker/broker_metrics.h"
#include "common/brokers.h"
#include "common/bus_server.h"
#include "common/clock.h"
#include "common/trace_log.h"

enum { TICK_MS = 50 };

typedef struct {
    service_t *service;
    const broker_config_t *config;
    brokers_t *brokers;
    bus_server_t *bus;
    broker_core_t *core;
    metrics_t *metrics;
    uv_timer_t tick;
} broker_t;

/* ---- what the core wants done ---- */

static void send_envelope(void *ctx, void *link, const envelope_t *envelope) {
    broker_t *self = ctx;
    if (bus_server_send(self->bus, link, envelope) != OK) /* its link is over; `down` follows */
        metrics_increment(self->metrics, METRIC_BUS_SEND_FAILED, 0);
}

static void job_ended(void *ctx, job_class_t class, job_outcome_t outcome, int64_t took_ms) {
    broker_t *self = ctx;
    metrics_increment(self->metrics, METRIC_JOBS_ENDED,
                      metrics_series(self->metrics, METRIC_JOBS_ENDED, class, outcome));
    if (outcome != JOB_OUTCOME_REFUSED)
        metrics_observe(self->metrics, METRIC_JOB_SECONDS, class, (double)took_ms / 1000);
}

static void envelope_refused(void *ctx, void *link, const envelope_t *envelope, const char *what) {
    broker_t *self = ctx;
    metrics_increment(self->metrics, METRIC_BUS_REFUSED, BUS_REFUSED_ENVELOPE);
    log_refused("bus_envelope_refused", log_text("peer", link_peer_name(link)),
                log_text("type", proto_name(envelope->type)), log_str("room", envelope->room),
                log_u64("session", envelope->session), log_trace(&envelope->trace),
                log_text("reason", what));
}

static bool is_behind(void *ctx, void *link) {
    (void)ctx;
    return link_peer_is_behind(link);
}

static const broker_core_ops_t core_ops = {.send = send_envelope,
                                           .job_ended = job_ended,
                                           .refused = envelope_refused,
                                           .is_behind = is_behind};

/* ---- links ---- */

static void on_up(void *ctx, link_peer_t *link) {
    broker_t *self = ctx;
    broker_core_peer_t peer = {.role = link_peer_role(link),
                               .link = link,
                               .write_credit = link_peer_write_credit(link),
                               .read_credit = link_peer_read_credit(link)};
    log_info("peer_up", log_text("peer", link_peer_name(link)),
             log_text("role", role_name(peer.role)),
             log_u64("incarnation", link_peer_incarnation(link)));
    link_peer_set_data(link, broker_core_peer_up(self->core, &peer, clock_now_ms()));
}

static void on_down(void *ctx, link_peer_t *link, const char *reason) {
    broker_t *self = ctx;
    log_info("peer_down", log_text("peer", link_peer_name(link)),
             log_text("role", role_name(link_peer_role(link))), log_text("reason", reason));
    broker_core_peer_down(self->core, link_peer_data(link), clock_now_ms());
}

static void on_deliver(void *ctx, link_peer_t *link, const envelope_t *envelope) {
    broker_t *self = ctx;
    broker_core_deliver(self->core, link_peer_data(link), envelope, clock_now_ms());
}

static void on_refused(void *ctx, str_t routing_id, const char *what) {
    broker_t *self = ctx;
    metrics_increment(self->metrics, METRIC_BUS_REFUSED, BUS_REFUSED_FRAME);
    log_refused("bus_frame_refused", log_str("peer", routing_id), log_text("reason", what));
}

static void on_stranger(void *ctx, bus_stranger_t kind) {
    broker_t *self = ctx;
    metrics_increment(self->metrics, METRIC_BUS_STRANGERS, kind);
    log_refused("bus_stranger", log_text("reason", broker_stranger_names[kind]));
}

static const bus_server_handler_t bus_handler = {.up = on_up,
                                                 .down = on_down,
                                                 .deliver = on_deliver,
                                                 .refused = on_refused,
                                                 .stranger = on_stranger};

static void on_tick(uv_timer_t *timer) {
    broker_t *self = timer->data;
    broker_core_tick(self->core, clock_now_ms(), clock_unix_ms());
}

/* ---- life ---- */

static brokers_t *new_brokers(const config_list_t *list) {
    strbuf_t text = {0};
    brokers_t *brokers = NULL;
    const char *why = "";
    for (size_t i = 0; i < list->n; i++)
        strbuf_printf(&text, "%s%s", i ? "," : "", list->items[i]);
    if (brokers_new(strbuf_str(&text), &brokers, &why) != OK)
        log_error("brokers_invalid", log_text("reason", why));
    strbuf_fini(&text);
    return brokers;
}

static bool open_bus(broker_t *self) {
    const char *endpoint = broker_config_bind(self->config);
    bus_server_config_t config = {.name = self->config->common.instance,
                                  .bind_endpoint = endpoint,
                                  .broker_digest = brokers_digest(self->brokers),
                                  .keys_directory = self->config->common.bus_keys};
    err_t err =
        bus_server_new(service_loop(self->service), &config, &bus_handler, self, &self->bus);
    if (err == ERR_IO)
        log_error("bus_bind_failed", log_text("endpoint", endpoint),
                  log_text("reason", strerror(errno)));
    if (err != OK)
        return false;
    log_info("bus_listening", log_text("endpoint", endpoint),
             log_text("encrypted", config.keys_directory ? "yes" : "no"),
             log_u64("epoch", bus_server_incarnation(self->bus)));
    return true;
}

static void free_broker(void *ctx) {
    broker_t *self = ctx;
    broker_core_free(&self->core);
    metrics_free(&self->metrics);
    brokers_free(&self->brokers);
    free(self);
}

static void *start(service_t *service, const void *config) {
    broker_t *self = xcalloc(1, sizeof(*self));
    self->service = service;
    self->config = config;
    self->brokers = new_brokers(&self->config->common.brokers);
    if (!self->brokers || !open_bus(self)) {
        free_broker(self);
        return NULL;
    }
    broker_core_config_t core = broker_config_core(config, bus_server_incarnation(self->bus));
    self->metrics = broker_metrics_new(&core);
    self->core = broker_core_new(&core, &core_ops, self, clock_now_ms(), clock_unix_ms());
    ASSERT(uv_timer_init(service_loop(service), &self->tick) == 0);
    self->tick.data = self;
    ASSERT(uv_timer_start(&self->tick, on_tick, TICK_MS, TICK_MS) == 0);
    return self;
}

/* Peers find the broker gone and come back to the next epoch; what they asked for they ask again,
 * so there is nothing to drain. */
static void stop(void *ctx) {
    broker_t *self = ctx;
    uv_close((uv_handle_t *)&self->tick, NULL);
    bus_server_close(&self->bus);
}

/* ---- the admin port ---- */

static size_t dependencies(void *ctx, health_dependency_t *out) {
    broker_t *self = ctx;
    static const size_t workers[] = {2, 3}; /* persist-worker, auth-worker */
    for (size_t i = 0; i < 2; i++) {
        size_t up = peers_count(broker_core_peers(self->core), workers[i]);
        out[i] = (health_dependency_t){.name = peers_role_names[workers[i]],
                                       .state = up ? "up" : "down"};
    }
    return 2;
}

static void write_metrics(void *ctx, strbuf_t *text_out) {
    broker_t *self = ctx;
    const link_listener_t *listener = bus_server_listener(self->bus);
    broker_bus_figures_t bus = {.stats = *link_listener_stats(listener)};
    for (size_t i = 0; i < PEER_ROLES; i++)
        bus.unread_bytes[i] = link_listener_unread_bytes(listener, peers_roles[i]);
    broker_metrics_collect(self->metrics, self->core, &bus);
    metrics_write(self->metrics, text_out);
}

const service_ops_t broker_ops = {
    .config = &broker_config_schema,
    .start = start,
    .stop = stop,
    .free = free_broker,
    .dependencies = dependencies,
    .write_metrics = write_metrics,
};
