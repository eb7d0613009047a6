#include "auth-worker/accounts.h"

#include <sodium/utils.h>
#include <utlist.h>

#include "auth-worker/policy.h"
#include "common/clock.h"
#include "common/ids.h"

enum {
    DATABASE_RETRY_MS = 1000, /* what those are told whom the database's absence turns away */
    NAME_MAX_BYTES = 256,     /* of a name on the bus */
    PASSWORD_MAX_BYTES = 1024,
    ADDRESS_MAX_BYTES = 64,
    FINDS_MAX =
        2, /* by one registration: before it makes the user, and if somebody else just did */
};

/* One request on its way. Registering: find, then hash, make; or compare when the user was made by
 * this very request before. Logging in: find, compare. */
typedef struct job {
    struct job *prev, *next;
    accounts_t *owner;
    accounts_request_t request;
    store_waiter_t waiter;
    bool registering;
    bool has_account; /* there is a password to compare with */
    int finds;
    char user_id[IDS_USER_MAX + 1]; /* empty: none that there could be */
    char name[NAME_MAX_BYTES + 1];
    char role[CLAIMS_ROLE_MAX_BYTES + 1];
    char password[PASSWORD_MAX_BYTES]; /* password_n bytes; may hold anything */
    size_t password_n;
    char key[POLICY_KEY_MAX_BYTES + 1];
    char address[ADDRESS_MAX_BYTES + 1];
} job_t;

struct accounts {
    accounts_options_t options;
    job_t *jobs;
    size_t jobs_n;
};

accounts_t *accounts_new(const accounts_options_t *options) {
    accounts_t *self = xcalloc(1, sizeof(*self));
    self->options = *options;
    return self;
}

static void job_free(job_t *job) {
    DL_DELETE(job->owner->jobs, job);
    job->owner->jobs_n--;
    sodium_memzero(job, sizeof(*job));
    free(job);
}

void accounts_free(accounts_t **self) {
    if (!*self)
        return;
    while ((*self)->jobs)
        job_free((*self)->jobs);
    free(*self);
    *self = NULL;
}

size_t accounts_pending(const accounts_t *self) {
    return self->jobs_n;
}

/* ---- ends of a job ---- */

static void reply_error(accounts_t *self, const accounts_request_t *request, code_t code,
                        const char *message, uint64_t retry_after_ms) {
    answer_t answer = {0};
    answer_error(&answer, code, message, retry_after_ms);
    self->options.reply(self->options.ctx, request, &answer);
    answer_fini(&answer);
}

static void fail(job_t *job, code_t code, const char *message, uint64_t retry_after_ms) {
    reply_error(job->owner, &job->request, code, message, retry_after_ms);
    job_free(job);
}

/* The attempt doesn't count: it succeeded, or nothing was tried. */
static void give_attempt_back(job_t *job) {
    const accounts_options_t *options = &job->owner->options;
    if (!job->registering)
        attempts_give_back(options->logins, str_from(job->user_id), str_from(job->address));
}

/* The database or the password threads can't do it now. */
static void fail_for_now(job_t *job, err_t err, const char *message, uint64_t retry_after_ms) {
    give_attempt_back(job);
    if (err == ERR_UNAVAILABLE)
        fail(job, CODE_UNAVAILABLE, message, retry_after_ms);
    else
        fail(job, CODE_INTERNAL, "internal error", 0);
}

static void fail_without_database(job_t *job, err_t err) {
    fail_for_now(job, err, "accounts can't be reached now", DATABASE_RETRY_MS);
}

static void fail_without_hash(job_t *job, err_t err) {
    fail_for_now(job, err, "too many passwords to check now",
                 password_retry_after_ms(job->owner->options.passwords));
}

static void succeed(job_t *job) {
    accounts_t *self = job->owner;
    answer_t answer = {0};
    give_attempt_back(job);
    authority_issue(self->options.authority, str_from(job->user_id), str_from(job->name),
                    str_from(job->role), clock_unix_ms(), &answer);
    self->options.reply(self->options.ctx, &job->request, &answer);
    answer_fini(&answer);
    job_free(job);
}

