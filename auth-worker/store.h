/* Users and their password hashes in PostgreSQL. */
#pragma once

#include <uv.h>

#include "common/str.h"

enum {
    STORE_QUEUE_MAX = 256, /* statements waiting, of reads and of writes each */
    STORE_STATEMENT_TIMEOUT_MS = 5000,
};

typedef struct store store_t;

/* A user as found; valid until the callback returns. */
typedef struct {
    str_t name;
    str_t role;
    bool has_password;            /* false: known from a token or another service alone */
    const char *password_hash;    /* NULL without a password */
    const char *registration_key; /* the idempotency key that made the user; NULL likewise */
} store_account_t;

/* OK: `account` is the user, NULL when there is none. ERR_UNAVAILABLE: trying again may help.
 * ERR_IO: it won't. */
typedef void (*store_found_fn)(void *ctx, err_t err, const store_account_t *account);

typedef struct {
    str_t user_id;
    str_t name;
    str_t role;
    str_t password_hash;
    str_t registration_key;
} store_registration_t;

/* OK: the user is committed. ERR_EXISTS: there is one of this id already. Else as above;
 * ERR_UNAVAILABLE says nothing about whether it was committed. */
typedef void (*store_registered_fn)(void *ctx, err_t err);

/* Embedded in what waits for an answer; must stay where it is until its callback, or until
 * store_free(). */
typedef struct {
    union {
        store_found_fn found;
        store_registered_fn registered;
    } done;
    void *ctx;
} store_waiter_t;

/* `url` is borrowed. Connects in the background, one connection for reads and one for writes. */
store_t *store_new(uv_loop_t *loop, const char *url, void (*took)(void *ctx, double seconds),
                   void *ctx);
/* Calls nobody back any more; the memory goes when the loop has run. Clears the pointer. */
void store_free(store_t **self);

/* The waiter's callback runs later, never within. ERR_UNAVAILABLE at once while the database is
 * away or too much waits; then there is no callback. */
err_t store_find(store_t *self, str_t user_id, store_waiter_t *waiter) MUST_CHECK;
err_t store_register(store_t *self, const store_registration_t *registration,
                     store_waiter_t *waiter) MUST_CHECK;

bool store_is_up(const store_t *self);
/* "up", "connecting" or "down": for /health. */
const char *store_state_name(const store_t *self);
size_t store_pending(const store_t *self);
