#include "persist-worker/writer.h"

#include "common/clock.h"
#include "common/ids.h"
#include "common/trace_log.h"
#include "persist-worker/migrate.h"
#include "persist-worker/sqlstate.h"

struct writer {
    const worker_parts_t *parts;
    batches_t *batches;
    size_t max_jobs;
    migrate_t *migrate;
    db_t *db;
    db_script_t script;
    batch_t batch; /* that is out */
    store_layout_t layout;
    store_written_t *written;
    bool running;
    bool connected;
    int64_t pause_until_ms; /* 0: no pause */
    uint64_t began_ns;
    answers_t answers;
};

enum { AWAY_PAUSE_MS = 250 }; /* before the next try when the server can't write */

static void refuse(writer_t *self, job_t *job, code_t code, const char *message) {
    outbox_refuse(self->parts->outbox, job, code, message);
    job_free(&job);
}

static void refuse_busy(writer_t *self, job_t *job, stats_refusal_t why, const char *message) {
    metrics_t *stats = self->parts->stats;
    metrics_increment(stats, STATS_REFUSED, metrics_series(stats, STATS_REFUSED, STATS_WRITE, why));
    refuse(self, job, CODE_UNAVAILABLE, message);
}

/* Ends a job of the batch with an error. */
static void refuse_out(writer_t *self, job_t *job, code_t code, const char *message) {
    batches_done(self->batches, job);
    refuse(self, job, code, message);
}

/* A user that the job is about isn't known (yet). */
static void miss(writer_t *self, job_t *job, const char *message) {
    int64_t retry_ms = job_look_again(job, clock_now_ms());
    if (retry_ms)
        batches_hold(self->batches, job, retry_ms);
    else
        refuse_out(self, job, CODE_NOT_FOUND, message);
}

/* ---- results of a batch ---- */

static void answer_sent(writer_t *self, job_t *job, const store_written_t *written) {
    const worker_parts_t *parts = self->parts;
    bool duplicate = written->outcome == STORE_UNCHANGED;
    strbuf_clear(&self->answers.json);
    strbuf_clear(&self->answers.body);
    entities_append_message(&self->answers.json, &written->message);
    proto_stored_t stored = {.job = job->envelope.request_id,
                             .epoch = job->epoch,
                             .seq = (uint64_t)written->seq,
                             .message = strbuf_str(&self->answers.json),
                             .duplicate = duplicate,
                             .committed_ms = duplicate ? 0 : (uint64_t)clock_unix_ms()};
    proto_stored_encode(&stored, &self->answers.body);
    log_step(&job->envelope.trace, "message_stored", log_str("room", job->envelope.room),
             log_i64("seq", written->seq), log_u64("duplicate", duplicate));
    outbox_fact(parts->outbox, job, MSG_STORED, strbuf_str(&self->answers.body));
    if (duplicate)
        metrics_increment(parts->stats, STATS_DUPLICATES, 0);
    /* A repeated one, too: the worker that stored it may have died before it told anybody. */
    updates_add(parts->updates, job->envelope.room, (str_t){"", 0}, clock_now_ms());
}

static void answer_marked(writer_t *self, job_t *job, const store_written_t *written) {
    bool advanced = written->outcome == STORE_NEW;
    proto_read_marked_t marked = {.job = job->envelope.request_id,
                                  .epoch = job->epoch,
                                  .seq = (uint64_t)written->seq,
                                  .read_at_ms = (uint64_t)written->at_ms,
                                  .advanced = advanced};
    strbuf_clear(&self->answers.body);
    proto_read_marked_encode(&marked, &self->answers.body);
    outbox_fact(self->parts->outbox, job, MSG_READ_MARKED, strbuf_str(&self->answers.body));
    if (advanced)
        updates_add(self->parts->updates, job->envelope.room, job->envelope.user, clock_now_ms());
}

static void answer_batched(writer_t *self, job_t *job, const store_written_t *written) {
    bool is_group = ids_parse_room(job->envelope.room).kind == IDS_GROUP;
    if (written->outcome == STORE_NOT_PARTICIPANT ||
        (written->outcome == STORE_NO_CONVERSATION && is_group)) {
        refuse_out(self, job, CODE_FORBIDDEN, "not a participant of this conversation");
        return;
    }
    if (written->outcome == STORE_NO_CONVERSATION) {
        miss(self, job, "no such user");
        return;
    }
    if (written->outcome == STORE_NO_REPLY_TARGET) {
        refuse_out(self, job, CODE_NOT_FOUND, "replyTo is no message of this conversation");
        return;
    }
    batches_done(self->batches, job);
    if (job->envelope.type == MSG_SEND)
        answer_sent(self, job, written);
    else if (job->envelope.type == MSG_MARK_READ)
        answer_marked(self, job, written);
    else
        outbox_done(self->parts->outbox, job);
    job_free(&job);
}

