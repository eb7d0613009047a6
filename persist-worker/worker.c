#include "persist-worker/worker.h"

#include <sodium.h>

#include "common/bus_metrics.h"
#include "common/clock.h"
#include "common/trace_log.h"
#include "persist-worker/reader.h"
#include "persist-worker/writer.h"

enum {
    DEFAULT_DEADLINE_MS = 15000, /* of a job that brings none */
    UPDATES_MAX = 20000,         /* conversations whose conversation_updated is being gathered */
};

typedef struct {
    service_t *service;
    const persist_config_t *config;
    brokers_t *brokers;
    bus_client_t *bus;
    metrics_t *stats;
    updates_t *updates;
    outbox_t *outbox;
    store_known_t known;
    db_config_t db_config;
    worker_parts_t parts;
    writer_t *writer;
    reader_t *reader;
    bool reading; /* the reader is open */
    bool draining;
    bool refused;
    uv_idle_t soon;   /* runs `turn` once, after everything of this turn of the loop is read */
    uv_timer_t later; /* runs `turn` when something is due */
    char application_name[64];
} worker_t;

/* ---- turns ---- */

static void wake(void *ctx);

static bool is_finished(const worker_t *self) {
    return self->draining && !writer_is_busy(self->writer) && !reader_is_busy(self->reader) &&
           outbox_is_told(self->outbox);
}

static void on_later(uv_timer_t *timer) {
    wake(timer->data);
}

static void turn(worker_t *self) {
    int64_t now_ms = clock_now_ms();
    if (!self->reading && writer_is_migrated(self->writer)) {
        self->reading = true;
        reader_open(self->reader);
    }
    writer_turn(self->writer, now_ms, self->draining);
    self->parts.holds_hints = writer_is_crowded(self->writer);
    reader_turn(self->reader, now_ms, self->draining);
    if (is_finished(self)) {
        service_stop(self->service, self->refused ? EXIT_CODE_FAILED : EXIT_CODE_OK);
        return;
    }
    int64_t writer_ms = writer_next_ms(self->writer);
    int64_t reader_ms = reader_next_ms(self->reader);
    int64_t next_ms = writer_ms < reader_ms ? writer_ms : reader_ms;
    if (next_ms == INT64_MAX || self->draining)
        return;
    uv_update_time(self->parts.loop);
    uv_timer_start(&self->later, on_later, next_ms > now_ms ? (uint64_t)(next_ms - now_ms) : 0, 0);
}

static void on_soon(uv_idle_t *idle) {
    uv_idle_stop(idle);
    turn(idle->data);
}

static void wake(void *ctx) {
    worker_t *self = ctx;
    uv_idle_start(&self->soon, on_soon);
}

/* ---- the links ---- */

static void on_up(void *ctx, size_t broker, uint64_t epoch) {
    worker_t *self = ctx;
    log_info("broker_up", log_text("broker", brokers_endpoint(self->brokers, broker)),
             log_u64("epoch", epoch));
    wake(self); /* what a drain waits for may be sent now */
}

static void on_down(void *ctx, size_t broker, const char *reason) {
    worker_t *self = ctx;
    log_warn("broker_down", log_text("broker", brokers_endpoint(self->brokers, broker)),
             log_text("reason", reason));
    writer_drop(self->writer, broker);
    reader_drop(self->reader, broker);
}

static void on_refused(void *ctx, size_t broker, unsigned reason) {
    worker_t *self = ctx;
    log_error("broker_refused", log_text("broker", brokers_endpoint(self->brokers, broker)),
              log_text("reason", dialer_refusal_text(reason)));
    self->refused = true;
    service_begin_drain(self->service);
}

/* Takes a job over, or refuses it at once. */
static void take(worker_t *self, size_t broker, const envelope_t *envelope) {
    const char *why = NULL;
    job_t *job = job_new(envelope, broker, bus_client_epoch(self->bus, broker), clock_now_ms(),
                         DEFAULT_DEADLINE_MS);
    code_t code = job_check(job, self->parts.arena, &why);
    if (code) {
        log_refused("job_refused", log_text("type", proto_name(envelope->type)),
                    log_str("room", envelope->room), log_trace(&envelope->trace),
                    log_text("code", code_name(code)), log_text("reason", why));
        outbox_refuse(self->outbox, job, code, why);
        job_free(&job);
        return;
    }
    if (envelope->type == MSG_SEND) {
        uint8_t random[IDGEN_RANDOM_BYTES];
        randombytes_buf(random, sizeof(random));
        job->id = idgen_uuid7(clock_unix_ms(), random);
    }
    if (job_is_write(envelope->type))
        writer_add(self->writer, job);
    else
        reader_add(self->reader, job);
    wake(self);
}

static void on_deliver(void *ctx, size_t broker, const envelope_t *envelope) {
    worker_t *self = ctx;
    if (self->draining)
        return; /* the broker gives it to another when this worker says goodbye */
    if (!envelope->request_id || (envelope->flags & ENVELOPE_REPLY) ||
        !(job_is_write(envelope->type) || job_is_read(envelope->type))) {
        log_refused("no_job", log_u64("type", envelope->type));
        return;
    }
    take(self, broker, envelope);
}

static const bus_client_handler_t bus_handler = {on_up, on_down, on_deliver, on_refused};

/* ---- life ---- */

