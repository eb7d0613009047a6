#include "persist-worker/batch.h"

#include "common/siphash.h"

#include <utlist.h>

typedef enum {
    ROOM_READY, /* in the list `ready` */
    ROOM_TAKEN, /* has jobs in the batch that is out */
    ROOM_HELD,  /* in the heap `held` */
} room_state_t;

/* The jobs of one room. Exists while it has any. */
typedef struct room {
    job_t *waiting; /* in order of arrival */
    size_t taken;   /* jobs of the batch that is out */
    room_state_t state;
    deadline_t until;
    struct room *prev, *next;
    UT_hash_handle hh; /* by name */
    size_t n;
    char name[];
} room_t;

struct batches {
    batch_limits_t limits;
    room_t *rooms; /* name => room */
    room_t *ready; /* the longest ready first */
    deadline_heap_t held;
    deadline_heap_t deadlines; /* of waiting jobs */
    uint64_t arrivals;
    size_t count;
    size_t bytes;
    job_t **run; /* taken jobs in order of execution, NULL where answered; `limits.rows` of them */
    size_t run_n;
    size_t begin, end; /* the part of it that is out; equal: none */
    size_t piece;      /* how many of it to execute together */
    unsigned attempts; /* of this part */
    bool out;
    bool holds; /* a job of this part was held */
};

batches_t *batches_new(const batch_limits_t *limits) {
    ASSERT(limits->rows > 0);
    batches_t *self = xcalloc(1, sizeof(*self));
    self->limits = *limits;
    self->run = xcalloc(limits->rows, sizeof(job_t *));
    return self;
}

/* ---- rooms ---- */

static room_t *find_room(batches_t *self, str_t name) {
    room_t *room = NULL;
    HASH_FIND(hh, self->rooms, name.p, name.n, room);
    return room;
}

static room_t *room_of(batches_t *self, const job_t *job) {
    room_t *room = find_room(self, job->envelope.room);
    ASSERT(room);
    return room;
}

/* The only place that changes a room's state; a room without jobs goes. */
static void set_state(batches_t *self, room_t *room, room_state_t state, int64_t until_ms) {
    if (room->state == ROOM_READY)
        DL_DELETE(self->ready, room);
    deadline_remove(&self->held, &room->until);
    if (state != ROOM_TAKEN && !room->waiting) {
        HASH_DELETE(hh, self->rooms, room);
        free(room);
        return;
    }
    room->state = state;
    room->until.at_ms = 0;
    if (state == ROOM_READY)
        DL_APPEND(self->ready, room);
    if (state == ROOM_HELD)
        deadline_add(&self->held, &room->until, until_ms);
}

static room_t *make_room(batches_t *self, str_t name) {
    room_t *room = xcalloc(1, sizeof(*room) + name.n);
    room->n = name.n;
    if (name.n)
        memcpy(room->name, name.p, name.n);
    HASH_ADD_KEYPTR(hh, self->rooms, room->name, room->n, room);
    room->state = ROOM_READY;
    DL_APPEND(self->ready, room);
    return room;
}

/* Puts a job among the waiting of its room, by order of arrival. */
static void enqueue(batches_t *self, room_t *room, job_t *job) {
    job_t *before = room->waiting;
    if (before && before->prev->order < job->order) /* the last; as a rule */
        before = NULL;
    while (before && before->order < job->order)
        before = before->next;
    if (before)
        DL_PREPEND_ELEM(room->waiting, before, job);
    else
        DL_APPEND(room->waiting, job);
    if (!job->unsure)
        deadline_add(&self->deadlines, &job->deadline, job->deadline.at_ms);
}

static void dequeue(batches_t *self, room_t *room, job_t *job) {
    DL_DELETE(room->waiting, job);
    deadline_remove(&self->deadlines, &job->deadline);
}

static void forget(batches_t *self, const job_t *job) {
    self->count--;
    self->bytes -= job->bytes;
}

