/* What every main() shares: arguments, configuration, log, loop, life cycle, admin port, process
 * metrics, teardown. */
#pragma once

#include <uv.h>

#include "common/config.h"
#include "common/health.h"
#include "common/lifecycle.h"

typedef struct service service_t;

/* `self` is what start() returned. Any but config, start, stop and free may be NULL. */
typedef struct {
    const config_schema_t *config;
    /* Builds the service on service_loop(). `config` lives until after free(). NULL: it failed, has
     * logged why, and left no handle open but ones that are closing. */
    void *(*start)(service_t *service, const void *config);
    /* SIGTERM: take no new work, finish what there is, then call service_stop(service,
     * EXIT_CODE_OK), before deadline_ms (monotonic). */
    void (*drain)(void *self, int64_t deadline_ms);
    /* Begins to close every handle. The loop runs once more until they are closed. */
    void (*stop)(void *self);
    /* After the loop has run out: frees the memory. */
    void (*free)(void *self);
    /* May it take new clients? Not asked while draining. NULL: always. */
    bool (*is_ready)(void *self);
    /* Fills up to HEALTH_DEPENDENCIES_MAX entries, returns their number. */
    size_t (*dependencies)(void *self, health_dependency_t *dependencies_out);
    /* Appends the service's metrics (metrics_write()). */
    void (*write_metrics)(void *self, strbuf_t *text_out);
} service_ops_t;

/* Runs the service until it ends; returns the exit code for main(). Options: --help, --version,
 * --check-config (0 or 2), --config-markdown. */
int service_main(const service_ops_t *ops, int argc, char **argv);

uv_loop_t *service_loop(service_t *service);
/* Ends the loop with this exit code: the drain is done, or the service can't go on (and has logged
 * why). */
void service_stop(service_t *service, int exit_code);
/* Drains as on SIGTERM, then exits. */
void service_begin_drain(service_t *service);
bool service_is_draining(const service_t *service);
/* For a /health or /ready on the service's public port: the same content as on the admin port. */
void service_health(service_t *service, strbuf_t *json_out);
health_ready_t service_ready(service_t *service);