static err_t open_bus(worker_t *self) {
    const config_common_t *common = &self->config->common;
    const char *why;
    strbuf_t list = {0};
    for (size_t i = 0; i < common->brokers.n; i++) {
        if (i > 0)
            strbuf_append_char(&list, ',');
        strbuf_append(&list, str_from(common->brokers.items[i]));
    }
    err_t err = brokers_new(strbuf_str(&list), &self->brokers, &why);
    strbuf_fini(&list);
    if (err) {
        log_error("bad_brokers", log_text("reason", why));
        return err;
    }
    bus_client_config_t config = {.brokers = self->brokers,
                                  .role = ROLE_PERSIST,
                                  .name = common->instance,
                                  .write_credit = (uint16_t)self->config->write_credit,
                                  .read_credit = (uint16_t)self->config->read_credit,
                                  .max_pending_bytes = self->config->result_bytes,
                                  .max_pending = self->config->results_max,
                                  .keys_directory = common->bus_keys};
    err = bus_client_new(service_loop(self->service), &config, &bus_handler, self, &self->bus);
    if (err) {
        log_error("bus_failed", log_err(err));
        brokers_free(&self->brokers);
    }
    return err;
}

static void build(worker_t *self) {
    const persist_config_t *config = self->config;
    snprintf(self->application_name, sizeof(self->application_name), "parley/%s",
             config->common.instance);
    self->db_config = (db_config_t){.url = config->database_url,
                                    .application_name = self->application_name,
                                    .statement_timeout_ms = config->statement_timeout_ms,
                                    .lock_timeout_ms = config->lock_timeout_ms};
    self->known.users = seen_new(config->known_users);
    self->known.conversations = seen_new(config->known_users);
    self->updates = updates_new(UPDATES_MAX);
    self->stats = stats_new();
    self->outbox = outbox_new(self->bus, self->stats, wake, self);
    self->parts = (worker_parts_t){.loop = service_loop(self->service),
                                   .config = config,
                                   .db_config = &self->db_config,
                                   .outbox = self->outbox,
                                   .updates = self->updates,
                                   .stats = self->stats,
                                   .known = &self->known,
                                   .arena = proto_arena_new(),
                                   .brokers = brokers_count(self->brokers),
                                   .wake = wake,
                                   .ctx = self};
    uv_idle_init(self->parts.loop, &self->soon);
    uv_timer_init(self->parts.loop, &self->later);
    self->soon.data = self->later.data = self;
    self->writer = writer_new(&self->parts);
    self->reader = reader_new(&self->parts);
}

static void *start(service_t *service, const void *config) {
    worker_t *self = xcalloc(1, sizeof(*self));
    self->service = service;
    self->config = config;
    if (open_bus(self) != OK) {
        free(self);
        return NULL;
    }
    build(self);
    return self;
}

static void drain(void *ctx, int64_t deadline_ms) {
    (void)deadline_ms; /* what is under way ends by its own timeouts, or the frame ends it */
    worker_t *self = ctx;
    self->draining = true;
    wake(self);
}

static void stop(void *ctx) {
    worker_t *self = ctx;
    bus_client_close(&self->bus);
    writer_close(self->writer);
    reader_close(self->reader);
    uv_close((uv_handle_t *)&self->soon, NULL);
    uv_close((uv_handle_t *)&self->later, NULL);
}

static void free_worker(void *ctx) {
    worker_t *self = ctx;
    writer_free(&self->writer);
    reader_free(&self->reader);
    outbox_free(&self->outbox);
    updates_free(&self->updates);
    seen_free(&self->known.users);
    seen_free(&self->known.conversations);
    proto_arena_free(&self->parts.arena);
    metrics_free(&self->stats);
    brokers_free(&self->brokers);
    free(self);
}

/* ---- what is told about it ---- */

static bool is_ready(void *ctx) {
    const worker_t *self = ctx;
    bool any_up = false;
    for (size_t i = 0; i < brokers_count(self->brokers); i++)
        any_up = any_up || bus_client_is_up(self->bus, i);
    return any_up && writer_is_migrated(self->writer);
}

static size_t dependencies(void *ctx, health_dependency_t *out) {
    const worker_t *self = ctx;
    size_t n = 0;
    out[n++] = (health_dependency_t){.name = "postgresql",
                                     .state = writer_is_connected(self->writer) ? "up" : "down"};
    for (size_t i = 0; i < brokers_count(self->brokers) && n < HEALTH_DEPENDENCIES_MAX; i++)
        out[n++] = (health_dependency_t){.name = brokers_endpoint(self->brokers, i),
                                         .state = bus_client_is_up(self->bus, i) ? "up" : "down"};
    return n;
}

static void write_metrics(void *ctx, strbuf_t *text_out) {
    worker_t *self = ctx;
    writer_write_stats(self->writer);
    reader_write_stats(self->reader);
    metrics_set(self->stats, STATS_FACTS_PENDING, 0, (double)outbox_pending(self->outbox));
    metrics_set(self->stats, STATS_UPDATES_WAITING, 0, (double)updates_count(self->updates));
    metrics_set(self->stats, STATS_UPDATES_DROPPED, 0, (double)updates_dropped(self->updates));
    metrics_set(self->stats, STATS_KNOWN_USERS, 0, (double)seen_count(self->known.users));
    metrics_write(self->stats, text_out);
    bus_metrics_write(self->bus, text_out);
}

const service_ops_t worker_ops = {
    .config = &persist_config_schema,
    .start = start,
    .drain = drain,
    .stop = stop,
    .free = free_worker,
    .is_ready = is_ready,
    .dependencies = dependencies,
    .write_metrics = write_metrics,
};