err_t batches_add(batches_t *self, job_t *job) {
    if (self->count >= self->limits.queue_jobs ||
        self->bytes + job->bytes > self->limits.queue_bytes)
        return ERR_LIMIT;
    room_t *room = find_room(self, job->envelope.room);
    if (!room)
        room = make_room(self, job->envelope.room);
    job->order = ++self->arrivals;
    self->count++;
    self->bytes += job->bytes;
    enqueue(self, room, job);
    return OK;
}

/* ---- taking a batch ---- */

/* May `job` follow what was taken of its room, run[first ...]? */
static bool may_follow(const batches_t *self, size_t first, const job_t *job) {
    if (first < self->run_n && self->run[self->run_n - 1]->envelope.type == MSG_MARK_READ &&
        job->envelope.type == MSG_SEND)
        return false;
    for (size_t i = first; i < self->run_n; i++) {
        if (self->run[i]->digest == job->digest)
            return false;
    }
    return true;
}

static bool has_space(const batches_t *self, size_t bytes, const job_t *job) {
    return self->run_n < self->limits.rows &&
           (self->run_n == 0 || bytes + job->bytes <= self->limits.bytes);
}

static void take_job(batches_t *self, room_t *room, size_t *bytes) {
    job_t *job = room->waiting;
    *bytes += job->bytes;
    dequeue(self, room, job);
    self->run[self->run_n++] = job;
    room->taken++;
}

/* Takes what it may from the room's waiting jobs; false when the batch is full or complete. */
static bool take_from(batches_t *self, room_t *room, size_t *bytes) {
    size_t first = self->run_n;
    if (!job_is_batched(room->waiting->envelope.type)) {
        if (self->run_n > 0)
            return true;
        take_job(self, room, bytes);
        return false;
    }
    while (room->waiting && job_is_batched(room->waiting->envelope.type) &&
           may_follow(self, first, room->waiting)) {
        if (!has_space(self, *bytes, room->waiting))
            return false;
        take_job(self, room, bytes);
    }
    return true;
}

static void take(batches_t *self) {
    size_t bytes = 0;
    room_t *room = NULL, *following = NULL;
    self->run_n = self->begin = 0;
    bool more = true;
    DL_FOREACH_SAFE(self->ready, room, following) {
        if (!more)
            break;
        more = take_from(self, room, &bytes);
        if (room->taken)
            set_state(self, room, ROOM_TAKEN, 0);
    }
    self->piece = self->run_n;
}

static void release_held(batches_t *self, int64_t now_ms) {
    deadline_t *due;
    while ((due = deadline_pop_due(&self->held, now_ms)))
        set_state(self, DEADLINE_OWNER(due, room_t, until), ROOM_READY, 0);
}

batch_t batches_next(batches_t *self, int64_t now_ms) {
    if (self->out)
        return (batch_t){0};
    release_held(self, now_ms);
    if (self->begin == self->run_n)
        take(self);
    size_t left = self->run_n - self->begin;
    self->end = self->begin + (left < self->piece ? left : self->piece);
    self->out = self->end > self->begin;
    return (batch_t){.jobs = self->run + self->begin, .n = self->end - self->begin};
}

/* ---- outcomes ---- */

/* The room has one job less in the batch; with the last it is ready or, if `until_ms` is set, held.
 */
static void settle(batches_t *self, room_t *room, int64_t until_ms) {
    ASSERT(room->taken > 0);
    if (until_ms)
        room->until.at_ms = until_ms; /* kept until the room's last job is settled */
    if (--room->taken > 0)
        return;
    int64_t held_until = room->until.at_ms;
    set_state(self, room, held_until ? ROOM_HELD : ROOM_READY, held_until);
}

/* Everything taken and not answered waits again; the part that is out may be `unsure`. */
static void give_back(batches_t *self, bool unsure) {
    for (size_t i = self->begin; i < self->run_n; i++) {
        job_t *job = self->run[i];
        room_t *room = room_of(self, job);
        job->unsure = (unsure && i < self->end) || job->unsure;
        enqueue(self, room, job);
        settle(self, room, 0);
    }
    self->begin = self->end = self->run_n = 0;
    self->holds = false;
}

