#include "broker/jobs.h"

#include <utlist.h>

#include "broker/envelope_copy.h"
#include "broker/peers.h"

/* The writes of one room; lives while there is one. */
struct job_lane {
    UT_hash_handle hh; /* room => lane */
    job_t *head;       /* READY or BOUND: the next to go */
    job_t *waiting;    /* those behind it */
    size_t in_flight;
    peer_t *worker; /* has them; NULL when none is in flight */
    uint8_t name_bytes;
    char name[];
};

struct jobs {
    jobs_limits_t limits;
    const jobs_ops_t *ops;
    void *ctx;
    uint64_t last_id;
    job_t *by_id;        /* id => job */
    job_lane_t *by_room; /* room => lane */
    job_t *ready[JOB_CLASSES];
    job_class_gauges_t gauges[JOB_CLASSES];
    peer_t *workers;
    deadline_heap_t deadlines;
    uint64_t requeued;
};

typedef enum { AT_BACK, AT_FRONT } place_t;

jobs_t *jobs_new(const jobs_limits_t *limits, const jobs_ops_t *ops, void *ctx) {
    jobs_t *self = xcalloc(1, sizeof(*self));
    self->limits = *limits;
    self->ops = ops;
    self->ctx = ctx;
    return self;
}

/* ---- lists and lanes ---- */

static job_t **list_of(jobs_t *self, job_t *job) {
    switch (job->state) {
    case JOB_WAITING:
        return &job->lane->waiting;
    case JOB_READY:
        return &self->ready[job->class];
    case JOB_BOUND:
        return &job->worker->worker.bound;
    default:
        return &job->worker->worker.sent;
    }
}

static void unlink_job(jobs_t *self, job_t *job) {
    job_t **list = list_of(self, job);
    DL_DELETE(*list, job);
    if (job->lane && job->lane->head == job)
        job->lane->head = NULL;
    if (job->state == JOB_SENT) {
        job->worker->worker.in_flight[job->class]--;
        self->gauges[job->class].in_flight--;
        if (job->lane && --job->lane->in_flight == 0)
            job->lane->worker = NULL;
    }
}

static void link_job(jobs_t *self, job_t *job, job_state_t state, place_t place) {
    job->state = state;
    if (state == JOB_WAITING || state == JOB_READY)
        job->worker = NULL;
    job_t **list = list_of(self, job);
    if (place == AT_BACK)
        DL_APPEND(*list, job);
    else
        DL_PREPEND(*list, job);
    if (job->lane && (state == JOB_READY || state == JOB_BOUND))
        job->lane->head = job;
    if (state == JOB_SENT) {
        job->worker->worker.in_flight[job->class]++;
        self->gauges[job->class].in_flight++;
        if (job->lane) {
            job->lane->in_flight++;
            job->lane->worker = job->worker;
        }
    }
}

static void set_state(jobs_t *self, job_t *job, job_state_t state, place_t place) {
    unlink_job(self, job);
    link_job(self, job, state, place);
}

static job_lane_t *get_lane(jobs_t *self, str_t room) {
    job_lane_t *lane = NULL;
    HASH_FIND(hh, self->by_room, room.p, room.n, lane);
    if (lane)
        return lane;
    lane = xmalloc(sizeof(*lane) + room.n);
    *lane = (job_lane_t){.name_bytes = (uint8_t)room.n};
    if (room.n)
        memcpy(lane->name, room.p, room.n);
    HASH_ADD_KEYPTR(hh, self->by_room, lane->name, room.n, lane);
    return lane;
}

/* Sees that the lane's next job stands where it must, or that an empty lane goes. */
static void tend_lane(jobs_t *self, job_lane_t *lane) {
    job_t *next = lane->head ? lane->head : lane->waiting;
    if (!next && lane->in_flight == 0) {
        HASH_DELETE(hh, self->by_room, lane);
        free(lane);
        return;
    }
    job_state_t state = lane->worker ? JOB_BOUND : JOB_READY;
    if (!next || next->state == state)
        return;
    unlink_job(self, next);
    next->worker = lane->worker;
    link_job(self, next, state, AT_BACK);
}

/* ---- a job's life ---- */

static size_t job_bytes(const job_t *job) {
    return sizeof(*job) + envelope_copy_bytes(job->request);
}

