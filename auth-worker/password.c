#include "auth-worker/password.h"

#include <errno.h>
#include <sodium.h>
#include <utlist.h>

_Static_assert(PASSWORD_HASH_MAX_BYTES >= crypto_pwhash_STRBYTES, "a hash fits");

enum {
    RETRY_MIN_MS = 100,
    UNKNOWN_PASSWORD_BYTES = 32,
};

typedef struct job {
    uv_work_t request;
    struct job *prev, *next; /* while it waits */
    password_t *owner;
    bool compare; /* with `hash`; else the hash is made */
    bool unknown; /* there is nothing to compare with: never a match */
    char *password;
    size_t password_n;
    char hash[PASSWORD_HASH_MAX_BYTES];
    password_outcome_t outcome;
    password_done_fn done;
    void *ctx;
} job_t;

struct password {
    uv_loop_t *loop;
    password_settings_t settings;
    char unknown_hash[PASSWORD_HASH_MAX_BYTES]; /* of a password that was thrown away */
    job_t *waiting;                             /* the oldest first */
    size_t waiting_n;
    size_t running_n;
    double mean_seconds; /* of recent computations */
    bool closed;
};

static bool make_hash(const password_settings_t *settings, const char *password, size_t n,
                      char hash_out[PASSWORD_HASH_MAX_BYTES]) {
    return crypto_pwhash_str(hash_out, password, n, settings->passes,
                             (size_t)settings->memory_kib * 1024) == 0;
}

err_t password_new(uv_loop_t *loop, const password_settings_t *settings, password_t **self_out) {
    char unknown[UNKNOWN_PASSWORD_BYTES];
    ASSERT(settings->threads > 0 && settings->threads <= PASSWORD_THREADS_MAX);
    if (sodium_init() < 0)
        return ERR_IO;
    password_t *self = xcalloc(1, sizeof(*self));
    self->loop = loop;
    self->settings = *settings;
    randombytes_buf(unknown, sizeof(unknown));
    uint64_t began_ns = uv_hrtime();
    bool made = make_hash(settings, unknown, sizeof(unknown), self->unknown_hash);
    self->mean_seconds = (double)(uv_hrtime() - began_ns) / 1e9;
    sodium_memzero(unknown, sizeof(unknown));
    if (!made) {
        free(self);
        return ERR_IO;
    }
    *self_out = self;
    return OK;
}

static void job_free(job_t *job) {
    sodium_memzero(job->password, job->password_n);
    free(job->password);
    free(job);
}

void password_free(password_t **self) {
    job_t *job, *next;
    if (!*self)
        return;
    (*self)->closed = true;
    DL_FOREACH_SAFE((*self)->waiting, job, next) {
        DL_DELETE((*self)->waiting, job);
        job_free(job);
    }
    if ((*self)->running_n == 0)
        free(*self);
    *self = NULL;
}

/* On a thread of libuv's pool: touches the job alone, and settings, which never change. */
static password_result_t compute(job_t *job) {
    if (!job->compare)
        return make_hash(&job->owner->settings, job->password, job->password_n, job->hash)
                   ? PASSWORD_HASHED
                   : PASSWORD_FAILED;
    errno = 0;
    int outcome = crypto_pwhash_str_verify(job->hash, job->password, job->password_n);
    if (outcome != 0 && errno == ENOMEM)
        return PASSWORD_FAILED;
    return outcome == 0 && !job->unknown ? PASSWORD_MATCH : PASSWORD_MISMATCH;
}

static void on_work(uv_work_t *request) {
    job_t *job = request->data;
    uint64_t began_ns = uv_hrtime();
    job->outcome.result = compute(job);
    job->outcome.seconds = (double)(uv_hrtime() - began_ns) / 1e9;
}

static void start_waiting(password_t *self);

static void on_worked(uv_work_t *request, int status) {
    job_t *job = request->data;
    password_t *self = job->owner;
    ASSERT(status == 0);
    self->running_n--;
    if (self->closed) {
        if (self->running_n == 0)
            free(self);
    } else {
        self->mean_seconds = 0.9 * self->mean_seconds + 0.1 * job->outcome.seconds;
        start_waiting(self);
        if (job->outcome.result == PASSWORD_HASHED)
            job->outcome.hash = job->hash;
        job->done(job->ctx, &job->outcome);
    }
    job_free(job);
}

static void start_waiting(password_t *self) {
    while (self->waiting && self->running_n < self->settings.threads) {
        job_t *job = self->waiting;
        DL_DELETE(self->waiting, job);
        self->waiting_n--;
        self->running_n++;
        job->request.data = job;
        ASSERT(uv_queue_work(self->loop, &job->request, on_work, on_worked) == 0);
    }
}

static bool full(const password_t *self) {
    return self->waiting_n + self->running_n >= self->settings.queue_max + self->settings.threads;
}

/* Takes the job's ownership. */
static void submit_take(password_t *self, job_t *job) {
    DL_APPEND(self->waiting, job);
    self->waiting_n++;
    start_waiting(self);
}

static job_t *job_new(password_t *self, str_t password, password_done_fn done, void *ctx) {
    job_t *job = xcalloc(1, sizeof(*job));
    job->owner = self;
    job->password = str_dup(password);
    job->password_n = password.n;
    job->done = done;
    job->ctx = ctx;
    return job;
}

err_t password_hash(password_t *self, str_t password, password_done_fn done, void *ctx) {
    if (full(self))
        return ERR_UNAVAILABLE;
    submit_take(self, job_new(self, password, done, ctx));
    return OK;
}

err_t password_verify(password_t *self, str_t password, const char *hash, password_done_fn done,
                      void *ctx) {
    if (full(self))
        return ERR_UNAVAILABLE;
    job_t *job = job_new(self, password, done, ctx);
    job->compare = true;
    job->unknown = !hash || strlen(hash) >= sizeof(job->hash);
    if (job->unknown)
        hash = self->unknown_hash;
    memcpy(job->hash, hash, strlen(hash) + 1);
    submit_take(self, job);
    return OK;
}

size_t password_pending(const password_t *self) {
    return self->waiting_n + self->running_n;
}

uint64_t password_retry_after_ms(const password_t *self) {
    double seconds =
        self->mean_seconds * (double)password_pending(self) / (double)self->settings.threads;
    uint64_t ms = (uint64_t)(seconds * 1000);
    return ms > RETRY_MIN_MS ? ms : RETRY_MIN_MS;
}
