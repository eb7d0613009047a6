#include "worker_part.h"

#include "bus.h"
#include "common/ids.h"
#include "persist-worker/batch.h"
#include "persist-worker/read_queue.h"
#include "worker_answers.h"

enum {
    TICK_MS = 100,
    READ_LINES = 2,
    BATCH_ROWS = 16,
    AWAY_PAUSE_MS = 250,
    READ_RETRY_MS = 200,
    FACT_TIMEOUT_MS = 600000,
    DEFAULT_DEADLINE_MS = 15000,
    QUEUE_BYTES = 1 << 20,
};

/* A batch that PostgreSQL works on: copies, as it goes on when the worker is gone. */
typedef struct {
    worker_part_t *worker;
    store_t *store;
    size_t n;
    job_t *jobs[BATCH_ROWS];
    worker_written_t written[BATCH_ROWS];
} write_t;

/* A read that PostgreSQL works on; `job` is the worker's. */
typedef struct {
    worker_part_t *worker;
    size_t line;
    job_t *job;
    worker_read_t read;
} read_t;

struct worker_part {
    worker_part_config_t config;
    char name[24];
    uint64_t lives;
    process_t process;
    event_t tick, turn, restart;
    bool is_alive, must_end;
    bus_t *bus;
    batch_limits_t limits;
    batches_t *batches;
    batch_t batch; /* that is out */
    transaction_t *writing;
    int64_t pause_until_ms;
    read_queue_t *reads;
    transaction_t *lines[READ_LINES];
    worker_answers_t answers;
};

static void wake(worker_part_t *self) {
    if (self->is_alive)
        world_after(self->config.world, &self->turn, 0);
}

static int64_t now_of(const worker_part_t *self) {
    return self->config.world->now_ms;
}

/* ---- what it tells (outbox.c) ---- */

static void reply(worker_part_t *self, const job_t *job, const envelope_t *answer) {
    if (bus_epoch(self->bus, job->broker) == job->epoch)
        bus_reply(self->bus, job->broker, &job->envelope, answer);
}

static void refuse(worker_part_t *self, job_t *job, code_t code) {
    envelope_t answer = {
        .type = MSG_ERROR, .code = (uint16_t)code, .body = worker_answers_error(&self->answers)};
    store_note_refusal(&self->config.database->store, job->envelope.room, job->envelope.user);
    reply(self, job, &answer);
    job_free(&job);
}

static void on_confirmed(void *arg, err_t err, const envelope_t *answer) {
    worker_part_t *self = arg;
    (void)answer;
    if (err)
        world_fail(self->config.world, "%s gives a fact up: %s", self->name, err_name(err));
}

static void keep(worker_part_t *self, const envelope_t *envelope) {
    link_request_t request = {
        .envelope = envelope, .timeout_ms = FACT_TIMEOUT_MS, .on_reply = on_confirmed, .arg = self};
    if (!bus_request(self->bus, network_broker_of(self->config.network, envelope->room), &request))
        world_fail(self->config.world, "%s has no room for a fact", self->name);
}

static void tell_user(worker_part_t *self, const job_t *job, uint64_t members_version) {
    strbuf_t room = {0};
    envelope_t event = {.type = MSG_USER_EVENT};
    event.body = worker_answers_event(&self->answers, job, members_version, &event.user);
    ids_append_user_room(&room, event.user);
    event.room = strbuf_str(&room);
    keep(self, &event);
    strbuf_fini(&room);
}

static void tell(worker_part_t *self, const job_t *job, const worker_written_t *written) {
    envelope_t fact = job->envelope;
    fact.body = worker_answers_fact(&self->answers, &self->config.database->store, job, written,
                                    &fact.type);
    keep(self, &fact);
    if (fact.type == MSG_MEMBERS_CHANGED)
        tell_user(self, job, written->members_version);
}

/* ---- writing (writer.c) ---- */

