/* Connections to the database of DATABASE_URL on one loop, and short ways to make jobs and to run
 * them, one after the other or at the same time on several connections. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "persist-worker/migrate.h"
#include "persist-worker/store.h"

enum { WORLD_CONNECTIONS_MAX = 4, WORLD_JOBS_MAX = 512 };

/* What runs on one connection. */
typedef struct {
    db_t *db;
    store_known_t known;
    db_script_t script;
    batch_t batch;
    store_layout_t layout;
    bool running;
    db_status_t status;
    char sqlstate[6];
    store_written_t written[WORLD_JOBS_MAX];
    strbuf_t texts[WORLD_JOBS_MAX]; /* JSON of each stored message */
    unsigned losses;
} world_line_t;

typedef struct {
    uv_loop_t loop;
    uv_timer_t deadline;
    bool late;
    db_config_t config;
    migrate_t *migrate;
    proto_arena_t *arena;
    world_line_t lines[WORLD_CONNECTIONS_MAX];
    size_t n;
    strbuf_t answer; /* world_query's */
    uint64_t made;   /* jobs */
} world_t;

world_t *world_new(size_t connections);
void world_free(world_t **self);

/* Runs the loop until *condition is `wanted`; fails after 30 s. */
void world_until(world_t *self, const bool *condition, bool wanted);
/* Until the connection is ready. */
void world_connected(world_t *self, size_t line);

/* Jobs that passed job_check. */
job_t *world_send(world_t *self, const char *room, const char *user, const char *client_id,
                  const char *text, uint64_t reply_to);
job_t *world_mark(world_t *self, const char *room, const char *user, int64_t seq); /* -1: head */
job_t *world_seen(world_t *self, const char *user, const char *name, const char *role);
/* Any other request, from its encoded body. */
job_t *world_job(world_t *self, uint16_t type, const char *room, const char *user, strbuf_t *body);
void world_free_jobs(job_t **jobs, size_t n);

/* Starts a batch on a connection; world_wait ends it. The jobs stay the caller's. */
void world_start(world_t *self, size_t line, job_t *const *jobs, size_t n);
void world_wait(world_t *self, size_t line);
/* Both, on the first connection; asserts that it was committed. */
store_written_t *world_write(world_t *self, job_t *const *jobs, size_t n);
/* One job, freed here. */
store_written_t world_write_one(world_t *self, job_t *job);

/* Runs a job that comes alone; `use` sees the rows. */
typedef void (*world_use_fn)(void *arg, const job_t *job, const db_outcome_t *outcome);
void world_alone(world_t *self, job_t *job, world_use_fn use, void *arg);
/* Runs the script of the first connection; `use` sees the rows. */
void world_run(world_t *self, world_use_fn use, void *arg);

/* The first fields of a query by another, blocking connection, a line each. Valid until the next.
 */
const char *world_query(world_t *self, const char *format, ...) PRINTF_LIKE(2, 3);
