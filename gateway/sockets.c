#include "gateway/sockets.h"

#include <sodium.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "common/trace_log.h"
#include "gateway/credentials.h"
#include "gateway/events.h"
#include "gateway/gateway_metrics.h"
#include "gateway/replies.h"

struct sockets {
    sockets_config_t config;
    handshake_t *handshake;
    eio_listener_t *listener;
    sio_server_t *server;
    sio_namespace_t *nsp;
    gateway_core_t *core;
    trace_sampler_t sampler;
};

/* ---- what clients do ---- */

static void refuse_flood(sio_connect_t *connect) {
    strbuf_t data = {0};
    replies_connect_error(&data, CODE_RATE_LIMITED);
    sio_refuse(connect, STR("Too many connections"), strbuf_str(&data));
    strbuf_fini(&data);
}

static trace_context_t trace_of_connect(sockets_t *self, const eio_request_t *request) {
    uint8_t random[TRACE_ID_BYTES];
    randombytes_buf(random, sizeof(random));
    trace_context_t context = trace_context_begin(
        request ? eio_request_header(request, "traceparent") : (str_t){0},
        request ? eio_request_header(request, "x-request-id") : (str_t){0}, random);
    trace_sampler_decide(&self->sampler, &context, clock_now_ms());
    return context;
}

static void on_connect(void *arg, sio_connect_t *connect) {
    sockets_t *self = arg;
    const eio_request_t *request = sio_connect_request(connect);
    char key[CLIENT_ADDRESS_TEXT];
    credentials_t shown;
    if (!handshake_may_connect(self->handshake, request, clock_now_ms(), key)) {
        refuse_flood(connect);
        return;
    }
    str_t authorization = request ? eio_request_header(request, "authorization") : (str_t){0};
    trace_context_t context = trace_of_connect(self, request);
    log_step(&context.trace, "client_connecting", log_text("address", key));
    credentials_read(sio_connect_auth(connect), authorization, &shown);
    gateway_core_connect(self->core, connect,
                         &(gateway_hello_t){.token = shown.token,
                                            .address = str_from(key),
                                            .pid = shown.pid,
                                            .offset = shown.offset,
                                            .context = context});
    credentials_fini(&shown);
}

/* Every event is a trace of its own, linked to its connection's. */
static trace_t trace_of_event(sockets_t *self, const session_t *session, const sio_event_t *event) {
    const event_rule_t *rule = events_rule(events_kind(event->name));
    uint8_t random[TRACE_ID_BYTES];
    randombytes_buf(random, sizeof(random));
    trace_context_t context = trace_context_next(&session->context, random);
    /* Too many and too little to be chosen unasked. */
    if (rule->rate == RATE_TYPING && context.wish == TRACE_OPEN)
        context.wish = TRACE_DECLINED;
    trace_sampler_decide(&self->sampler, &context, clock_now_ms());
    if (trace_is_logged(&context.trace)) {
        char link[TRACE_TEXT + 1];
        log_step(&context.trace, "event_received",
                 log_text("link", trace_format(&session->context.trace, link)),
                 log_text("type", rule->name), log_u64("session", session->number),
                 log_str("user", user_id_of(session->user)), log_u64("bytes", event->json.n));
    }
    return context.trace;
}

static void on_event(void *arg, sio_socket_t *socket, const sio_event_t *event) {
    sockets_t *self = arg;
    session_t *session = sio_socket_data(socket);
    sio_ack_t ack = sio_event_ack(event);
    trace_t trace = trace_of_event(self, session, event);
    gateway_core_event(
        self->core, session,
        &(gateway_event_t){.name = event->name,
                           .array = event->json,
                           .ack = {.socket = ack.socket, .id = ack.id, .trace = trace}});
}

static void on_disconnect(void *arg, sio_socket_t *socket, eio_close_t reason) {
    sockets_t *self = arg;
    log_debug("socket_closed", log_str("socket", sio_socket_id(socket)),
              log_text("reason", eio_close_name(reason)));
    if (reason == EIO_CLOSE_CLIENT_LEFT)
        gateway_core_left(self->core, sio_socket_data(socket));
    gateway_core_disconnect(self->core, sio_socket_data(socket));
}

static void before_flush(void *arg) {
    sockets_t *self = arg;
    gateway_core_flush(self->core);
}

static void on_request(void *arg, const eio_request_t *request, eio_verdict_t *verdict) {
    sockets_t *self = arg;
    handshake_judge(self->handshake, request, verdict, clock_now_ms());
}

static void on_refused(void *arg, const char *event, const char *detail,
                       const eio_request_t *request) {
    (void)arg;
    log_refused("client_refused", log_text("what", event), log_text("reason", detail),
                log_str("peer", request ? eio_request_peer(request) : (str_t){0}));
}

