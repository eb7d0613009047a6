#include "gateway/gateway.h"

#include <sodium.h>
#include <sys/resource.h>

#include "common/bus_metrics.h"
#include "common/clock.h"
#include "common/log.h"
#include "gateway/gateway_metrics.h"
#include "gateway/sockets.h"

enum {
    TICK_MS = 50,
    /* Of the time to drain: within the first part every socket has its moment to be closed, then
     * the rest is closed, and at the end the process does not wait any longer. */
    DRAIN_PACED_PERCENT = 75,
    DRAIN_CLOSING_PERCENT = 85,
    DRAIN_LAST_PERCENT = 95,
};

typedef struct {
    service_t *service;
    const gateway_config_t *config;
    brokers_t *brokers;
    metrics_t *metrics;
    sockets_t *sockets;
    bus_client_t *bus; /* NULL once stopping */
    gateway_core_t *core;
    uv_timer_t tick;
    bool linked;              /* a broker has been up since the start */
    bool closing;             /* what is left of the sockets has been told to close */
    int64_t drain_closing_ms; /* once draining: when to close what is left … */
    int64_t drain_last_ms;    /* … and when to stop waiting */
    recovery_keys_t recovery;
    strbuf_t body; /* of an HTTP answer */
} gateway_t;

/* ---- effects of the core ---- */

static int64_t now_ms(void *ctx) {
    (void)ctx;
    return clock_now_ms();
}

static int64_t unix_ms(void *ctx) {
    (void)ctx;
    return clock_unix_ms();
}

static void *accept_client(void *ctx, void *connect, session_t *session) {
    gateway_t *self = ctx;
    return sockets_accept(self->sockets, connect, session);
}

static void reply_to_client(void *ctx, void *socket, str_t pid) {
    (void)ctx;
    sockets_reply(socket, pid);
}

static void refuse_client(void *ctx, void *connect, str_t message, str_t data) {
    (void)ctx;
    sockets_refuse(connect, message, data);
}

static void close_connect(void *ctx, void *connect) {
    (void)ctx;
    sockets_close_connect(connect);
}

static void *packet_new(void *ctx, str_t event, str_t args) {
    gateway_t *self = ctx;
    return sockets_packet_new(self->sockets, event, args);
}

static void packet_unref(void *ctx, void *packet) {
    (void)ctx;
    sockets_packet_unref(packet);
}

static void send_packet(void *ctx, void *socket, void *packet, str_t offset) {
    (void)ctx;
    sockets_send(socket, packet, offset);
}

static void ack(void *ctx, gateway_ack_t *ack_in, str_t args) {
    (void)ctx;
    sockets_ack(ack_in, args);
}

static void drop_ack(void *ctx, gateway_ack_t *ack_in) {
    (void)ctx;
    sockets_drop_ack(ack_in);
}

static void log_trace_step(void *ctx, const gateway_step_t *step) {
    (void)ctx;
    sockets_step(step);
}

static void close_socket(void *ctx, void *socket, gateway_close_t reason) {
    (void)ctx;
    sockets_close(socket, reason);
}

static void fill_randomly(void *ctx, unsigned char *bytes, size_t n) {
    (void)ctx;
    randombytes_buf(bytes, n);
}

static uint64_t request(void *ctx, size_t broker, const link_request_t *link_request) {
    gateway_t *self = ctx;
    return self->bus ? bus_client_request_to(self->bus, broker, link_request).id : 0;
}

static void cancel(void *ctx, size_t broker, uint64_t request_id) {
    gateway_t *self = ctx;
    if (self->bus)
        bus_client_cancel(self->bus, (bus_request_id_t){.broker = broker, .id = request_id});
}

static err_t post(void *ctx, size_t broker, const envelope_t *envelope) {
    gateway_t *self = ctx;
    return self->bus ? bus_client_send_to(self->bus, broker, envelope) : ERR_CLOSED;
}

static bool is_busy(void *ctx, size_t broker) {
    gateway_t *self = ctx;
    return self->bus &&
           (bus_client_is_crowded(self->bus, broker) || bus_client_is_behind(self->bus, broker));
}

static bool is_crowded(void *ctx, void *socket) {
    (void)ctx;
    return sockets_is_crowded(socket);
}

static const gateway_ops_t core_ops = {
    .now_ms = now_ms,
    .unix_ms = unix_ms,
    .accept = accept_client,
    .reply = reply_to_client,
    .refuse = refuse_client,
    .close_connect = close_connect,
    .packet_new = packet_new,
    .packet_unref = packet_unref,
    .send = send_packet,
    .ack = ack,
    .drop_ack = drop_ack,
    .close = close_socket,
    .random = fill_randomly,
    .is_crowded = is_crowded,
    .step = log_trace_step,
    .request = request,
    .cancel = cancel,
    .post = post,
    .is_busy = is_busy,
};

/* ---- links ---- */

