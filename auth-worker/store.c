#include "auth-worker/store.h"

#include <libpq-fe.h>

#include "auth-worker/database.h"

struct store {
    database_t *reads;
    database_t *writes;
};

/* Columns of find_sql. */
enum { FIND_NAME, FIND_ROLE, FIND_HASH, FIND_KEY };

static const char find_sql[] = "SELECT u.name, u.role, c.password_hash, c.registration_key"
                               " FROM users u LEFT JOIN credentials c ON c.user_id = u.id"
                               " WHERE u.id = $1";

/* One statement, so that there is never one row without the other. A user who is known already,
 * from wherever, keeps what he has: nobody may put a password on another's id. */
static const char register_sql[] =
    "WITH made AS (INSERT INTO users (id, name, role) VALUES ($1, $2, $3)"
    " ON CONFLICT (id) DO NOTHING RETURNING id)"
    " INSERT INTO credentials (user_id, password_hash, registration_key)"
    " SELECT id, $4, $5 FROM made RETURNING user_id";

store_t *store_new(uv_loop_t *loop, const char *url, void (*took)(void *ctx, double seconds),
                   void *ctx) {
    store_t *self = xcalloc(1, sizeof(*self));
    database_settings_t settings = {.url = url,
                                    .name = "parley-auth-worker reads",
                                    .statement_timeout_ms = STORE_STATEMENT_TIMEOUT_MS,
                                    .queue_max = STORE_QUEUE_MAX,
                                    .took = took,
                                    .ctx = ctx};
    self->reads = database_new(loop, &settings);
    settings.name = "parley-auth-worker writes";
    self->writes = database_new(loop, &settings);
    return self;
}

void store_free(store_t **self) {
    if (!*self)
        return;
    database_free(&(*self)->reads);
    database_free(&(*self)->writes);
    free(*self);
    *self = NULL;
}

static str_t text_at(const PGresult *rows, int column) {
    return (str_t){PQgetvalue(rows, 0, column), (size_t)PQgetlength(rows, 0, column)};
}

static void on_found(void *ctx, err_t err, const PGresult *rows) {
    store_waiter_t *waiter = ctx;
    store_account_t account;
    if (err != OK || PQntuples(rows) == 0) {
        waiter->done.found(waiter->ctx, err, NULL);
        return;
    }
    account = (store_account_t){.name = text_at(rows, FIND_NAME), .role = text_at(rows, FIND_ROLE)};
    account.has_password = !PQgetisnull(rows, 0, FIND_HASH);
    if (account.has_password) {
        account.password_hash = PQgetvalue(rows, 0, FIND_HASH);
        account.registration_key = PQgetvalue(rows, 0, FIND_KEY);
    }
    waiter->done.found(waiter->ctx, OK, &account);
}

err_t store_find(store_t *self, str_t user_id, store_waiter_t *waiter) {
    return database_execute(self->reads, find_sql, &user_id, 1, on_found, waiter);
}

static void on_registered(void *ctx, err_t err, const PGresult *rows) {
    store_waiter_t *waiter = ctx;
    if (err == OK && PQntuples(rows) == 0)
        err = ERR_EXISTS;
    waiter->done.registered(waiter->ctx, err);
}

err_t store_register(store_t *self, const store_registration_t *registration,
                     store_waiter_t *waiter) {
    const str_t parameters[] = {registration->user_id, registration->name, registration->role,
                                registration->password_hash, registration->registration_key};
    return database_execute(self->writes, register_sql, parameters,
                            sizeof(parameters) / sizeof(parameters[0]), on_registered, waiter);
}

bool store_is_up(const store_t *self) {
    return database_is_up(self->reads) && database_is_up(self->writes);
}

const char *store_state_name(const store_t *self) {
    return database_state_name(database_is_up(self->reads) ? self->writes : self->reads);
}

size_t store_pending(const store_t *self) {
    return database_pending(self->reads) + database_pending(self->writes);
}
