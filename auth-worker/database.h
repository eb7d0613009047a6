/* One connection to PostgreSQL on the loop: statements one after the other, each with a deadline,
 * and reconnecting by itself. Resolving and connecting run on a thread of libuv's pool, because
 * libpq resolves names blockingly. */
#pragma once

#include <uv.h>

#include "common/str.h"

enum {
    DATABASE_PARAMETERS_MAX = 8,
    DATABASE_CONNECT_SECONDS = 3,
    DATABASE_RETRY_MIN_MS = 100, /* between attempts to connect; doubles up to … */
    DATABASE_RETRY_MAX_MS = 5000,
    DATABASE_GRACE_MS = 1000, /* beyond statement_timeout_ms without an answer the connection counts
                                 as lost */
};

/* Strings are borrowed. */
typedef struct {
    const char *url;  /* postgresql://… or keyword=value … */
    const char *name; /* application_name, and in logs */
    int64_t statement_timeout_ms;
    size_t queue_max; /* statements waiting or under way; over it, ERR_UNAVAILABLE */
    /* Told how long each statement took that was answered, without waiting. NULL: nobody is. */
    void (*took)(void *ctx, double seconds);
    void *ctx;
} database_settings_t;

/* Is it a postgresql:// URL or libpq's name=value parameters? */
bool database_url_is_valid(str_t url);

typedef struct database database_t;
struct pg_result; /* libpq's PGresult */

/* How a statement ended: OK with its rows (valid until the return), ERR_UNAVAILABLE when trying
 * again may help (whether it took effect is not known if the connection broke), ERR_IO when the
 * statement itself is at fault; both are logged here. May execute further statements. */
typedef void (*database_done_fn)(void *ctx, err_t err, const struct pg_result *rows);

database_t *database_new(uv_loop_t *loop, const database_settings_t *settings);
/* Drops what waits without calling back and closes the connection; the memory goes when the loop
 * has run. Clears the pointer. */
void database_free(database_t **self);

/* Runs `sql` (static text) with text parameters (copied). ERR_UNAVAILABLE at once while there is no
 * connection or the queue is full; else `done` runs later, never within. */
err_t database_execute(database_t *self, const char *sql, const str_t *parameters, size_t count,
                       database_done_fn done, void *ctx) MUST_CHECK;

bool database_is_up(const database_t *self);
/* "up", "connecting" or "down": for /health. */
const char *database_state_name(const database_t *self);
size_t database_pending(const database_t *self);
