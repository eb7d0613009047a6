#include "auth-worker/worker.h"

#include <signal.h>

#include "auth-worker/accounts.h"
#include "auth-worker/auth_config.h"
#include "auth-worker/auth_metrics.h"
#include "common/bus_metrics.h"
#include "common/clock.h"
#include "common/trace_log.h"

enum {
    /* Jobs that one broker may hand over at once, of every kind: more than all the requests that
     * wait for passwords and PostgreSQL, so that these never keep tokens from being checked. */
    JOB_CREDIT = 2048,
    PENDING_BYTES_MAX = 1 << 20, /* this service makes no requests of its own */
    ATTEMPTS_PERIOD_MS = 60000,
    DRAIN_LOOK_MS = 20,
};

typedef struct {
    service_t *service;
    const auth_config_t *config;
    metrics_t *metrics;
    proto_arena_t *arena;
    brokers_t *brokers;
    bus_client_t *bus;
    key_files_t *keys;
    authority_t authority;
    password_t *passwords;
    store_t *store;
    attempts_t *logins;
    attempts_t *registrations;
    accounts_t *accounts;
    uv_signal_t hangup;     /* SIGHUP: read the keys again */
    uv_timer_t drain_timer; /* looks whether accounts are done */
    bool signals_open;
    bool linked; /* a link has been up */
    bool draining;
} worker_t;

/* ---- answers ---- */

static void send_answer(worker_t *self, size_t broker, const envelope_t *request,
                        const answer_t *answer) {
    err_t err = bus_client_reply(self->bus, broker, request, answer->type, answer->code,
                                 strbuf_str(&answer->body));
    if (err != OK) /* the link is down: the broker asks again, us or another worker */
        log_debug("answer_dropped", log_text("request", proto_name(request->type)), log_err(err));
}

static void count_request(worker_t *self, auth_request_t request, code_t code) {
    metrics_increment(self->metrics, METRIC_REQUESTS,
                      metrics_series(self->metrics, METRIC_REQUESTS, request, code));
}

/* An answer of accounts. A broker that began anew since it asked knows nothing of the request. */
static void on_answer(void *ctx, const accounts_request_t *request, const answer_t *answer) {
    worker_t *self = ctx;
    count_request(self, request->head.type == MSG_AUTH_LOGIN ? AUTH_LOGIN : AUTH_REGISTER,
                  answer->code);
    if (bus_client_epoch(self->bus, request->broker) == request->epoch)
        send_answer(self, request->broker, &request->head, answer);
}

static void on_computed(void *ctx, double seconds) {
    worker_t *self = ctx;
    metrics_observe(self->metrics, METRIC_PASSWORD_SECONDS, 0, seconds);
}

static void on_statement(void *ctx, double seconds) {
    worker_t *self = ctx;
    metrics_observe(self->metrics, METRIC_STATEMENT_SECONDS, 0, seconds);
}

/* ---- requests ---- */

static err_t on_verify(worker_t *self, const envelope_t *envelope, answer_t *answer_out) {
    proto_auth_verify_t message;
    err_t err = proto_auth_verify_decode(envelope->body, self->arena, &message);
    if (err != OK)
        return err;
    tokens_result_t result =
        authority_verify(&self->authority, message.token, clock_unix_ms(), answer_out);
    metrics_increment(self->metrics, METRIC_VERIFICATIONS, result);
    return OK;
}

static err_t on_refresh(worker_t *self, const envelope_t *envelope, answer_t *answer_out) {
    proto_auth_refresh_t message;
    err_t err = proto_auth_refresh_decode(envelope->body, self->arena, &message);
    if (err != OK)
        return err;
    tokens_result_t result =
        authority_refresh(&self->authority, message.token, clock_unix_ms(), answer_out);
    metrics_increment(self->metrics, METRIC_VERIFICATIONS, result);
    count_request(self, AUTH_REFRESH, answer_out->code);
    return OK;
}