static void on_up(void *ctx, size_t broker, uint64_t epoch) {
    gateway_t *self = ctx;
    log_info("broker_up", log_text("broker", brokers_endpoint(self->brokers, broker)),
             log_u64("epoch", epoch));
    self->linked = true;
    gateway_core_up(self->core, broker);
}

static void on_down(void *ctx, size_t broker, const char *reason) {
    gateway_t *self = ctx;
    log_warn("broker_down", log_text("broker", brokers_endpoint(self->brokers, broker)),
             log_text("reason", reason));
    gateway_core_down(self->core, broker);
}

static void on_deliver(void *ctx, size_t broker, const envelope_t *envelope) {
    gateway_t *self = ctx;
    gateway_core_deliver(self->core, broker, envelope);
}

/* 2: the brokers' list has changed, so that rooms may live elsewhere: clients go to gateways that
 * know. */
static void on_refused(void *ctx, size_t broker, unsigned reason) {
    gateway_t *self = ctx;
    log_error("broker_refused", log_text("broker", brokers_endpoint(self->brokers, broker)),
              log_text("reason", dialer_refusal_text(reason)));
    if (reason == 2)
        service_begin_drain(self->service);
    else
        service_stop(self->service, EXIT_CODE_FAILED);
}

static const bus_client_handler_t bus_handler = {
    .up = on_up, .down = on_down, .deliver = on_deliver, .refused = on_refused};

/* ---- HTTP on the clients' port ---- */

static void on_get(void *ctx, const eio_request_t *http, eio_reply_t *reply_out) {
    gateway_t *self = ctx;
    str_t path = eio_request_path(http);
    reply_out->content_type = "application/json";
    if (str_eq(path, STR("/health"))) {
        strbuf_clear(&self->body);
        service_health(self->service, &self->body);
        reply_out->status = 200;
        reply_out->body = strbuf_str(&self->body);
    } else if (str_eq(path, STR("/ready"))) {
        health_ready_t ready = service_ready(self->service);
        reply_out->status = health_ready_status(ready);
        reply_out->body = str_from(health_ready_body(ready));
    }
}

/* ---- time and drain ---- */

static void check_drain(gateway_t *self) {
    int64_t time_ms = clock_now_ms();
    if (!self->drain_last_ms)
        return;
    if (gateway_core_is_empty(self->core) || time_ms >= self->drain_last_ms) {
        service_stop(self->service, EXIT_CODE_OK);
    } else if (!self->closing && time_ms >= self->drain_closing_ms) {
        self->closing = true;
        gateway_core_close_all(self->core, GATEWAY_CLOSE_DRAINING);
    }
}

static void on_tick(uv_timer_t *timer) {
    gateway_t *self = timer->data;
    gateway_core_tick(self->core);
    check_drain(self);
}

static void drain(void *ctx, int64_t deadline_ms) {
    gateway_t *self = ctx;
    int64_t start_ms = clock_now_ms();
    int64_t whole_ms = deadline_ms - start_ms;
    self->drain_closing_ms = start_ms + whole_ms * DRAIN_CLOSING_PERCENT / 100;
    self->drain_last_ms = start_ms + whole_ms * DRAIN_LAST_PERCENT / 100;
    sockets_drain(self->sockets);
    gateway_core_drain(self->core, whole_ms * DRAIN_PACED_PERCENT / 100);
}

/* ---- life ---- */

static err_t open_brokers(gateway_t *self) {
    const config_list_t *list = &self->config->common.brokers;
    strbuf_t text = {0};
    const char *why = "";
    for (size_t i = 0; i < list->n; i++)
        strbuf_printf(&text, "%s%s", i ? "," : "", list->items[i]);
    err_t err = brokers_new(strbuf_str(&text), &self->brokers, &why);
    if (err)
        log_error("brokers_invalid", log_text("reason", why));
    strbuf_fini(&text);
    return err;
}

static err_t open_bus(gateway_t *self) {
    bus_client_config_t config = {.brokers = self->brokers,
                                  .role = ROLE_GATEWAY,
                                  .name = self->config->common.instance,
                                  .max_pending_bytes = self->config->max_bus_bytes,
                                  .max_pending = self->config->max_bus_requests,
                                  .keys_directory = self->config->common.bus_keys};
    err_t err =
        bus_client_new(service_loop(self->service), &config, &bus_handler, self, &self->bus);
    if (err)
        log_error("bus_failed", log_err(err));
    return err;
}

static void destroy(void *ctx) {
    gateway_t *self = ctx;
    gateway_core_free(&self->core);
    sockets_free(&self->sockets);
    metrics_free(&self->metrics);
    brokers_free(&self->brokers);
    sodium_memzero(&self->recovery, sizeof(self->recovery));
    strbuf_fini(&self->body);
    free(self);
}

/* Each client needs an open file. */
static void check_file_limit(const gateway_config_t *config) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < config->max_connections)
        log_warn("few_open_files", log_u64("allowed", limit.rlim_cur),
                 log_u64("max_connections", config->max_connections));
}