static void answer_write(worker_part_t *self, job_t *job, const worker_written_t *written) {
    if (written->code == CODE_NOT_FOUND) { /* an unknown partner */
        int64_t retry_ms = job_look_again(job, now_of(self));
        if (retry_ms) {
            batches_hold(self->batches, job, retry_ms);
            return;
        }
    }
    batches_done(self->batches, job);
    if (written->code) {
        refuse(self, job, written->code);
        return;
    }
    if (job->envelope.type == MSG_USER_SEEN || job->envelope.type == MSG_LAST_SEEN)
        reply(self, job, &(envelope_t){.type = MSG_DONE, .body = STR("\x80")});
    else
        tell(self, job, written);
    job_free(&job);
}

static void fail_write(worker_part_t *self, database_status_t status) {
    static const batch_failure_t failures[] = {
        [DATABASE_AGAIN] = BATCH_AGAIN, [DATABASE_AWAY] = BATCH_AWAY, [DATABASE_LOST] = BATCH_LOST};
    if (status == DATABASE_AWAY)
        self->pause_until_ms = now_of(self) + AWAY_PAUSE_MS;
    job_t *offender = batches_failed(self->batches, failures[status]);
    if (offender)
        refuse(self, offender, CODE_UNAVAILABLE);
}

static void write_execute(void *arg, unsigned step) {
    write_t *write = arg;
    (void)step;
    for (size_t i = 0; i < write->n; i++)
        worker_answers_prepare(write->store, write->jobs[i]);
    for (size_t i = 0; i < write->n; i++)
        worker_answers_write(&write->worker->answers, write->store, write->jobs[i],
                             &write->written[i]);
}

static void write_done(void *arg, database_status_t status) {
    write_t *write = arg;
    worker_part_t *self = write->worker;
    batch_t batch = self->batch;
    self->writing = NULL;
    if (status == DATABASE_OK) {
        for (size_t i = 0; i < batch.n; i++)
            answer_write(self, batch.jobs[i], &write->written[i]);
    } else {
        fail_write(self, status);
    }
    wake(self);
}

static void write_free(void *arg) {
    write_t *write = arg;
    for (size_t i = 0; i < write->n; i++)
        job_free(&write->jobs[i]);
    free(write);
}

static const transaction_ops_t write_ops = {
    .execute = write_execute, .done = write_done, .free = write_free, .steps = 1};

/* PLANT_EARLY: says what will be so, if nothing comes between. */
static void tell_early(worker_part_t *self, const write_t *write) {
    for (size_t i = 0; i < write->n; i++) {
        const job_t *job = write->jobs[i];
        const store_room_t *room = store_room(write->store, job->envelope.room);
        worker_written_t written = {.seq = room ? room->head + 1 + i : 0};
        if (job->envelope.type == MSG_SEND && room)
            tell(self, job, &written);
    }
}

static void write_batch(worker_part_t *self) {
    write_t *write = xcalloc(1, sizeof(*write));
    write->worker = self;
    write->store = &self->config.database->store;
    write->n = self->batch.n;
    for (size_t i = 0; i < write->n; i++) {
        const job_t *job = self->batch.jobs[i];
        const char *why;
        write->jobs[i] = job_new(&job->envelope, job->broker, job->epoch, job->arrived_ms, 1);
        ASSERT(job_check(write->jobs[i], self->answers.arena, &why) == CODE_OK);
    }
    if (self->config.world->plant == PLANT_EARLY)
        tell_early(self, write);
    self->writing = database_run(self->config.database, &self->process, &write_ops, write);
}

static void turn_writes(worker_part_t *self) {
    job_t *overdue;
    while ((overdue = batches_expire(self->batches, now_of(self))))
        refuse(self, overdue, CODE_UNAVAILABLE);
    if (self->writing || now_of(self) < self->pause_until_ms ||
        !database_is_up(self->config.database))
        return;
    self->batch = batches_next(self->batches, now_of(self));
    if (self->batch.n)
        write_batch(self);
}

/* ---- reading (reader.c) ---- */