static accounts_request_t keep(const worker_t *self, size_t broker, const envelope_t *envelope) {
    accounts_request_t request = {.broker = broker,
                                  .epoch = bus_client_epoch(self->bus, broker),
                                  .head = *envelope,
                                  .give_up_at_ms = INT64_MAX};
    request.head.room = request.head.user = request.head.body = STR("");
    if (envelope->deadline_ms)
        request.give_up_at_ms = clock_now_ms() + envelope->deadline_ms;
    return request;
}

/* Registering and logging in end later. While draining they are left alone: the broker gives them
 * to another worker when this one says goodbye. */
static err_t on_account(worker_t *self, size_t broker, const envelope_t *envelope) {
    accounts_request_t request = keep(self, broker, envelope);
    proto_auth_register_t registration;
    proto_auth_login_t login;
    err_t err;
    if (envelope->type == MSG_AUTH_REGISTER) {
        err = proto_auth_register_decode(envelope->body, self->arena, &registration);
        if (err == OK && !self->draining)
            accounts_register(self->accounts, &request, &registration);
    } else {
        err = proto_auth_login_decode(envelope->body, self->arena, &login);
        if (err == OK && !self->draining)
            accounts_login(self->accounts, &request, &login);
    }
    return err;
}

/* Malformed or over its bounds. What a client could send too long is answered as it would be in the
 * right length. */
static void refuse(worker_t *self, const envelope_t *envelope, err_t err, answer_t *answer_out) {
    const char *name = proto_name(envelope->type);
    metrics_increment(self->metrics, METRIC_BAD_ENVELOPES, 0);
    log_refused("bad_envelope", log_text("type", name ? name : "unknown"), log_err(err),
                log_trace(&envelope->trace));
    if (envelope->type == MSG_AUTH_VERIFY || envelope->type == MSG_AUTH_REFRESH)
        answer_error(answer_out, CODE_UNAUTHORIZED, "the token is not valid", 0);
    else
        answer_error(answer_out, CODE_INVALID_PAYLOAD, "the request is not valid", 0);
}

static void on_deliver(void *ctx, size_t broker, const envelope_t *envelope) {
    worker_t *self = ctx;
    answer_t answer = {0};
    err_t err = ERR_INVALID;
    if (envelope->type == MSG_AUTH_VERIFY)
        err = on_verify(self, envelope, &answer);
    else if (envelope->type == MSG_AUTH_REFRESH)
        err = on_refresh(self, envelope, &answer);
    else if (envelope->type == MSG_AUTH_REGISTER || envelope->type == MSG_AUTH_LOGIN)
        err = on_account(self, broker, envelope);
    if (err != OK)
        refuse(self, envelope, err, &answer);
    if (answer.type && envelope->request_id)
        send_answer(self, broker, envelope, &answer);
    answer_fini(&answer);
}

/* ---- links ---- */

static void on_up(void *ctx, size_t broker, uint64_t epoch) {
    worker_t *self = ctx;
    self->linked = true;
    log_info("broker_up", log_text("broker", brokers_endpoint(self->brokers, broker)),
             log_u64("epoch", epoch));
}

static void on_down(void *ctx, size_t broker, const char *reason) {
    worker_t *self = ctx;
    log_warn("broker_down", log_text("broker", brokers_endpoint(self->brokers, broker)),
             log_text("reason", reason));
}

static void on_refused(void *ctx, size_t broker, unsigned reason) {
    worker_t *self = ctx;
    log_error("broker_refused", log_text("broker", brokers_endpoint(self->brokers, broker)),
              log_text("reason", dialer_refusal_text(reason)));
    service_begin_drain(self->service);
}

static const bus_client_handler_t bus_handler = {
    .up = on_up, .down = on_down, .deliver = on_deliver, .refused = on_refused};