static job_t *new_job(jobs_t *self, job_class_t class, const envelope_t *request, int64_t now_ms) {
    job_t *job = xcalloc(1, sizeof(*job));
    job->id = ++self->last_id;
    job->class = class;
    job->request = envelope_copy_new(request);
    job->created_ms = now_ms;
    HASH_ADD(hh, self->by_id, id, sizeof(job->id), job);
    self->gauges[class].jobs++;
    self->gauges[class].bytes += job_bytes(job);
    return job;
}

static void destroy(jobs_t *self, job_t *job) {
    job_lane_t *lane = job->lane;
    unlink_job(self, job);
    deadline_remove(&self->deadlines, &job->deadline);
    HASH_DELETE(hh, self->by_id, job);
    self->gauges[job->class].jobs--;
    self->gauges[job->class].bytes -= job_bytes(job);
    free(job->request);
    free(job);
    if (lane)
        tend_lane(self, lane);
}

void jobs_free(jobs_t **self_in) {
    jobs_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    ASSERT(!self->workers);
    job_t *job = NULL, *next = NULL;
    HASH_ITER(hh, self->by_id, job, next) {
        destroy(self, job);
    }
    ASSERT(HASH_COUNT(self->by_room) == 0);
    for (size_t i = 0; i < JOB_CLASSES; i++)
        ASSERT(!self->ready[i] && self->gauges[i].jobs == 0 && self->gauges[i].bytes == 0);
    deadline_heap_fini(&self->deadlines);
    free(self);
}

/* ---- handing out ---- */

static bool has_credit(const peer_t *peer, job_class_t class) {
    return peer->worker.in_flight[class] < peer->worker.credit[class];
}

static void send(jobs_t *self, job_t *job, peer_t *worker, int64_t now_ms) {
    unlink_job(self, job);
    job->worker = worker;
    link_job(self, job, JOB_SENT, AT_BACK);
    if (job->lane)
        tend_lane(self, job->lane);
    envelope_t envelope = *job->request;
    int64_t left_ms = job->deadline.at_ms - now_ms;
    envelope.flags = 0;
    envelope.code = 0;
    envelope.request_id = job->id;
    envelope.deadline_ms = left_ms > 1 ? (uint32_t)left_ms : 1;
    self->ops->send(self->ctx, worker, &envelope);
}

static peer_t *least_loaded(const jobs_t *self, job_class_t class) {
    peer_t *best = NULL, *each = NULL;
    DL_FOREACH2(self->workers, each, worker.next) {
        if (has_credit(each, class) &&
            (!best || each->worker.in_flight[class] < best->worker.in_flight[class]))
            best = each;
    }
    return best;
}

/* The oldest write that a worker with credit has been waiting for, as it has the write's room. */
static job_t *oldest_bound(const jobs_t *self, job_class_t class) {
    job_t *oldest = NULL;
    peer_t *each = NULL;
    DL_FOREACH2(self->workers, each, worker.next) {
        job_t *bound = each->worker.bound;
        if (bound && bound->class == class && has_credit(each, class) &&
            (!oldest || bound->id < oldest->id))
            oldest = bound;
    }
    return oldest;
}

/* Uses what credit there is, for the older jobs first. */
static void dispatch(jobs_t *self, job_class_t class, int64_t now_ms) {
    for (;;) {
        peer_t *worker = self->ready[class] ? least_loaded(self, class) : NULL;
        job_t *ready = worker ? self->ready[class] : NULL;
        job_t *bound = oldest_bound(self, class);
        if (bound && (!ready || bound->id < ready->id))
            send(self, bound, bound->worker, now_ms);
        else if (ready)
            send(self, ready, worker, now_ms);
        else
            return;
    }
}

static void dispatch_all(jobs_t *self, int64_t now_ms) {
    for (job_class_t each = 0; each < JOB_CLASSES; each++)
        dispatch(self, each, now_ms);
}

