/* Argon2id (libsodium) off the loop: a bounded number of threads, a bounded queue before them. */
#pragma once

#include <uv.h>

#include "common/str.h"

enum {
    PASSWORD_HASH_MAX_BYTES = 128, /* of a hash in its text form, NUL included */
    PASSWORD_PASSES_MAX = 16,
    PASSWORD_THREADS_MAX = 16,
};

typedef struct {
    uint64_t memory_kib; /* that one hash takes */
    uint64_t passes;     /* over that memory */
    uint64_t threads;    /* hashes computed at once */
    uint64_t queue_max;  /* further ones waiting; over it, ERR_UNAVAILABLE */
} password_settings_t;

typedef enum {
    PASSWORD_HASHED,   /* `hash` is there */
    PASSWORD_MATCH,    /* it is the password */
    PASSWORD_MISMATCH, /* it isn't, or there was none to compare with */
    PASSWORD_FAILED,   /* no memory for it */
} password_result_t;

typedef struct {
    password_result_t result;
    const char *hash; /* PASSWORD_HASHED: algorithm, settings, salt and hash as one text; valid
                         until the callback returns */
    double seconds;   /* that the computation took, without the wait before it */
} password_outcome_t;

typedef void (*password_done_fn)(void *ctx, const password_outcome_t *outcome);

typedef struct password password_t;

/* ERR_IO when even one hash can't be computed with these settings. Blocks for the time of one. */
err_t password_new(uv_loop_t *loop, const password_settings_t *settings,
                   password_t **self_out) MUST_CHECK;
/* Forgets what waits and calls nobody back any more; the memory goes when what is being computed
 * has ended, which keeps the loop running. Clears the pointer. */
void password_free(password_t **self);

/* Computes the hash to store for `password` (copied). `done` runs later, never within. */
err_t password_hash(password_t *self, str_t password, password_done_fn done, void *ctx) MUST_CHECK;

/* Compares `password` (copied) with a stored hash. Without one (NULL) it compares with the hash of
 * a password that nobody knows, so that an unknown user costs the same time as a wrong password. */
err_t password_verify(password_t *self, str_t password, const char *hash, password_done_fn done,
                      void *ctx) MUST_CHECK;

/* Waiting and under way. */
size_t password_pending(const password_t *self);
/* In about which time what is pending now will be done: what to tell those who are refused. At
 * least 100. */
uint64_t password_retry_after_ms(const password_t *self);