/* Without a key of its own a session can be recovered here alone, as long as this process lives. */
static void open_recovery(gateway_t *self) {
    const gateway_config_t *config = self->config;
    unsigned char made[RECOVERY_KEY_BYTES];
    if (config->recovery_key) {
        recovery_keys_add(&self->recovery, str_from(config->recovery_key));
        if (config->recovery_key_before)
            recovery_keys_add(&self->recovery, str_from(config->recovery_key_before));
        return;
    }
    log_warn("recovery_key_unset",
             log_text("effect", "sessions are recovered by this process alone"));
    randombytes_buf(made, sizeof(made));
    recovery_keys_add(&self->recovery, (str_t){(const char *)made, sizeof(made)});
    sodium_memzero(made, sizeof(made));
}

static void open_core(gateway_t *self) {
    gateway_core_config_t config = gateway_config_core(self->config);
    config.brokers = self->brokers;
    config.incarnation = bus_client_incarnation(self->bus);
    config.metrics = self->metrics;
    if (self->config->recovery) {
        open_recovery(self);
        config.recovery = &self->recovery;
    }
    self->core = gateway_core_new(&config, &core_ops, self);
    sockets_set_core(self->sockets, self->core);
    ASSERT(uv_timer_init(service_loop(self->service), &self->tick) == 0);
    self->tick.data = self;
    ASSERT(uv_timer_start(&self->tick, on_tick, TICK_MS, TICK_MS) == 0);
}

static void *start(service_t *service, const void *config) {
    gateway_t *self = xcalloc(1, sizeof(*self));
    ASSERT(sodium_init() >= 0);
    self->service = service;
    self->config = config;
    self->metrics = metrics_new(gateway_metric_defs, METRIC_COUNT);
    check_file_limit(config);
    if (open_brokers(self) || open_bus(self)) {
        destroy(self);
        return NULL;
    }
    sockets_config_t sockets_config = {.loop = service_loop(service),
                                       .config = config,
                                       .metrics = self->metrics,
                                       .on_get = on_get,
                                       .ctx = self};
    if (sockets_new(&sockets_config, &self->sockets)) {
        bus_client_close(&self->bus);
        destroy(self);
        return NULL;
    }
    open_core(self);
    return self;
}

static void stop(void *ctx) {
    gateway_t *self = ctx;
    sockets_stop(self->sockets);
    bus_client_close(&self->bus);
    uv_close((uv_handle_t *)&self->tick, NULL);
}

/* ---- looking in ---- */

/* A broker's pause doesn't count: clients stay, and their events wait. */
static bool is_ready(void *ctx) {
    gateway_t *self = ctx;
    return self->linked;
}

static size_t dependencies(void *ctx, health_dependency_t *out) {
    gateway_t *self = ctx;
    size_t n = brokers_count(self->brokers);
    if (n > HEALTH_DEPENDENCIES_MAX)
        n = HEALTH_DEPENDENCIES_MAX;
    for (size_t i = 0; i < n; i++)
        out[i] = (health_dependency_t){
            .name = brokers_endpoint(self->brokers, i),
            .state = self->bus && bus_client_is_up(self->bus, i) ? "up" : "down"};
    return n;
}

static void write_metrics(void *ctx, strbuf_t *text_out) {
    gateway_t *self = ctx;
    gateway_figures_t figures = gateway_core_figures(self->core);
    metrics_set(self->metrics, METRIC_SESSIONS, 0, (double)figures.sessions);
    metrics_set(self->metrics, METRIC_USERS, 0, (double)figures.users);
    metrics_set(self->metrics, METRIC_ROOMS, 0, (double)figures.rooms);
    metrics_set(self->metrics, METRIC_MEMBERSHIPS, 0, (double)figures.members);
    metrics_set(self->metrics, METRIC_WATCHES, 0, (double)figures.watches);
    metrics_set(self->metrics, METRIC_INTERESTS, 0, (double)figures.interests);
    metrics_set(self->metrics, METRIC_JOIN_WAITING_BYTES, 0, (double)figures.waiting_bytes);
    metrics_set(self->metrics, METRIC_CONNECTING, 0, (double)figures.connects);
    metrics_set(self->metrics, METRIC_REQUESTS_PENDING, 0, (double)figures.requests);
    metrics_set(self->metrics, METRIC_WRITES_PENDING, 0, (double)figures.writes);
    sockets_collect_metrics(self->sockets, self->metrics);
    metrics_write(self->metrics, text_out);
    bus_metrics_write(self->bus, text_out);
}

const service_ops_t gateway_service = {
    .config = &gateway_config_schema,
    .start = start,
    .drain = drain,
    .stop = stop,
    .free = destroy,
    .is_ready = is_ready,
    .dependencies = dependencies,
    .write_metrics = write_metrics,
};