static bool open_bus(worker_t *self) {
    const config_common_t *common = &self->config->common;
    strbuf_t list = {0};
    const char *why = "";
    for (size_t i = 0; i < common->brokers.n; i++)
        strbuf_printf(&list, "%s%s", i ? "," : "", common->brokers.items[i]);
    err_t err = brokers_new(strbuf_str(&list), &self->brokers, &why);
    strbuf_fini(&list);
    if (err != OK) {
        log_error("brokers_invalid", log_text("reason", why));
        return false;
    }
    bus_client_config_t config = {.brokers = self->brokers,
                                  .role = ROLE_AUTH,
                                  .name = common->instance,
                                  .read_credit = JOB_CREDIT,
                                  .max_pending_bytes = PENDING_BYTES_MAX,
                                  .keys_directory = common->bus_keys};
    return bus_client_new(service_loop(self->service), &config, &bus_handler, self, &self->bus) ==
           OK;
}

/* ---- life ---- */

static void on_hangup(uv_signal_t *handle, int number) {
    worker_t *self = handle->data;
    (void)number;
    key_files_reload(self->keys);
}

static attempts_t *make_attempts(const auth_config_t *config, uint64_t per_account,
                                 uint64_t per_address) {
    attempts_settings_t settings = {
        .account = {(uint32_t)per_account, (uint32_t)per_account, ATTEMPTS_PERIOD_MS},
        .address = {(uint32_t)per_address, (uint32_t)per_address, ATTEMPTS_PERIOD_MS},
        .max_entries = config->attempts_remembered,
        .off = !config->rate_limit};
    return attempts_new(&settings);
}

static bool open_keys(worker_t *self) {
    const auth_config_t *config = self->config;
    key_files_settings_t settings = {.secret = config->jwt_secret,
                                     .secrets_file = config->jwt_secrets_file,
                                     .public_keys = config->jwt_public_keys,
                                     .jwks_file = config->jwks_file};
    if (key_files_new(service_loop(self->service), &settings, &self->keys) != OK)
        return false;
    if (config->jwt_secret && strlen(config->jwt_secret) < KEYS_SECRET_SAFE_BYTES)
        log_warn("short_secret", log_text("variable", "JWT_SECRET"),
                 log_u64("safe_bytes", KEYS_SECRET_SAFE_BYTES));
    self->authority =
        (authority_t){.keys = self->keys,
                      .rules = {.issuer = config->jwt_issuer, .audience = config->jwt_audience},
                      .ttl_ms = config->token_ttl_ms};
    return true;
}

static bool open_accounts(worker_t *self) {
    const auth_config_t *config = self->config;
    uv_loop_t *loop = service_loop(self->service);
    password_settings_t settings = {.memory_kib = config->password_memory_kib,
                                    .passes = config->password_passes,
                                    .threads = config->password_threads,
                                    .queue_max = config->password_queue};
    if (password_new(loop, &settings, &self->passwords) != OK) {
        log_error("passwords_impossible", log_u64("memory_kib", settings.memory_kib));
        return false;
    }
    self->store = store_new(loop, config->database_url, on_statement, self);
    self->logins = make_attempts(config, config->login_attempts_per_account,
                                 config->login_attempts_per_address);
    self->registrations =
        make_attempts(config, config->registrations_per_address, config->registrations_per_address);
    accounts_options_t options = {.authority = &self->authority,
                                  .passwords = self->passwords,
                                  .store = self->store,
                                  .logins = self->logins,
                                  .registrations = self->registrations,
                                  .registration_open = config->registration == REGISTRATION_OPEN,
                                  .reply = on_answer,
                                  .computed = on_computed,
                                  .ctx = self};
    self->accounts = accounts_new(&options);
    return true;
}

static void worker_stop(void *context) {
    worker_t *self = context;
    bus_client_close(&self->bus);
    key_files_free(&self->keys);
    password_free(&self->passwords);
    store_free(&self->store);
    accounts_free(&self->accounts);
    if (self->signals_open) {
        uv_close((uv_handle_t *)&self->hangup, NULL);
        uv_close((uv_handle_t *)&self->drain_timer, NULL);
    }
}

static void worker_free(void *context) {
    worker_t *self = context;
    attempts_free(&self->logins);
    attempts_free(&self->registrations);
    brokers_free(&self->brokers);
    proto_arena_free(&self->arena);
    metrics_free(&self->metrics);
    free(self);
}

