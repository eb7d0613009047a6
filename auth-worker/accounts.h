/* Registering and logging in: what needs the database and password hashes, several steps each. */
#pragma once

#include "auth-worker/attempts.h"
#include "auth-worker/authority.h"
#include "auth-worker/password.h"
#include "auth-worker/store.h"
#include "proto/envelope.h"

/* Where an answer goes; copied and handed back as it came. */
typedef struct {
    size_t broker;
    uint64_t epoch;        /* of that broker when it asked */
    envelope_t head;       /* its strings are empty */
    int64_t give_up_at_ms; /* monotonic: nobody waits any more from then on; INT64_MAX: always */
} accounts_request_t;

/* All borrowed, for as long as the accounts live. */
typedef struct {
    const authority_t *authority;
    password_t *passwords;
    store_t *store;
    attempts_t *logins;
    attempts_t *registrations;
    bool registration_open;
    /* Called once for each request, later or within, unless nobody waits for it any more. */
    void (*reply)(void *ctx, const accounts_request_t *request, const answer_t *answer);
    /* A hash or comparison took this long. */
    void (*computed)(void *ctx, double seconds);
    void *ctx;
} accounts_options_t;

typedef struct accounts accounts_t;

accounts_t *accounts_new(const accounts_options_t *options);
/* After passwords and store are gone: what was under way is forgotten unanswered. */
void accounts_free(accounts_t **self);

/* Makes the user and answers with a token. The same request again (same id, idempotency key and
 * password) is answered with a token again. */
void accounts_register(accounts_t *self, const accounts_request_t *request,
                       const proto_auth_register_t *message);

/* Answers with a token if the password is right. An unknown user, one without a password and a
 * wrong password get the same answer after the same work. */
void accounts_login(accounts_t *self, const accounts_request_t *request,
                    const proto_auth_login_t *message);

/* Requests under way. */
size_t accounts_pending(const accounts_t *self);