static void read_execute(void *arg, unsigned step) {
    read_t *read = arg;
    const worker_part_t *self = read->worker;
    if (self) /* else nobody asks any more */
        worker_answers_read(&self->config.database->store, read->job, step, &read->read);
}

static void answer_read(worker_part_t *self, read_t *read) {
    job_t *job = read->job;
    uint16_t type;
    if (read->read.code == CODE_NOT_FOUND && job->envelope.type == MSG_JOIN) {
        int64_t retry_ms = job_look_again(job, now_of(self));
        if (retry_ms) {
            read->job = NULL;
            read_queue_retry(self->reads, job, retry_ms);
            return;
        }
    }
    if (read->read.code) {
        read->job = NULL;
        refuse(self, job, read->read.code);
        return;
    }
    str_t body = worker_answers_of_read(&self->answers, &self->config.database->store, job,
                                        &read->read, &type);
    reply(self, job, &(envelope_t){.type = type, .body = body});
}

static void read_done(void *arg, database_status_t status) {
    read_t *read = arg;
    worker_part_t *self = read->worker;
    self->lines[read->line] = NULL;
    if (status == DATABASE_OK) {
        answer_read(self, read);
    } else {
        read_queue_retry(self->reads, read->job, now_of(self) + READ_RETRY_MS);
        read->job = NULL;
    }
    wake(self);
}

static void read_free(void *arg) {
    read_t *read = arg;
    job_free(&read->job);
    free(read);
}

static const transaction_ops_t read_ops = {
    .execute = read_execute, .done = read_done, .free = read_free, .steps = 2};

static void turn_reads(worker_part_t *self) {
    job_t *overdue;
    while ((overdue = read_queue_expire(self->reads, now_of(self))))
        refuse(self, overdue, CODE_UNAVAILABLE);
    for (size_t i = 0; i < READ_LINES && database_is_up(self->config.database); i++) {
        job_t *job = self->lines[i] ? NULL : read_queue_take(self->reads, now_of(self));
        if (!job)
            continue;
        read_t *read = xcalloc(1, sizeof(*read));
        *read = (read_t){.worker = self, .line = i, .job = job};
        self->lines[i] = database_run(self->config.database, &self->process, &read_ops, read);
    }
}

/* ---- worker.c ---- */

static void on_turn(void *ctx) {
    worker_part_t *self = ctx;
    turn_writes(self);
    turn_reads(self);
    worker_part_check_bounds(self);
}

static void on_up(void *ctx, size_t broker) {
    (void)ctx;
    (void)broker;
}

static void on_down(void *ctx, size_t broker) {
    worker_part_t *self = ctx;
    job_t *job;
    while ((job = batches_drop(self->batches, broker)))
        job_free(&job);
    while ((job = read_queue_drop(self->reads, broker)))
        job_free(&job);
}

static void on_deliver(void *ctx, size_t broker, const envelope_t *envelope) {
    worker_part_t *self = ctx;
    const char *why = NULL;
    job_t *job =
        job_new(envelope, broker, bus_epoch(self->bus, broker), now_of(self), DEFAULT_DEADLINE_MS);
    code_t code = job_check(job, self->answers.arena, &why);
    if (code) {
        world_fail(self->config.world, "%s refuses %s: %s", self->name, proto_name(envelope->type),
                   why);
        job_free(&job);
        return;
    }
    err_t err = job_is_write(envelope->type) ? batches_add(self->batches, job)
                                             : read_queue_add(self->reads, job);
    if (err)
        refuse(self, job, CODE_UNAVAILABLE);
    wake(self);
}

static void on_refused(void *ctx) {
    worker_part_t *self = ctx;
    self->must_end = true;
}

static const bus_ops_t bus_ops = {
    .up = on_up, .down = on_down, .deliver = on_deliver, .refused = on_refused};

/* ---- lives ---- */

static void on_tick(void *ctx) {
    worker_part_t *self = ctx;
    world_t *world = self->config.world;
    if (self->must_end) {
        worker_part_kill(self, world->now_ms + world_between(world, 200, 1000));
        return;
    }
    bus_tick(self->bus);
    wake(self);
    world_after(world, &self->tick, TICK_MS);
}

