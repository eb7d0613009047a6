/* Reads that wait for a connection: first come, first served, bounded, each with its deadline.
 * Pure. */
#pragma once

#include "persist-worker/job.h"

typedef struct read_queue read_queue_t;

read_queue_t *read_queue_new(size_t max_jobs, size_t max_bytes);
/* Frees the jobs left, too. */
void read_queue_free(read_queue_t **self);

/* Takes the job over. ERR_LIMIT (the job stays the caller's) when the queue is full. */
err_t read_queue_add(read_queue_t *self, job_t *job) MUST_CHECK;
/* Puts back a job that was taken: first in the queue again. */
void read_queue_put_back(read_queue_t *self, job_t *job);
/* Puts back a job that was taken: in the queue again from `at_ms` on. */
void read_queue_retry(read_queue_t *self, job_t *job, int64_t at_ms);

/* The next job, the caller's now; NULL when nothing is ready. */
job_t *read_queue_take(read_queue_t *self, int64_t now_ms);
/* A job whose deadline has passed, the caller's; NULL when there is none. */
job_t *read_queue_expire(read_queue_t *self, int64_t now_ms);
/* A job of this broker, the caller's; NULL when there is none (any more). */
job_t *read_queue_drop(read_queue_t *self, size_t broker);

/* When read_queue_expire or read_queue_take have something new; INT64_MAX: never. */
int64_t read_queue_next_ms(const read_queue_t *self);
size_t read_queue_count(const read_queue_t *self);
size_t read_queue_bytes(const read_queue_t *self);