static void take_out(batches_t *self, job_t *job) {
    ASSERT(self->out);
    size_t left = 0;
    bool found = false;
    for (size_t i = self->begin; i < self->end; i++) {
        if (self->run[i] == job) {
            self->run[i] = NULL;
            found = true;
        } else if (self->run[i]) {
            left++;
            if (found)
                break;
        }
    }
    ASSERT(found);
    if (left > 0)
        return;
    self->out = false;
    self->begin = self->end;
    self->attempts = 0;
    if (self->piece < self->limits.rows)
        self->piece *= 2;
    /* What is left may have jobs of a room that is held, and must not overtake. */
    if (self->holds)
        give_back(self, false);
}

void batches_done(batches_t *self, job_t *job) {
    take_out(self, job);
    forget(self, job);
    settle(self, room_of(self, job), 0);
}

void batches_hold(batches_t *self, job_t *job, int64_t until_ms) {
    room_t *room = room_of(self, job);
    self->holds = true;
    take_out(self, job);
    job->unsure = false;
    enqueue(self, room, job);
    settle(self, room, until_ms);
}

job_t *batches_failed(batches_t *self, batch_failure_t failure) {
    ASSERT(self->out);
    self->out = false;
    if (failure == BATCH_AGAIN && ++self->attempts < BATCH_ATTEMPTS)
        return NULL;
    self->attempts = 0;
    if (failure == BATCH_AWAY || failure == BATCH_LOST) {
        give_back(self, failure == BATCH_LOST);
        return NULL;
    }
    size_t n = self->end - self->begin;
    if (n > 1) {
        self->piece = n / 2;
        return NULL;
    }
    job_t *offender = self->run[self->begin];
    self->begin = self->end;
    self->piece = 1;
    forget(self, offender);
    settle(self, room_of(self, offender), 0);
    return offender;
}

/* ---- waiting ---- */

static job_t *take_waiting(batches_t *self, job_t *job) {
    room_t *room = room_of(self, job);
    dequeue(self, room, job);
    forget(self, job);
    if (!room->waiting && room->state != ROOM_TAKEN)
        set_state(self, room, ROOM_READY, 0);
    return job;
}

job_t *batches_expire(batches_t *self, int64_t now_ms) {
    deadline_t *due = deadline_pop_due(&self->deadlines, now_ms);
    return due ? take_waiting(self, DEADLINE_OWNER(due, job_t, deadline)) : NULL;
}

job_t *batches_drop(batches_t *self, size_t broker) {
    room_t *room = NULL, *following = NULL;
    HASH_ITER(hh, self->rooms, room, following) {
        job_t *job = NULL;
        DL_FOREACH(room->waiting, job) {
            if (job->broker == broker && !job->unsure)
                return take_waiting(self, job);
        }
    }
    return NULL;
}

int64_t batches_next_ms(const batches_t *self) {
    int64_t expiry = deadline_next(&self->deadlines);
    int64_t held = deadline_next(&self->held);
    return expiry < held ? expiry : held;
}

bool batches_is_out(const batches_t *self) {
    return self->out;
}

size_t batches_count(const batches_t *self) {
    return self->count;
}

size_t batches_bytes(const batches_t *self) {
    return self->bytes;
}

void batches_free(batches_t **self_in) {
    batches_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    for (size_t i = self->begin; i < self->run_n; i++) {
        if (self->run[i])
            room_of(self, self->run[i])->taken--;
        job_free(&self->run[i]);
    }
    room_t *room = NULL, *following = NULL;
    HASH_ITER(hh, self->rooms, room, following) {
        while (room->waiting) {
            job_t *job = room->waiting;
            dequeue(self, room, job);
            job_free(&job);
        }
        set_state(self, room, ROOM_READY, 0);
    }
    deadline_heap_fini(&self->held);
    deadline_heap_fini(&self->deadlines);
    free(self->run);
    free(self);
}
