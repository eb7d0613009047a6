/* What waits to be written, and which of it is written together. Pure.
 *
 * Jobs of one room are executed in the order they came; of different rooms together. A batch is a
 * set of jobs that one transaction executes: of each room first messages, then read marks (a mark
 * without a seq means the head at its place in the order), no two with the same idempotency key;
 * kinds that aren't batched come alone. There is one batch at a time, taken whenever the one before
 * is done, with everything that waits then up to the limits.
 *
 * When a transaction fails for what is in it, the batch goes on in halves, so that an offender ends
 * up alone; what follows it grows again.
 *
 *   batches_next → execute → for each job batches_done or batches_hold, or batches_failed for all
 */
#pragma once

#include "persist-worker/job.h"

typedef struct batches batches_t;

typedef struct {
    size_t rows;       /* of a batch */
    size_t bytes;      /* of a batch that has more than one job */
    size_t queue_jobs; /* waiting and being written */
    size_t queue_bytes;
} batch_limits_t;

typedef enum {
    BATCH_AGAIN, /* nothing was written and the same may work: deadlock, timeout */
    BATCH_SPLIT, /* nothing was written: one of the jobs is at fault */
    BATCH_AWAY,  /* nothing was written and nothing can be now */
    BATCH_LOST,  /* the connection went away; the batch may have been committed */
} batch_failure_t;

enum { BATCH_ATTEMPTS = 5 }; /* of the same jobs, before BATCH_AGAIN counts as BATCH_SPLIT */

typedef struct {
    job_t *const *jobs; /* all of batched kinds, or one of another */
    size_t n;
} batch_t;

batches_t *batches_new(const batch_limits_t *limits);
/* Frees the jobs left, too. */
void batches_free(batches_t **self);

/* Takes the job over. ERR_LIMIT (the job stays the caller's) when the queue is full. */
err_t batches_add(batches_t *self, job_t *job) MUST_CHECK;

/* The jobs to execute next; none while a batch is out, or when nothing is ready. The array is valid
 * until the next call to any function here but batches_done and batches_hold. */
batch_t batches_next(batches_t *self, int64_t now_ms);

/* For a job of the batch that is out: it is answered, the caller owns it again. */
void batches_done(batches_t *self, job_t *job);
/* … or: nothing was written for it, it and its room wait until then. */
void batches_hold(batches_t *self, job_t *job, int64_t until_ms);
/* Or for the whole batch. A single job that is at fault is returned and the caller's again; else
 * NULL. */
job_t *batches_failed(batches_t *self, batch_failure_t failure);

/* A waiting job whose deadline has passed, taken out, the caller's; NULL when there is none. */
job_t *batches_expire(batches_t *self, int64_t now_ms);
/* A waiting job of this broker, taken out, the caller's; NULL when there is none (any more). Jobs
 * of unknown outcome stay. */
job_t *batches_drop(batches_t *self, size_t broker);

/* When to call batches_expire and batches_next again if nothing else happens; INT64_MAX: never. */
int64_t batches_next_ms(const batches_t *self);
bool batches_is_out(const batches_t *self);
size_t batches_count(const batches_t *self);
size_t batches_bytes(const batches_t *self);