static void answer_batch(writer_t *self, const db_outcome_t *outcome) {
    batch_t batch = self->batch;
    store_batch_read(&batch, self->layout, outcome, self->written);
    store_batch_known(&batch, self->written, self->parts->known);
    for (size_t i = 0; i < batch.n; i++)
        answer_batched(self, batch.jobs[i], &self->written[i]);
}

/* ---- results of a job that came alone ---- */

static void tell_added(writer_t *self, const job_t *job, const store_alone_t *result,
                       const db_outcome_t *outcome) {
    strbuf_clear(&self->answers.json);
    /* They have read nothing of it yet. */
    store_view_append(outcome->results + result->view, job->envelope.room, 0, &self->answers.json);
    outbox_told_t told = {.conversation = job->envelope.room,
                          .payload = strbuf_str(&self->answers.json),
                          .at_ms = store_view_time_ms(outcome->results + result->view),
                          .trace = job->envelope.trace,
                          .version = result->members_version};
    for (size_t i = 0; i < result->user_count; i++)
        outbox_event(self->parts->outbox, STATS_ADDED, result->users[i], &told);
}

static void tell_removed(writer_t *self, const job_t *job, const store_alone_t *result,
                         const db_outcome_t *outcome) {
    strbuf_clear(&self->answers.json);
    entities_append_removal(&self->answers.json, job->envelope.room);
    outbox_event(self->parts->outbox, STATS_REMOVED, result->users[0],
                 &(outbox_told_t){.conversation = job->envelope.room,
                                  .payload = strbuf_str(&self->answers.json),
                                  .at_ms = store_view_time_ms(outcome->results + result->view),
                                  .trace = job->envelope.trace,
                                  .version = result->members_version});
}

/* Writes the conversation as the caller sees it into answers.json. */
static void write_view(writer_t *self, const job_t *job, const store_alone_t *result,
                       const db_outcome_t *outcome) {
    strbuf_clear(&self->answers.json);
    if (!result->has_view)
        return;
    store_conversation_t seen;
    store_conversation_read(outcome->results[result->view], job->envelope.room, &seen);
    store_view_append(outcome->results + result->view, job->envelope.room, seen.read_seq,
                      &self->answers.json);
}

static void answer_members(writer_t *self, const job_t *job, const store_alone_t *result,
                           const db_outcome_t *outcome) {
    bool added = job->envelope.type == MSG_ADD_PARTICIPANTS;
    proto_texts_t users = {result->users, result->user_count};
    proto_members_changed_t changed = {.job = job->envelope.request_id,
                                       .epoch = job->epoch,
                                       .members_version = (uint64_t)result->members_version};
    *(added ? &changed.added : &changed.removed) = users;
    write_view(self, job, result, outcome);
    changed.json = strbuf_str(&self->answers.json);
    strbuf_clear(&self->answers.body);
    proto_members_changed_encode(&changed, &self->answers.body);
    outbox_fact(self->parts->outbox, job, MSG_MEMBERS_CHANGED, strbuf_str(&self->answers.body));
    if (added)
        tell_added(self, job, result, outcome);
    else
        tell_removed(self, job, result, outcome);
}

static void answer_done_alone(writer_t *self, const job_t *job, const store_alone_t *result,
                              const db_outcome_t *outcome) {
    switch (job->envelope.type) {
    case MSG_LAST_SEEN:
        outbox_done(self->parts->outbox, job);
        return;
    case MSG_PUT_USER:
        strbuf_clear(&self->answers.json);
        entities_append_user(&self->answers.json, ids_parse_room(job->envelope.room).user,
                             job->body.put_user.name, job->body.put_user.role);
        break;
    case MSG_CREATE_CONVERSATION:
        tell_added(self, job, result, outcome);
        write_view(self, job, result, outcome);
        break;
    default:
        answer_members(self, job, result, outcome);
        return;
    }
    answers_json(&self->answers, result->created);
    outbox_reply(self->parts->outbox, job, MSG_JSON, strbuf_str(&self->answers.body));
}

static void answer_alone(writer_t *self, const db_outcome_t *outcome) {
    job_t *job = self->batch.jobs[0];
    store_alone_t result;
    store_alone_read(job, outcome, &result);
    if (result.code == CODE_NOT_FOUND && job->envelope.type != MSG_REMOVE_PARTICIPANT) {
        miss(self, job, result.message);
    } else if (result.code) {
        refuse_out(self, job, result.code, result.message);
    } else {
        batches_done(self->batches, job);
        answer_done_alone(self, job, &result, outcome);
        job_free(&job);
    }
    store_alone_fini(&result);
}