static void open_signals(worker_t *self) {
    uv_loop_t *loop = service_loop(self->service);
    ASSERT(uv_signal_init(loop, &self->hangup) == 0);
    ASSERT(uv_timer_init(loop, &self->drain_timer) == 0);
    self->hangup.data = self->drain_timer.data = self;
    self->signals_open = true;
    if (uv_signal_start(&self->hangup, on_hangup, SIGHUP) != 0)
        log_warn("hangup_not_heard");
}

/* Room in libuv's pool for all password threads, two connections being made and the watch on files;
 * read by libuv when the first of them starts. */
static void size_thread_pool(const auth_config_t *config) {
    char size[24];
    snprintf(size, sizeof(size), "%llu", (unsigned long long)config->password_threads + 4);
    setenv("UV_THREADPOOL_SIZE", size, 0);
}

static void *worker_start(service_t *service, const void *config) {
    worker_t *self = xcalloc(1, sizeof(*self));
    self->service = service;
    self->config = config;
    size_thread_pool(self->config);
    self->metrics = auth_metrics_new();
    self->arena = proto_arena_new();
    if (open_keys(self) && open_accounts(self) && open_bus(self)) {
        open_signals(self);
        return self;
    }
    worker_stop(self);
    worker_free(self);
    return NULL;
}

static void on_drain_look(uv_timer_t *timer) {
    worker_t *self = timer->data;
    if (accounts_pending(self->accounts) == 0)
        service_stop(self->service, EXIT_CODE_OK);
}

/* Tokens are checked to the end; requests under way are finished. */
static void worker_drain(void *context, int64_t deadline_ms) {
    worker_t *self = context;
    (void)deadline_ms;
    self->draining = true;
    uv_timer_start(&self->drain_timer, on_drain_look, 0, DRAIN_LOOK_MS);
}

/* ---- what operators see ---- */

/* Ready from the first link on: a pause of a broker or of PostgreSQL is no reason to stop it. */
static bool worker_is_ready(void *context) {
    const worker_t *self = context;
    return self->linked;
}

static size_t worker_dependencies(void *context, health_dependency_t *dependencies_out) {
    const worker_t *self = context;
    size_t n = 0;
    dependencies_out[n++] =
        (health_dependency_t){.name = "postgresql", .state = store_state_name(self->store)};
    for (size_t i = 0; i < brokers_count(self->brokers) && n < HEALTH_DEPENDENCIES_MAX; i++)
        dependencies_out[n++] =
            (health_dependency_t){.name = brokers_endpoint(self->brokers, i),
                                  .state = bus_client_is_up(self->bus, i) ? "up" : "down"};
    return n;
}

static void worker_write_metrics(void *context, strbuf_t *text_out) {
    worker_t *self = context;
    const key_files_stats_t *loads = key_files_stats(self->keys);
    const struct {
        size_t id, series;
        uint64_t value;
    } now[] = {
        {METRIC_PASSWORD_PENDING, 0, password_pending(self->passwords)},
        {METRIC_ACCOUNTS_PENDING, 0, accounts_pending(self->accounts)},
        {METRIC_DATABASE_UP, 0, store_is_up(self->store)},
        {METRIC_DATABASE_PENDING, 0, store_pending(self->store)},
        {METRIC_ATTEMPTS_REMEMBERED, 0,
         attempts_entries(self->logins) + attempts_entries(self->registrations)},
        {METRIC_KEYS, 0, keys_count(key_files_keys(self->keys))},
        {METRIC_KEY_LOADS, 0, loads->reloads},
        {METRIC_KEY_LOADS, 1, loads->failures},
    };
    for (size_t i = 0; i < sizeof(now) / sizeof(now[0]); i++)
        metrics_set(self->metrics, now[i].id, now[i].series, (double)now[i].value);
    metrics_write(self->metrics, text_out);
    bus_metrics_write(self->bus, text_out);
}

const service_ops_t worker_ops = {
    .config = &auth_config_schema,
    .start = worker_start,
    .drain = worker_drain,
    .stop = worker_stop,
    .free = worker_free,
    .is_ready = worker_is_ready,
    .dependencies = worker_dependencies,
    .write_metrics = worker_write_metrics,
};
