/* Brings the database's schema up to date, under an advisory lock and in one transaction, so that
 * any number of workers may start at once. */
#pragma once

#include "persist-worker/db.h"

/* One file of schema/, built in. */
typedef struct {
    unsigned number;
    const char *name; /* "001_initial.sql" */
    const char *sql;
} migration_t;

extern const migration_t migrations[];
extern const size_t migration_count;

typedef struct migrate migrate_t;

/* For db_handler_t.set_up: applies what the table schema_migrations doesn't have, then calls
 * db_prepared(). A migration that was applied with another content is refused. */
migrate_t *migrate_new(void);
void migrate_free(migrate_t **self);
void migrate_run(migrate_t *self, db_t *db);
/* Whether the schema was found or brought up to date at least once. */
bool migrate_is_done(const migrate_t *self);
