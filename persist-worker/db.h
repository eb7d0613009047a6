/* One connection to PostgreSQL: libpq without blocking, on the libuv loop. It connects in the
 * background, again and again with a growing pause, prepares every statement (statements.h), and
 * runs one script at a time: several statements in one round trip and one transaction. */
#pragma once

#include <libpq-fe.h>
#include <uv.h>

#include "persist-worker/pg_params.h"
#include "persist-worker/statements.h"

enum { DB_SCRIPT_MAX = 8 };

/* Statements with their parameters. Zeroed is valid; kept and refilled, it allocates no more. */
typedef struct {
    size_t n;
    statement_t statements[DB_SCRIPT_MAX];
    pg_params_t params[DB_SCRIPT_MAX];
} db_script_t;

void db_script_clear(db_script_t *self);
void db_script_fini(db_script_t *self);
/* Adds a statement and returns its parameters, to be filled. */
pg_params_t *db_script_add(db_script_t *self, statement_t statement);

typedef enum {
    DB_OK,     /* committed */
    DB_FAILED, /* the server refused a statement or the commit; nothing was written */
    DB_LOST,   /* the connection is gone; it may have been committed */
} db_status_t;

typedef struct {
    db_status_t status;
    PGresult **results; /* DB_OK: one for each statement, binary; freed after the callback, but for
                           one that it takes (and sets to NULL) */
    size_t n;
    str_t sqlstate; /* DB_FAILED */
    str_t message;  /* PostgreSQL's, for the log */
} db_outcome_t;

typedef void (*db_done_fn)(void *arg, const db_outcome_t *outcome);

typedef struct db db_t;

typedef struct {
    const char *url;              /* DATABASE_URL; borrowed */
    const char *application_name; /* borrowed */
    int64_t statement_timeout_ms;
    int64_t lock_timeout_ms;
} db_config_t;

typedef struct {
    /* Called on each new connection before the statements are prepared; it ends with
     * db_prepared(). NULL: nothing to do. */
    void (*set_up)(void *ctx, db_t *db);
    /* The connection is ready for a script: after connecting and after each script. */
    void (*ready)(void *ctx, db_t *db);
    /* The connection is lost, or could not be made; another try follows. */
    void (*lost)(void *ctx, db_t *db, const char *why);
} db_handler_t;

/* `config` and `handler` are borrowed. */
db_t *db_new(uv_loop_t *loop, const db_config_t *config, const db_handler_t *handler, void *ctx);
/* Closes the connection; the script that runs isn't called back. The memory goes when the loop has
 * run. Clears the pointer. */
void db_close(db_t **self);

bool db_is_ready(const db_t *self);
bool db_is_connected(const db_t *self);
/* Connections made so far. */
uint64_t db_connects(const db_t *self);

/* Runs the script in one transaction; db_is_ready() must hold. Parameters are copied. `done` always
 * runs later, once. */
void db_run(db_t *self, const db_script_t *script, db_done_fn done, void *arg);

/* Within set_up: runs SQL text (several commands) and gives the last result, NULL when it failed
 * (then set_up must end with db_prepared(…, false)). `timeout_ms` replaces the usual bound. */
void db_run_text(db_t *self, const char *sql, int64_t timeout_ms,
                 void (*done)(void *arg, PGresult *last), void *arg);
/* Ends set_up. false: the connection is given up and made anew. */
void db_prepared(db_t *self, bool ok);