/* Whoever asked has given up: spend no further work on it. */
static bool abandon(job_t *job) {
    if (clock_now_ms() < job->request.give_up_at_ms)
        return false;
    give_attempt_back(job);
    job_free(job);
    return true;
}

/* ---- steps ---- */

/* Copies with a NUL behind; the schema and policy have held `text` to its bound. */
static void copy_text(char *to, size_t room, str_t text) {
    ASSERT(text.n < room);
    if (text.n)
        memcpy(to, text.p, text.n);
    to[text.n] = '\0';
}

/* What others stored may be longer than what we show. */
static void copy_if_it_fits(char *to, size_t room, str_t text) {
    copy_text(to, room, text.n < room ? text : STR(""));
}

static void find(job_t *job);

static void on_made(void *ctx, err_t err) {
    job_t *job = ctx;
    if (err == OK)
        succeed(job);
    else if (err == ERR_EXISTS && job->finds < FINDS_MAX)
        find(job); /* made since we looked: by somebody else, or by this request sent twice */
    else if (err == ERR_EXISTS)
        fail(job, CODE_CONFLICT, "this id is taken", 0);
    else
        fail_without_database(job, err);
}

static void on_hashed(void *ctx, const password_outcome_t *outcome) {
    job_t *job = ctx;
    accounts_t *self = job->owner;
    self->options.computed(self->options.ctx, outcome->seconds);
    if (abandon(job))
        return;
    if (outcome->result != PASSWORD_HASHED) {
        fail_without_hash(job, ERR_UNAVAILABLE);
        return;
    }
    store_registration_t registration = {.user_id = str_from(job->user_id),
                                         .name = str_from(job->name),
                                         .role = str_from(job->role),
                                         .password_hash = str_from(outcome->hash),
                                         .registration_key = str_from(job->key)};
    job->waiter.done.registered = on_made;
    err_t err = store_register(self->options.store, &registration, &job->waiter);
    if (err != OK)
        fail_without_database(job, err);
}

static void on_compared(void *ctx, const password_outcome_t *outcome) {
    job_t *job = ctx;
    accounts_t *self = job->owner;
    self->options.computed(self->options.ctx, outcome->seconds);
    if (outcome->result == PASSWORD_FAILED)
        fail_without_hash(job, ERR_UNAVAILABLE);
    else if (outcome->result == PASSWORD_MATCH && job->has_account)
        succeed(job);
    else if (job->registering)
        fail(job, CODE_CONFLICT, "this id is taken", 0);
    else
        fail(job, CODE_UNAUTHORIZED, "unknown user or wrong password", 0);
}

static str_t password_of(const job_t *job) {
    return (str_t){job->password, job->password_n};
}

static void hash(job_t *job) {
    err_t err = password_hash(job->owner->options.passwords, password_of(job), on_hashed, job);
    if (err != OK)
        fail_without_hash(job, err);
}

/* Without an account it compares too, with nothing that could match: for the time it takes. */
static void compare(job_t *job, const store_account_t *account) {
    job->has_account = account && account->has_password;
    if (job->has_account) {
        copy_if_it_fits(job->name, sizeof(job->name), account->name);
        copy_if_it_fits(job->role, sizeof(job->role), account->role);
    }
    err_t err = password_verify(job->owner->options.passwords, password_of(job),
                                job->has_account ? account->password_hash : NULL, on_compared, job);
    if (err != OK)
        fail_without_hash(job, err);
}

/* A user that this very request made before, its answer having been lost. */
static bool made_by(const job_t *job, const store_account_t *account) {
    return account->has_password && strcmp(account->registration_key, job->key) == 0;
}

