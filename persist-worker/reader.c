#include "persist-worker/reader.h"

#include "common/clock.h"
#include "common/trace_log.h"
#include "persist-worker/hints.h"
#include "persist-worker/read_job.h"
#include "persist-worker/sqlstate.h"

struct reader {
    const worker_parts_t *parts;
    read_queue_t *queue;
    read_line_t *lines;
    size_t n;
    size_t max_jobs;
    bool hints_out;
    answers_t answers;
};

static stats_read_t kind_of(const read_line_t *line) {
    switch (line->hints ? 0 : line->job->envelope.type) {
    case MSG_JOIN:
        return STATS_JOIN;
    case MSG_HISTORY:
        return STATS_HISTORY;
    case MSG_HEADS:
        return STATS_HEADS;
    case MSG_LIST_CONVERSATIONS:
        return STATS_LIST;
    case MSG_GET_CONVERSATION:
        return STATS_CONVERSATION;
    case MSG_GET_USER:
        return STATS_USER;
    case MSG_LOAD_GROUP:
        return STATS_GROUP;
    case MSG_CHANGES:
        return STATS_CHANGES;
    default:
        return STATS_UPDATES;
    }
}

/* Nothing was read. What may pass is tried again, until the job's deadline. */
static void fail(read_line_t *line, const db_outcome_t *outcome) {
    job_t *job = line->job;
    sqlstate_kind_t kind =
        outcome->status == DB_LOST ? SQLSTATE_AWAY : sqlstate_kind(outcome->sqlstate);
    log_refused("read_failed", log_text("type", proto_name(job->envelope.type)),
                log_trace(&job->envelope.trace), log_str("sqlstate", outcome->sqlstate),
                log_str("reason", outcome->message));
    if (kind == SQLSTATE_FAULT) {
        read_job_refuse(line, CODE_INTERNAL, "the request could not be answered");
    } else if (++job->attempts >= READ_ATTEMPTS && kind == SQLSTATE_RETRY) {
        read_job_refuse(line, CODE_UNAVAILABLE, "the database is busy");
    } else {
        line->job = NULL;
        PQclear(line->first);
        line->first = NULL;
        read_queue_retry(line->queue, job, clock_now_ms() + READ_RETRY_MS);
    }
}

static void finish_hints(read_line_t *line, const db_outcome_t *outcome) {
    line->hints = false;
    ((reader_t *)line->reader)->hints_out = false;
    if (outcome->status == DB_OK)
        hints_send(line->parts->outbox, outcome);
}

static void on_done(void *arg, const db_outcome_t *outcome);

static void run(read_line_t *line) {
    line->began_ns = uv_hrtime();
    db_run(line->db, &line->script, on_done, line);
}

static void on_done(void *arg, const db_outcome_t *outcome) {
    read_line_t *line = arg;
    metrics_t *stats = line->parts->stats;
    uint64_t took_ns = uv_hrtime() - line->began_ns;
    static const stats_status_t statuses[] = {
        [DB_OK] = STATS_OK, [DB_FAILED] = STATS_FAILED, [DB_LOST] = STATS_LOST};
    metrics_increment(
        stats, STATS_TRANSACTIONS,
        metrics_series(stats, STATS_TRANSACTIONS, STATS_READ, statuses[outcome->status]));
    metrics_observe(stats, STATS_READ_SECONDS, kind_of(line), (double)took_ns / 1e9);
    if (line->job)
        log_step(&line->job->envelope.trace, "read",
                 log_text("type", proto_name(line->job->envelope.type)),
                 log_str("room", line->job->envelope.room), log_u64("took_us", took_ns / 1000));
    if (line->hints)
        finish_hints(line, outcome);
    else if (outcome->status != DB_OK)
        fail(line, outcome);
    else if (read_job_answer(line, outcome))
        run(line);
    line->parts->wake(line->parts->ctx);
}

/* ---- running ---- */

static bool is_free(const read_line_t *line) {
    return line->db && db_is_ready(line->db) && !line->job && !line->hints;
}

/* Gives a free connection something to do; false when there is nothing. */
static bool start(read_line_t *line, int64_t now_ms) {
    reader_t *self = line->reader;
    const update_t *updates;
    line->job = read_queue_take(self->queue, now_ms);
    if (line->job) {
        if (read_job_script(line))
            run(line);
        else
            read_job_refuse(line, CODE_INVALID_PAYLOAD, "no such cursor");
        return true;
    }
    if (self->hints_out || self->parts->holds_hints)
        return false;
    size_t n = updates_take(self->parts->updates, now_ms, &updates);
    if (n == 0)
        return false;
    line->hints = self->hints_out = true;
    hints_script(&line->script, updates, n);
    run(line);
    return true;
}

static void refuse_busy(reader_t *self, job_t *job, stats_refusal_t why, const char *message) {
    metrics_t *stats = self->parts->stats;
    metrics_increment(stats, STATS_REFUSED, metrics_series(stats, STATS_REFUSED, STATS_READ, why));
    outbox_refuse(self->parts->outbox, job, CODE_UNAVAILABLE, message);
    job_free(&job);
}

