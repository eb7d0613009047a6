/* The HTTP server: libmicrohttpd on the service's loop. It reads whole requests within limits of
 * size and time, answers what needs no other service, hands the rest to the API and sends the
 * answers. */
#pragma once

#include "common/metrics.h"
#include "rest/api.h"
#include "rest/rest_config.h"
#include "rest/static_files.h"

typedef struct http http_t;

/* All of it outlives the server. */
typedef struct {
    const rest_config_t *config;
    const static_files_t *files;
    metrics_t *metrics;
    api_t *api;
} http_options_t;

/* Listens. ERR_IO: logged. */
err_t http_new(uv_loop_t *loop, const http_options_t *options, http_t **self_out) MUST_CHECK;
uint16_t http_port(const http_t *self);

/* Sets the gauges, before they are written. */
void http_update_metrics(const http_t *self);

/* Takes no new connections; each one that there is ends with its next answer, idle ones within
 * HTTP_DRAIN_IDLE_MS. Calls `drained` when the last one has ended. */
enum { HTTP_DRAIN_IDLE_MS = 1000 };
void http_drain(http_t *self, void (*drained)(void *context), void *context);

/* Ends every connection at once and closes the handles; the memory goes when the loop has run.
 * Clears the pointer. */
void http_close(http_t **self);