static void on_bytes_refused(void *arg, const char *event, str_t peer) {
    (void)arg;
    log_refused("client_refused", log_text("what", event), log_str("peer", peer));
}

/* ---- life ---- */

static sio_options_t server_options(sockets_t *self) {
    const gateway_config_t *config = self->config.config;
    const char *const *origins = handshake_origins(self->handshake);
    return (sio_options_t){
        .engine =
            {
                .ping_interval_ms = (uint32_t)config->ping_interval_ms,
                .ping_timeout_ms = (uint32_t)config->ping_timeout_ms,
                .max_payload = (uint32_t)config->max_payload,
                .max_queue_bytes = (uint32_t)config->max_outbound_bytes,
                .max_total_queue_bytes = config->max_total_outbound_bytes,
                .max_total_input_bytes = config->max_total_inbound_bytes,
                .max_sessions = (uint32_t)config->max_connections,
                .sid_prefix = config->common.instance,
                .cors = {.origins = origins[0] ? origins : NULL, .credentials = origins[0] != NULL},
                .forget_request = true,
                .on_request = on_request,
                .on_refused = on_refused,
                .arg = self,
            },
        .connect_timeout_ms = (uint32_t)config->connect_timeout_ms,
        .before_flush = before_flush,
        .flush_arg = self,
    };
}

/* A polling client has two connections at times. Each takes an open file, and so does the bus. */
static uint32_t max_tcp_connections(const gateway_config_t *config) {
    enum { OTHER_FILES = 200 };
    struct rlimit files;
    uint64_t wanted = config->max_connections * 2;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > 2 * OTHER_FILES &&
        files.rlim_cur - OTHER_FILES < wanted)
        wanted = files.rlim_cur - OTHER_FILES;
    return (uint32_t)wanted;
}

static err_t listen_on(sockets_t *self) {
    static const char *const headers[] = {
        "authorization", "host", "origin", "traceparent", "x-forwarded-for", "x-request-id", NULL};
    const config_endpoint_t *endpoint = &self->config.config->listen;
    eio_listener_options_t options = {
        .host = endpoint->host,
        .port = endpoint->port,
        .headers = headers,
        .max_connections = max_tcp_connections(self->config.config),
        .receive_timeout_ms = (uint32_t)self->config.config->request_timeout_ms,
        .on_get = self->config.on_get,
        .on_refused = on_bytes_refused,
        .arg = self->config.ctx,
    };
    err_t err = eio_listener_new(self->config.loop, &options, &self->listener);
    if (err)
        log_error("listen_failed", log_text("host", endpoint->host),
                  log_u64("port", endpoint->port), log_err(err));
    else
        log_info("listening", log_text("host", endpoint->host),
                 log_u64("port", eio_listener_port(self->listener)));
    return err;
}

err_t sockets_new(const sockets_config_t *config, sockets_t **self_out) {
    sockets_t *self = xcalloc(1, sizeof(*self));
    self->config = *config;
    self->sampler = trace_sampler_make(config->config->trace_rate);
    self->handshake = handshake_new(config->config, config->metrics);
    err_t err = listen_on(self);
    if (err) {
        handshake_free(&self->handshake);
        free(self);
        return err;
    }
    sio_options_t options = server_options(self);
    sio_handlers_t handlers = {.on_connect = on_connect,
                               .on_event = on_event,
                               .on_disconnect = on_disconnect,
                               .arg = self};
    self->server = sio_server_new(self->listener, &options);
    self->nsp = sio_namespace(self->server, "/", &handlers);
    *self_out = self;
    return OK;
}

void sockets_set_core(sockets_t *self, gateway_core_t *core) {
    self->core = core;
}

void sockets_stop(sockets_t *self) {
    eio_listener_stop(self->listener);
}

void sockets_free(sockets_t **self_in) {
    sockets_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    eio_listener_free(&self->listener);
    handshake_free(&self->handshake);
    free(self);
}

void sockets_drain(sockets_t *self) {
    sio_server_drain(self->server);
}

/* ---- what the core wants done ---- */

void *sockets_accept(sockets_t *self, void *connect, session_t *session) {
    (void)self;
    sio_socket_t *socket = sio_accept(
        connect, &(sio_accept_t){.data = session, .sid = session_sid(session), .hold_reply = true});
    if (socket)
        log_debug("socket_open", log_str("socket", sio_socket_id(socket)),
                  log_u64("session", session->number), log_str("user", user_id_of(session->user)));
    return socket;
}

void sockets_reply(void *socket, str_t pid) {
    sio_socket_reply(socket, pid);
}

void sockets_refuse(void *connect, str_t message, str_t data) {
    sio_refuse(connect, message, data);
}

