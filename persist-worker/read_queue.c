#include "persist-worker/read_queue.h"

#include <utlist.h>

struct read_queue {
    size_t max_jobs, max_bytes;
    job_t *ready;   /* oldest first */
    job_t *resting; /* those that wait for their retry */
    deadline_heap_t deadlines;
    deadline_heap_t retries;
    size_t count;
    size_t bytes;
};

read_queue_t *read_queue_new(size_t max_jobs, size_t max_bytes) {
    read_queue_t *self = xcalloc(1, sizeof(*self));
    self->max_jobs = max_jobs;
    self->max_bytes = max_bytes;
    return self;
}

static void account(read_queue_t *self, job_t *job) {
    self->count++;
    self->bytes += job->bytes;
    deadline_add(&self->deadlines, &job->deadline, job->deadline.at_ms);
}

static job_t *take_out(read_queue_t *self, job_t *job) {
    if (deadline_is_set(&job->retry)) {
        deadline_remove(&self->retries, &job->retry);
        DL_DELETE(self->resting, job);
    } else {
        DL_DELETE(self->ready, job);
    }
    deadline_remove(&self->deadlines, &job->deadline);
    self->count--;
    self->bytes -= job->bytes;
    return job;
}

void read_queue_free(read_queue_t **self_in) {
    read_queue_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    job_t *job;
    while ((job = self->ready ? self->ready : self->resting)) {
        take_out(self, job);
        job_free(&job);
    }
    deadline_heap_fini(&self->deadlines);
    deadline_heap_fini(&self->retries);
    free(self);
}

err_t read_queue_add(read_queue_t *self, job_t *job) {
    if (self->count >= self->max_jobs || self->bytes + job->bytes > self->max_bytes)
        return ERR_LIMIT;
    account(self, job);
    DL_APPEND(self->ready, job);
    return OK;
}

void read_queue_put_back(read_queue_t *self, job_t *job) {
    account(self, job);
    DL_PREPEND(self->ready, job);
}

void read_queue_retry(read_queue_t *self, job_t *job, int64_t at_ms) {
    account(self, job);
    DL_APPEND(self->resting, job);
    deadline_add(&self->retries, &job->retry, at_ms);
}

job_t *read_queue_take(read_queue_t *self, int64_t now_ms) {
    deadline_t *due;
    while ((due = deadline_pop_due(&self->retries, now_ms))) {
        job_t *job = DEADLINE_OWNER(due, job_t, retry);
        DL_DELETE(self->resting, job);
        DL_PREPEND(self->ready, job);
    }
    return self->ready ? take_out(self, self->ready) : NULL;
}

job_t *read_queue_expire(read_queue_t *self, int64_t now_ms) {
    deadline_t *due = deadline_pop_due(&self->deadlines, now_ms);
    return due ? take_out(self, DEADLINE_OWNER(due, job_t, deadline)) : NULL;
}

static job_t *find_of(job_t *list, size_t broker) {
    job_t *job = NULL;
    DL_FOREACH(list, job) {
        if (job->broker == broker)
            return job;
    }
    return NULL;
}

job_t *read_queue_drop(read_queue_t *self, size_t broker) {
    job_t *job = find_of(self->ready, broker);
    if (!job)
        job = find_of(self->resting, broker);
    return job ? take_out(self, job) : NULL;
}

int64_t read_queue_next_ms(const read_queue_t *self) {
    int64_t expiry = deadline_next(&self->deadlines);
    int64_t retry = deadline_next(&self->retries);
    return expiry < retry ? expiry : retry;
}

size_t read_queue_count(const read_queue_t *self) {
    return self->count;
}

size_t read_queue_bytes(const read_queue_t *self) {
    return self->bytes;
}