static void start(void *ctx) {
    worker_part_t *self = ctx;
    world_t *world = self->config.world;
    uint16_t credit = self->config.is_tight ? 4 : 64;
    size_t brokers = network_brokers(self->config.network);
    bus_config_t bus = {.network = self->config.network,
                        .process = &self->process,
                        .role = ROLE_PERSIST,
                        .name = self->name,
                        .incarnation = ++self->lives,
                        .write_credit = credit,
                        .read_credit = credit,
                        .max_pending_bytes = QUEUE_BYTES};
    self->process.asleep_until_ms = 0;
    self->is_alive = true;
    self->must_end = false;
    self->pause_until_ms = 0;
    self->limits = (batch_limits_t){.rows = BATCH_ROWS,
                                    .bytes = QUEUE_BYTES,
                                    .queue_jobs = credit * brokers,
                                    .queue_bytes = QUEUE_BYTES};
    self->batches = batches_new(&self->limits);
    self->reads = read_queue_new(credit * brokers, QUEUE_BYTES);
    self->bus = bus_new(world, &bus, &bus_ops, self);
    world_note(world, "%s starts", self->name);
    world_after(world, &self->tick, world_between(world, 0, TICK_MS));
}

static void stop(worker_part_t *self) {
    world_t *world = self->config.world;
    world_cancel(world, &self->tick);
    world_cancel(world, &self->turn);
    world_cancel(world, &self->restart);
    if (!self->is_alive)
        return;
    self->is_alive = false;
    bus_free(&self->bus);
    if (self->writing)
        transaction_abandon(self->writing);
    for (size_t i = 0; i < READ_LINES; i++) {
        if (self->lines[i])
            transaction_abandon(self->lines[i]);
        self->lines[i] = NULL;
    }
    self->writing = NULL;
    batches_free(&self->batches);
    read_queue_free(&self->reads);
}

worker_part_t *worker_part_new(const worker_part_config_t *config) {
    worker_part_t *self = xcalloc(1, sizeof(*self));
    self->config = *config;
    snprintf(self->name, sizeof(self->name), "persist-worker-%d", (int)config->index);
    self->tick = (event_t){.run = on_tick, .ctx = self, .process = &self->process};
    self->turn = (event_t){.run = on_turn, .ctx = self, .process = &self->process};
    self->restart = (event_t){.run = start, .ctx = self};
    worker_answers_init(&self->answers);
    start(self);
    return self;
}

void worker_part_free(worker_part_t **self) {
    stop(*self);
    worker_answers_fini(&(*self)->answers);
    free(*self);
    *self = NULL;
}

void worker_part_kill(worker_part_t *self, int64_t back_at_ms) {
    world_note(self->config.world, "fault: %s is killed until %d", self->name, (int)back_at_ms);
    if (self->bus && bus_pending(self->bus) > 0)
        store_forget_news(&self->config.database->store);
    stop(self);
    world_at(self->config.world, &self->restart, back_at_ms);
}

void worker_part_freeze(worker_part_t *self, int64_t until_ms) {
    world_note(self->config.world, "fault: %s freezes until %d", self->name, (int)until_ms);
    self->process.asleep_until_ms = until_ms;
}

/* ---- looking in ---- */

void worker_part_check_bounds(const worker_part_t *self) {
    bool ok = batches_count(self->batches) <= self->limits.queue_jobs &&
              batches_bytes(self->batches) <= self->limits.queue_bytes &&
              read_queue_count(self->reads) <= self->limits.queue_jobs + READ_LINES &&
              bus_is_within_bounds(self->bus);
    if (!ok)
        world_fail(self->config.world, "a queue of %s is over its bound", self->name);
}

bool worker_part_is_idle(const worker_part_t *self) {
    return self->is_alive && bus_is_up(self->bus) && bus_pending(self->bus) == 0 &&
           batches_count(self->batches) == 0 && read_queue_count(self->reads) == 0;
}