/* ---- failures ---- */

static batch_failure_t failure_of(writer_t *self, const db_outcome_t *outcome) {
    if (outcome->status == DB_LOST)
        return BATCH_LOST;
    switch (sqlstate_kind(outcome->sqlstate)) {
    case SQLSTATE_RETRY:
        return BATCH_AGAIN;
    case SQLSTATE_AWAY:
        self->pause_until_ms = clock_now_ms() + AWAY_PAUSE_MS;
        return BATCH_AWAY;
    default:
        return BATCH_SPLIT;
    }
}

static void fail_batch(writer_t *self, const db_outcome_t *outcome) {
    static const stats_retry_t reasons[] = {[BATCH_AGAIN] = STATS_AGAIN,
                                            [BATCH_SPLIT] = STATS_SPLIT,
                                            [BATCH_AWAY] = STATS_AWAY,
                                            [BATCH_LOST] = STATS_UNSURE};
    batch_failure_t failure = failure_of(self, outcome);
    metrics_increment(self->parts->stats, STATS_RETRIES, reasons[failure]);
    log_refused("batch_failed", log_str("sqlstate", outcome->sqlstate),
                log_str("reason", outcome->message), log_u64("jobs", self->batch.n));
    job_t *offender = batches_failed(self->batches, failure);
    if (!offender)
        return;
    if (failure == BATCH_AGAIN) {
        refuse(self, offender, CODE_UNAVAILABLE, "the conversation is busy");
        return;
    }
    log_error("job_failed", log_text("type", proto_name(offender->envelope.type)),
              log_str("room", offender->envelope.room), log_trace(&offender->envelope.trace),
              log_str("sqlstate", outcome->sqlstate));
    refuse(self, offender, CODE_INTERNAL, "the request could not be stored");
}

/* ---- running ---- */

static void log_transaction(const writer_t *self, const db_outcome_t *outcome, uint64_t took_ns) {
    static const char *const words[] = {
        [DB_OK] = "committed", [DB_FAILED] = "refused", [DB_LOST] = "lost"};
    int64_t now_ms = clock_now_ms();
    for (size_t i = 0; i < self->batch.n; i++) {
        const job_t *job = self->batch.jobs[i];
        log_step(&job->envelope.trace, "transaction", log_text("outcome", words[outcome->status]),
                 log_text("type", proto_name(job->envelope.type)),
                 log_str("room", job->envelope.room), log_u64("jobs", self->batch.n),
                 log_u64("took_us", took_ns / 1000),
                 log_i64("since_arrival_ms", now_ms - job->arrived_ms));
    }
}

static void count_committed(const writer_t *self) {
    int64_t now_ms = clock_now_ms();
    for (size_t i = 0; i < self->batch.n; i++)
        metrics_observe(self->parts->stats, STATS_WRITE_SECONDS, 0,
                        (double)(now_ms - self->batch.jobs[i]->arrived_ms) / 1000);
}

static void count_transaction(const writer_t *self, const db_outcome_t *outcome, uint64_t took_ns) {
    metrics_t *stats = self->parts->stats;
    static const stats_status_t statuses[] = {
        [DB_OK] = STATS_OK, [DB_FAILED] = STATS_FAILED, [DB_LOST] = STATS_LOST};
    metrics_increment(
        stats, STATS_TRANSACTIONS,
        metrics_series(stats, STATS_TRANSACTIONS, STATS_WRITE, statuses[outcome->status]));
    metrics_observe(stats, STATS_BATCH_SECONDS, 0, (double)took_ns / 1e9);
    if (outcome->status == DB_OK)
        count_committed(self);
}

static void on_done(void *arg, const db_outcome_t *outcome) {
    writer_t *self = arg;
    uint64_t took_ns = uv_hrtime() - self->began_ns;
    self->running = false;
    log_transaction(self, outcome, took_ns);
    count_transaction(self, outcome, took_ns);
    if (outcome->status != DB_OK)
        fail_batch(self, outcome);
    else if (job_is_batched(self->batch.jobs[0]->envelope.type))
        answer_batch(self, outcome);
    else
        answer_alone(self, outcome);
    self->parts->wake(self->parts->ctx);
}

static void run_batch(writer_t *self) {
    if (job_is_batched(self->batch.jobs[0]->envelope.type))
        self->layout = store_batch_script(&self->batch, self->parts->known, &self->script);
    else
        store_alone_script(self->batch.jobs[0], self->parts->arena, &self->script);
    if (self->script.n == 0) {
        answer_batch(self, &(db_outcome_t){.status = DB_OK});
        return;
    }
    metrics_observe(self->parts->stats, STATS_BATCH_ROWS, 0, (double)self->batch.n);
    self->running = true;
    self->began_ns = uv_hrtime();
    db_run(self->db, &self->script, on_done, self);
}