uint64_t jobs_add(jobs_t *self, job_class_t class, peer_t *origin, const envelope_t *request,
                  int64_t now_ms) {
    const job_class_limits_t *limits = &self->limits.classes[class];
    const job_class_gauges_t *gauges = &self->gauges[class];
    if (gauges->jobs >= limits->max_jobs ||
        gauges->bytes + sizeof(job_t) + envelope_copy_bytes(request) > limits->max_bytes)
        return 0;
    job_t *job = new_job(self, class, request, now_ms);
    uint64_t id = job->id;
    int64_t wait_ms = request->deadline_ms;
    if (wait_ms == 0 || wait_ms > self->limits.max_deadline_ms)
        wait_ms = self->limits.max_deadline_ms;
    deadline_add(&self->deadlines, &job->deadline, now_ms + wait_ms);
    job->origin = origin;
    if (class != JOB_WRITE) {
        link_job(self, job, JOB_READY, AT_BACK);
    } else {
        job->lane = get_lane(self, job->request->room);
        link_job(self, job, JOB_WAITING, AT_BACK);
        tend_lane(self, job->lane);
    }
    dispatch(self, class, now_ms);
    return id;
}

job_t *jobs_find(const jobs_t *self, uint64_t id) {
    job_t *job = NULL;
    HASH_FIND(hh, self->by_id, &id, sizeof(id), job);
    return job;
}

void jobs_answered(jobs_t *self, job_t *job, const peer_t *worker, int64_t now_ms) {
    if (job->state == JOB_SENT && job->worker != worker) {
        job->is_settled = job->is_answered = true;
        job->origin = NULL;
        return;
    }
    job_class_t class = job->class;
    destroy(self, job);
    dispatch(self, class, now_ms);
}

/* ---- workers and requesters that come and go ---- */

void jobs_worker_up(jobs_t *self, peer_t *worker, int64_t now_ms) {
    worker->worker.is_worker = true;
    DL_APPEND2(self->workers, worker, worker.prev, worker.next);
    dispatch_all(self, now_ms);
}

/* Puts a job that was sent back to the front, before the one of its lane that stands there. */
static void requeue(jobs_t *self, job_t *job) {
    self->requeued++;
    if (job->lane && job->lane->head)
        set_state(self, job->lane->head, JOB_WAITING, AT_FRONT);
    set_state(self, job, JOB_READY, AT_FRONT);
}

/* Ends the jobs that only the worker's credit kept. Nobody waits for the others that are settled,
 * but a write of unknown outcome must be tried again: it may be committed, and only its result
 * tells the room. */
static void destroy_settled(jobs_t *self, peer_t *worker, int64_t now_ms) {
    job_t *job = NULL, *next = NULL;
    DL_FOREACH_SAFE(worker->worker.sent, job, next) {
        if (!job->is_settled)
            continue;
        if (job->is_answered || job->class != JOB_WRITE)
            destroy(self, job);
        else
            deadline_add(&self->deadlines, &job->deadline, now_ms + self->limits.max_deadline_ms);
    }
}

void jobs_worker_down(jobs_t *self, peer_t *worker, int64_t now_ms) {
    if (!worker->worker.is_worker)
        return;
    DL_DELETE2(self->workers, worker, worker.prev, worker.next);
    worker->worker.is_worker = false;
    destroy_settled(self, worker, now_ms);
    while (worker->worker.bound)
        set_state(self, worker->worker.bound, JOB_WAITING, AT_FRONT);
    while (worker->worker.sent)
        requeue(self, worker->worker.sent->prev);
    dispatch_all(self, now_ms);
}

void jobs_origin_down(jobs_t *self, const peer_t *origin, int64_t now_ms) {
    job_t *job = NULL, *next = NULL;
    HASH_ITER(hh, self->by_id, job, next) {
        if (job->origin != origin)
            continue;
        if (job->state == JOB_SENT) {
            job->is_settled = true;
            job->origin = NULL;
        } else {
            destroy(self, job);
        }
    }
    dispatch_all(self, now_ms);
}

void jobs_tick(jobs_t *self, int64_t now_ms) {
    deadline_t *due;
    while ((due = deadline_pop_due(&self->deadlines, now_ms))) {
        job_t *job = DEADLINE_OWNER(due, job_t, deadline);
        if (!job->is_settled)
            self->ops->expired(self->ctx, job, now_ms);
        job->origin = NULL;
        job->is_settled = true;
        if (job->state != JOB_SENT)
            destroy(self, job);
    }
}

/* ---- looking in ---- */

job_class_gauges_t jobs_gauges(const jobs_t *self, job_class_t class) {
    return self->gauges[class];
}

uint64_t jobs_requeued(const jobs_t *self) {
    return self->requeued;
}
