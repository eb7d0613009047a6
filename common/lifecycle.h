/* How a service ends: SIGTERM or SIGINT drains it, a second one or the deadline stops it at once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/err.h"

/* What main() returns. */
enum {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILED = 1,  /* could not start or go on; the log says why */
    EXIT_CODE_USAGE = 2,   /* bad arguments or configuration */
    EXIT_CODE_CUT_OFF = 3, /* stopped before its drain was done */
};

typedef struct lifecycle lifecycle_t;

typedef struct {
    /* Called once, when a drain begins; lifecycle_stop() ends it. deadline_ms: monotonic. NULL:
     * there is nothing to drain. */
    void (*drain)(void *context, int64_t deadline_ms);
    void *context;
} lifecycle_ops_t;

/* Ignores SIGPIPE and SIGHUP and listens for SIGTERM and SIGINT on the loop. */
err_t lifecycle_new(uv_loop_t *loop, int64_t drain_ms, const lifecycle_ops_t *ops,
                    lifecycle_t **self_out) MUST_CHECK;

/* Begins a drain as SIGTERM does; nothing happens when one is under way. */
void lifecycle_drain(lifecycle_t *self);

/* Makes uv_run() return. The first call's exit code counts. */
void lifecycle_stop(lifecycle_t *self, int exit_code);

bool lifecycle_is_draining(const lifecycle_t *self);
int lifecycle_exit_code(const lifecycle_t *self);

/* Closes its handles; the memory goes when the loop has run. Clears the pointer. */
void lifecycle_free(lifecycle_t **self);

/* Runs the loop until every handle has closed, then closes the loop. Handles still open after two
 * seconds are our own bug: they are logged, closed, and their number is returned. */
size_t lifecycle_finish_loop(uv_loop_t *loop);