void sockets_close_connect(void *connect) {
    sio_close_connect(connect, EIO_CLOSE_OVERLOAD);
}

void *sockets_packet_new(sockets_t *self, str_t event, str_t args) {
    return sio_packet_new(self->nsp, event, args, (sio_attachments_t){0});
}

void sockets_packet_unref(void *packet) {
    sio_packet_t *held = packet;
    sio_packet_unref(&held);
}

void sockets_send(void *socket, void *packet, str_t offset) {
    if (offset.n)
        sio_send_with(socket, packet, offset);
    else
        sio_send(socket, packet);
}

void sockets_ack(gateway_ack_t *ack, str_t args) {
    sio_ack_t answer = {.socket = ack->socket, .id = ack->id};
    *ack = (gateway_ack_t){0};
    sio_ack_send(&answer, args);
}

void sockets_drop_ack(gateway_ack_t *ack) {
    sio_ack_t answer = {.socket = ack->socket, .id = ack->id};
    *ack = (gateway_ack_t){0};
    sio_ack_drop(&answer);
}

void sockets_step(const gateway_step_t *step) {
    log_step(&step->trace, step->name, log_str("type", step->event),
             log_text("code", step->session ? code_name(step->code) : ""),
             log_u64("session", step->session), log_str("room", step->room),
             log_u64("seq", step->seq), log_u64("sockets", step->sockets));
}

void sockets_close(void *socket, gateway_close_t reason) {
    static const eio_close_t reasons[GATEWAY_CLOSE_REASON_COUNT] = {
        [GATEWAY_CLOSE_TOKEN_EXPIRED] = EIO_CLOSE_SERVER,
        [GATEWAY_CLOSE_GENERATION_CHANGED] = EIO_CLOSE_SERVER,
        [GATEWAY_CLOSE_LAGGING] = EIO_CLOSE_OVERLOAD,
        [GATEWAY_CLOSE_REJOIN_REFUSED] = EIO_CLOSE_SERVER,
        [GATEWAY_CLOSE_RECOVERED] = EIO_CLOSE_SERVER,
        [GATEWAY_CLOSE_DRAINING] = EIO_CLOSE_SHUTDOWN,
    };
    sio_close(socket, reasons[reason]);
}

bool sockets_is_crowded(const void *socket) {
    return sio_socket_is_crowded(socket);
}

/* ---- figures ---- */

void sockets_collect_metrics(const sockets_t *self, metrics_t *metrics) {
    const eio_counters_t *engine = sio_server_engine_counters(self->server);
    metrics_set(metrics, METRIC_ENGINE_SESSIONS, TRANSPORT_POLLING,
                (double)engine->sessions_polling);
    metrics_set(metrics, METRIC_ENGINE_SESSIONS, TRANSPORT_WEBSOCKET,
                (double)engine->sessions_websocket);
    metrics_set(metrics, METRIC_ENGINE_SESSIONS_LIMIT, 0,
                (double)self->config.config->max_connections);
    metrics_set(metrics, METRIC_ENGINE_QUEUED_BYTES, 0, (double)engine->queued_bytes);
    metrics_set(metrics, METRIC_ENGINE_INPUT_BYTES, 0, (double)engine->input_bytes);
    metrics_set(metrics, METRIC_ENGINE_REFUSED_INPUT, 0, (double)engine->refused_input);
    metrics_set(metrics, METRIC_ENGINE_EVICTED, 0, (double)engine->evicted);
    metrics_set(metrics, METRIC_ENGINE_BYTES, DIRECTION_IN, (double)engine->bytes_in);
    metrics_set(metrics, METRIC_ENGINE_BYTES, DIRECTION_OUT, (double)engine->bytes_out);
    metrics_set(metrics, METRIC_ENGINE_PACKETS, DIRECTION_IN, (double)engine->packets_in);
    metrics_set(metrics, METRIC_ENGINE_PACKETS, DIRECTION_OUT, (double)engine->packets_out);
    metrics_set(metrics, METRIC_ENGINE_HANDSHAKES, 0, (double)engine->handshakes);
    metrics_set(metrics, METRIC_ENGINE_REFUSED, 0, (double)engine->refused);
    metrics_set(metrics, METRIC_ENGINE_UPGRADES, 0, (double)engine->upgrades);
    for (size_t i = 0; i < EIO_CLOSE_REASONS; i++)
        metrics_set(metrics, METRIC_ENGINE_CLOSES, i, (double)engine->closes[i]);
    metrics_set(metrics, METRIC_TCP_CONNECTIONS, 0,
                (double)eio_listener_connections(self->listener));
    metrics_set(metrics, METRIC_TCP_EVICTED, 0, (double)eio_listener_evicted(self->listener));
}
