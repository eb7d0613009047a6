/* The work that the broker hands to workers: queues with bounds, credits, deadlines.
 *
 * Reads and token checks stand in one line each. Writes stand in lanes, one for each room: a lane's
 * jobs go out in the order they came, all to the same worker while that one has any of them, and
 * lanes take turns. When a worker goes, its jobs return to the front, in order, for any other. */
#pragma once

#include "common/deadline.h"
#include "common/siphash.h"
#include "proto/envelope.h"
#include "proto/proto.h"

typedef struct peer peer_t;
typedef struct job job_t;
typedef struct job_lane job_lane_t;

typedef enum {
    JOB_WRITE, /* to persist-workers, in lanes */
    JOB_READ,  /* to persist-workers */
    JOB_AUTH,  /* to auth-workers */
    JOB_CLASSES,
} job_class_t;

/* Each state is a list. */
typedef enum {
    JOB_WAITING, /* behind an earlier write of its room: lane->waiting */
    JOB_READY,   /* for any worker with credit: the class's line */
    JOB_BOUND,   /* for the worker that has its room, once that has credit: worker.bound */
    JOB_SENT,    /* a worker has it: worker.sent */
} job_state_t;

struct job {
    uint64_t id;
    job_class_t class;
    job_state_t state;
    bool is_settled;     /* its requester has its answer or is gone; the worker's is still due */
    bool is_answered;    /* some worker's has come, so that its outcome is known */
    peer_t *origin;      /* who is answered; NULL: the broker itself, or nobody any more */
    envelope_t *request; /* as it came; owned */
    int64_t created_ms;
    peer_t *worker; /* BOUND, SENT */
    job_lane_t *lane;
    deadline_t deadline;
    job_t *prev, *next;
    UT_hash_handle hh; /* id => job */
};

/* A worker's share, embedded in its peer_t. */
typedef struct {
    bool is_worker;
    uint32_t credit[JOB_CLASSES];
    uint32_t in_flight[JOB_CLASSES];
    job_t *bound; /* first jobs of lanes that this worker has */
    job_t *sent;  /* in the order they were sent */
    peer_t *prev, *next;
} job_worker_t;

typedef struct {
    size_t max_jobs; /* queued and in flight */
    size_t max_bytes;
} job_class_limits_t;

typedef struct {
    job_class_limits_t classes[JOB_CLASSES];
    int64_t max_deadline_ms; /* for requests that name none or a later one */
} jobs_limits_t;

typedef struct {
    void (*send)(void *ctx, peer_t *worker, const envelope_t *envelope);
    /* The job's deadline passed: answer its requester. The job goes afterwards. */
    void (*expired)(void *ctx, const job_t *job, int64_t now_ms);
} jobs_ops_t;

typedef struct jobs jobs_t;

jobs_t *jobs_new(const jobs_limits_t *limits, const jobs_ops_t *ops, void *ctx);
/* Asserts that all workers are gone; drops what is queued. */
void jobs_free(jobs_t **self);

/* Queues a copy of `request` (room, user, session, trace, body, and what is left of its deadline go
 * to the worker) and sends it if a worker has credit. Returns its id, 0 when its class is full or
 * its deadline is over. */
uint64_t jobs_add(jobs_t *self, job_class_t class, peer_t *origin, const envelope_t *request,
                  int64_t now_ms);
/* NULL when there is none (any more). */
job_t *jobs_find(const jobs_t *self, uint64_t id);
/* `worker` has answered the job. If another one has a copy by now, the job stays, settled, until
 * that one answers. */
void jobs_answered(jobs_t *self, job_t *job, const peer_t *worker, int64_t now_ms);

/* A worker is there: peer->worker.credit is set. */
void jobs_worker_up(jobs_t *self, peer_t *worker, int64_t now_ms);
/* Its jobs go to others: those whose requester waits, and writes of unknown outcome, as the room
 * has not been told if the worker committed them. */
void jobs_worker_down(jobs_t *self, peer_t *worker, int64_t now_ms);
/* Drops what this peer asked for and no worker has yet. */
void jobs_origin_down(jobs_t *self, const peer_t *origin, int64_t now_ms);

/* Ends jobs whose deadline has passed. */
void jobs_tick(jobs_t *self, int64_t now_ms);

typedef struct {
    size_t jobs; /* queued and in flight */
    size_t bytes;
    size_t in_flight;
} job_class_gauges_t;

job_class_gauges_t jobs_gauges(const jobs_t *self, job_class_t class);
uint64_t jobs_requeued(const jobs_t *self);