void reader_turn(reader_t *self, int64_t now_ms, bool finishing) {
    job_t *overdue;
    while ((overdue = read_queue_expire(self->queue, now_ms)))
        refuse_busy(self, overdue, STATS_OVERDUE, "the database is away or busy");
    for (size_t i = 0; i < self->n && !finishing; i++) {
        while (is_free(&self->lines[i])) {
            if (!start(&self->lines[i], now_ms))
                return;
        }
    }
}

void reader_add(reader_t *self, job_t *job) {
    if (read_queue_add(self->queue, job) == OK)
        return;
    refuse_busy(self, job, STATS_QUEUE_FULL, "too many reads wait");
}

void reader_drop(reader_t *self, size_t broker) {
    job_t *job;
    while ((job = read_queue_drop(self->queue, broker)))
        job_free(&job);
}

int64_t reader_next_ms(const reader_t *self) {
    int64_t jobs_ms = read_queue_next_ms(self->queue);
    bool hints_wait = self->hints_out || self->parts->holds_hints;
    int64_t hints_ms = hints_wait ? INT64_MAX : updates_next_ms(self->parts->updates);
    for (size_t i = 0; i < self->n; i++) {
        if (is_free(&self->lines[i]))
            return jobs_ms < hints_ms ? jobs_ms : hints_ms;
    }
    return jobs_ms;
}

/* ---- connections ---- */

static read_line_t *line_of(reader_t *self, const db_t *db) {
    for (size_t i = 0; i < self->n; i++) {
        if (self->lines[i].db == db)
            return &self->lines[i];
    }
    return NULL;
}

static void on_ready(void *ctx, db_t *db) {
    reader_t *self = ctx;
    line_of(self, db)->connected = true;
    self->parts->wake(self->parts->ctx);
}

static void on_lost(void *ctx, db_t *db, const char *why) {
    reader_t *self = ctx;
    read_line_t *line = line_of(self, db);
    if (line->connected)
        log_refused("database_lost", log_text("class", "read"), log_text("reason", why));
    line->connected = false;
    self->parts->wake(self->parts->ctx);
}

static const db_handler_t handler = {NULL, on_ready, on_lost};

reader_t *reader_new(const worker_parts_t *parts) {
    reader_t *self = xcalloc(1, sizeof(*self));
    const persist_config_t *config = parts->config;
    self->parts = parts;
    self->n = config->read_connections;
    self->max_jobs = config->read_credit * parts->brokers;
    self->queue = read_queue_new(self->max_jobs, config->queue_bytes);
    self->lines = xcalloc(self->n, sizeof(*self->lines));
    for (size_t i = 0; i < self->n; i++) {
        self->lines[i].parts = parts;
        self->lines[i].reader = self;
        self->lines[i].queue = self->queue;
        self->lines[i].answers = &self->answers;
    }
    metrics_set(parts->stats, STATS_QUEUE_JOBS_LIMIT, STATS_READ, (double)self->max_jobs);
    metrics_set(parts->stats, STATS_QUEUE_BYTES_LIMIT, STATS_READ, (double)config->queue_bytes);
    return self;
}

void reader_open(reader_t *self) {
    for (size_t i = 0; i < self->n; i++) {
        if (!self->lines[i].db)
            self->lines[i].db = db_new(self->parts->loop, self->parts->db_config, &handler, self);
    }
}

void reader_close(reader_t *self) {
    for (size_t i = 0; i < self->n; i++)
        db_close(&self->lines[i].db);
}

void reader_free(reader_t **self_in) {
    reader_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    for (size_t i = 0; i < self->n; i++) {
        read_job_end(&self->lines[i]);
        db_script_fini(&self->lines[i].script);
    }
    read_queue_free(&self->queue);
    answers_fini(&self->answers);
    free(self->lines);
    free(self);
}

bool reader_is_busy(const reader_t *self) {
    for (size_t i = 0; i < self->n; i++) {
        if (self->lines[i].job || self->lines[i].hints)
            return true;
    }
    return false;
}

void reader_write_stats(const reader_t *self) {
    metrics_t *stats = self->parts->stats;
    uint64_t connects = 0, connected = 0;
    for (size_t i = 0; i < self->n; i++) {
        if (!self->lines[i].db)
            continue;
        connects += db_connects(self->lines[i].db);
        connected += db_is_connected(self->lines[i].db);
    }
    metrics_set(stats, STATS_QUEUE_JOBS, STATS_READ, (double)read_queue_count(self->queue));
    metrics_set(stats, STATS_QUEUE_BYTES, STATS_READ, (double)read_queue_bytes(self->queue));
    metrics_set(stats, STATS_CONNECTS, STATS_READ, (double)connects);
    metrics_set(stats, STATS_DATABASE_UP, STATS_READ, (double)connected);
}