void writer_turn(writer_t *self, int64_t now_ms, bool finishing) {
    job_t *overdue;
    while ((overdue = batches_expire(self->batches, now_ms)))
        refuse_busy(self, overdue, STATS_OVERDUE, "the database is away or busy");
    if (now_ms >= self->pause_until_ms)
        self->pause_until_ms = 0;
    while (!finishing && !self->running && db_is_ready(self->db) && !self->pause_until_ms) {
        self->batch = batches_next(self->batches, now_ms);
        if (self->batch.n == 0)
            return;
        run_batch(self);
    }
}

void writer_add(writer_t *self, job_t *job) {
    if (batches_add(self->batches, job) != OK)
        refuse_busy(self, job, STATS_QUEUE_FULL, "too many writes wait");
}

void writer_drop(writer_t *self, size_t broker) {
    job_t *job;
    while ((job = batches_drop(self->batches, broker)))
        job_free(&job);
}

int64_t writer_next_ms(const writer_t *self) {
    int64_t next_ms = batches_next_ms(self->batches);
    bool pausing = self->pause_until_ms && self->pause_until_ms < next_ms;
    return pausing ? self->pause_until_ms : next_ms;
}

/* ---- connection ---- */

static void on_set_up(void *ctx, db_t *db) {
    writer_t *self = ctx;
    migrate_run(self->migrate, db);
}

static void on_ready(void *ctx, db_t *db) {
    (void)db;
    writer_t *self = ctx;
    if (!self->connected)
        log_info("database_connected", log_text("class", "write"));
    self->connected = true;
    self->parts->wake(self->parts->ctx);
}

static void on_lost(void *ctx, db_t *db, const char *why) {
    (void)db;
    writer_t *self = ctx;
    if (self->connected)
        log_warn("database_lost", log_text("class", "write"), log_text("reason", why));
    else
        log_refused("database_unreachable", log_text("class", "write"), log_text("reason", why));
    self->connected = false;
    /* It may come back as another one, restored from a backup. */
    seen_clear(self->parts->known->users);
    seen_clear(self->parts->known->conversations);
    self->parts->wake(self->parts->ctx);
}

static const db_handler_t handler = {on_set_up, on_ready, on_lost};

writer_t *writer_new(const worker_parts_t *parts) {
    writer_t *self = xcalloc(1, sizeof(*self));
    const persist_config_t *config = parts->config;
    batch_limits_t limits = {
        .rows = config->batch_rows,
        .bytes = config->batch_bytes,
        .queue_jobs = config->write_credit * parts->brokers,
        .queue_bytes = config->queue_bytes,
    };
    self->parts = parts;
    self->max_jobs = limits.queue_jobs;
    self->batches = batches_new(&limits);
    self->written = xcalloc(limits.rows, sizeof(*self->written));
    self->migrate = migrate_new();
    self->db = db_new(parts->loop, parts->db_config, &handler, self);
    metrics_set(parts->stats, STATS_QUEUE_JOBS_LIMIT, STATS_WRITE, (double)limits.queue_jobs);
    metrics_set(parts->stats, STATS_QUEUE_BYTES_LIMIT, STATS_WRITE, (double)limits.queue_bytes);
    return self;
}

void writer_close(writer_t *self) {
    db_close(&self->db);
}

void writer_free(writer_t **self_in) {
    writer_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    batches_free(&self->batches);
    migrate_free(&self->migrate);
    db_script_fini(&self->script);
    answers_fini(&self->answers);
    free(self->written);
    free(self);
}

bool writer_is_busy(const writer_t *self) {
    return self->running;
}

bool writer_is_connected(const writer_t *self) {
    return self->connected;
}

bool writer_is_crowded(const writer_t *self) {
    return batches_count(self->batches) > self->max_jobs / 2 ||
           batches_bytes(self->batches) > self->parts->config->queue_bytes / 2;
}

bool writer_is_migrated(const writer_t *self) {
    return migrate_is_done(self->migrate);
}

void writer_write_stats(const writer_t *self) {
    metrics_t *stats = self->parts->stats;
    metrics_set(stats, STATS_QUEUE_JOBS, STATS_WRITE, (double)batches_count(self->batches));
    metrics_set(stats, STATS_QUEUE_BYTES, STATS_WRITE, (double)batches_bytes(self->batches));
    metrics_set(stats, STATS_CONNECTS, STATS_WRITE, (double)db_connects(self->db));
    metrics_set(stats, STATS_DATABASE_UP, STATS_WRITE, db_is_connected(self->db));
}