static void on_found(void *ctx, err_t err, const store_account_t *account) {
    job_t *job = ctx;
    if (abandon(job))
        return;
    if (err != OK)
        fail_without_database(job, err);
    else if (!job->registering || (account && made_by(job, account)))
        compare(job, account);
    else if (!account)
        hash(job);
    else
        fail(job, CODE_CONFLICT, "this id is taken", 0);
}

static void find(job_t *job) {
    job->finds++;
    job->waiter = (store_waiter_t){.done.found = on_found, .ctx = job};
    err_t err = store_find(job->owner->options.store, str_from(job->user_id), &job->waiter);
    if (err != OK)
        fail_without_database(job, err);
}

/* ---- requests ---- */

static job_t *job_new(accounts_t *self, const accounts_request_t *request, str_t password,
                      str_t address) {
    job_t *job = xcalloc(1, sizeof(*job));
    job->owner = self;
    job->request = *request;
    ASSERT(password.n <= sizeof(job->password));
    job->password_n = password.n;
    if (password.n)
        memcpy(job->password, password.p, password.n);
    copy_text(job->address, sizeof(job->address), address);
    DL_APPEND(self->jobs, job);
    self->jobs_n++;
    return job;
}

/* False when the request has been answered already. */
static bool may_register(accounts_t *self, const accounts_request_t *request,
                         const proto_auth_register_t *message) {
    int64_t retry_after_ms = 0;
    policy_registration_t registration = {.id = message->id,
                                          .name = message->name,
                                          .password = message->password,
                                          .role = message->role,
                                          .idempotency_key = message->idempotency_key};
    policy_result_t result =
        policy_check_registration(self->options.registration_open, &registration);
    if (result != POLICY_ALLOWED) {
        bool forbidden = result == POLICY_CLOSED || result == POLICY_FORBIDDEN_ROLE;
        reply_error(self, request, forbidden ? CODE_FORBIDDEN : CODE_INVALID_PAYLOAD,
                    policy_message(result), 0);
        return false;
    }
    if (!attempts_take(self->options.registrations, STR(""), message->address, clock_now_ms(),
                       &retry_after_ms)) {
        reply_error(self, request, CODE_RATE_LIMITED, "too many registrations",
                    (uint64_t)retry_after_ms);
        return false;
    }
    return true;
}

/* False when the request has been answered already. */
static bool can_issue(accounts_t *self, const accounts_request_t *request) {
    answer_t answer = {0};
    if (authority_can_issue(self->options.authority))
        return true;
    authority_refuse_to_issue(&answer);
    self->options.reply(self->options.ctx, request, &answer);
    answer_fini(&answer);
    return false;
}

void accounts_register(accounts_t *self, const accounts_request_t *request,
                       const proto_auth_register_t *message) {
    if (!can_issue(self, request) || !may_register(self, request, message))
        return;
    job_t *job = job_new(self, request, message->password, message->address);
    job->registering = true;
    copy_text(job->name, sizeof(job->name), message->name);
    copy_text(job->role, sizeof(job->role), message->role);
    copy_text(job->key, sizeof(job->key), message->idempotency_key);
    if (message->id.n)
        copy_text(job->user_id, sizeof(job->user_id), message->id);
    else
        policy_make_id(message->idempotency_key, job->user_id);
    find(job);
}

void accounts_login(accounts_t *self, const accounts_request_t *request,
                    const proto_auth_login_t *message) {
    int64_t retry_after_ms = 0;
    str_t user_id = ids_is_user(message->id) ? message->id : STR("");
    if (!can_issue(self, request))
        return;
    if (!attempts_take(self->options.logins, user_id, message->address, clock_now_ms(),
                       &retry_after_ms)) {
        reply_error(self, request, CODE_RATE_LIMITED, "too many attempts",
                    (uint64_t)retry_after_ms);
        return;
    }
    job_t *job = job_new(self, request, message->password, message->address);
    copy_text(job->user_id, sizeof(job->user_id), user_id);
    if (user_id.n)
        find(job);
    else
        compare(job, NULL); /* as a user who isn't there */
}
