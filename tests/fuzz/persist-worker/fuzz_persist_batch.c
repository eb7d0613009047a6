/* Any sequence of jobs, outcomes and failures: no job is lost or answered twice, those of one room
 * are answered in the order they came, and a batch keeps its rules. */
#include "persist-worker/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOMS = 4, JOBS_MAX = 64, ROWS = 6 };

typedef struct {
    batches_t *batches;
    job_t *jobs[JOBS_MAX]; /* those in the queue or out */
    size_t n;
    uint64_t answered[ROOMS]; /* order of the last that was answered, per room */
    uint64_t made;
    int64_t now_ms;
    batch_t batch;
    job_t *out[ROWS];
} fuzz_t;

static size_t room_of(const job_t *job) {
    return (size_t)(job->envelope.room.p[0] - 'a');
}

static void forget(fuzz_t *self, job_t *job, bool in_order) {
    size_t i = 0;
    while (i < self->n && self->jobs[i] != job)
        i++;
    ASSERT(i < self->n); /* it was there, once */
    self->jobs[i] = self->jobs[--self->n];
    if (in_order) {
        ASSERT(job->order > self->answered[room_of(job)]);
        self->answered[room_of(job)] = job->order;
    }
    job_free(&job);
}

static void add(fuzz_t *self, uint8_t what) {
    static const uint16_t types[] = {MSG_SEND, MSG_SEND, MSG_MARK_READ, MSG_REMOVE_PARTICIPANT};
    char room = (char)('a' + what % ROOMS);
    envelope_t envelope = {
        .type = types[what / 4 % 4], .deadline_ms = 50 + what, .room = {&room, 1}};
    job_t *job = job_new(&envelope, what & 1, 1, self->now_ms, 1000);
    job->digest = what / 16 % 4;
    if (self->n == JOBS_MAX || batches_add(self->batches, job) != OK)
        job_free(&job);
    else
        self->jobs[self->n++] = job;
}

static void check_batch(const fuzz_t *self) {
    for (size_t i = 0; i < self->batch.n; i++) {
        const job_t *a = self->out[i];
        ASSERT(self->batch.n == 1 || job_is_batched(a->envelope.type));
        for (size_t k = i + 1; k < self->batch.n; k++) {
            const job_t *b = self->out[k];
            if (room_of(a) != room_of(b))
                continue;
            ASSERT(a->order < b->order);
            ASSERT(a->digest != b->digest);
            ASSERT(a->envelope.type == MSG_SEND || b->envelope.type == MSG_MARK_READ);
        }
    }
}

static void take(fuzz_t *self) {
    if (self->batch.n)
        return;
    self->batch = batches_next(self->batches, self->now_ms);
    ASSERT(self->batch.n <= ROWS);
    for (size_t i = 0; i < self->batch.n; i++)
        self->out[i] = self->batch.jobs[i];
    check_batch(self);
}

static void answer(fuzz_t *self, bool hold) {
    for (size_t i = 0; i < self->batch.n; i++) {
        job_t *job = self->out[i];
        if (hold && room_of(job) == 0) {
            batches_hold(self->batches, job, self->now_ms + 10);
            continue;
        }
        batches_done(self->batches, job);
        forget(self, job, true);
    }
    self->batch.n = 0;
}

static void fail(fuzz_t *self, batch_failure_t failure) {
    if (!self->batch.n)
        return;
    job_t *offender = batches_failed(self->batches, failure);
    ASSERT(!offender || self->batch.n == 1);
    self->batch.n = 0;
    if (offender)
        forget(self, offender, true);
}

static void step(fuzz_t *self, uint8_t op, uint8_t what) {
    job_t *job;
    switch (op % 8) {
    case 0:
    case 1:
    case 2:
        add(self, what);
        return;
    case 3:
        take(self);
        return;
    case 4:
        answer(self, what & 1);
        return;
    case 5:
        fail(self, (batch_failure_t)(what % 4));
        return;
    case 6:
        self->now_ms += what;
        while ((job = batches_expire(self->batches, self->now_ms)))
            forget(self, job, false);
        return;
    default:
        while ((job = batches_drop(self->batches, what & 1)))
            forget(self, job, false);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    batch_limits_t limits = {.rows = ROWS, .bytes = 3000, .queue_jobs = 40, .queue_bytes = 20000};
    fuzz_t self = {.batches = batches_new(&limits)};
    for (size_t i = 0; i + 1 < size; i += 2) {
        step(&self, data[i], data[i + 1]);
        ASSERT(batches_count(self.batches) == self.n);
    }
    answer(&self, false);
    if (size & 1) { /* everything left comes out in the end */
        while (self.n > 0) {
            self.now_ms += 10;
            take(&self);
            ASSERT(self.batch.n > 0);
            answer(&self, false);
        }
        ASSERT(batches_bytes(self.batches) == 0);
    }
    batches_free(&self.batches);
    return 0;
}
