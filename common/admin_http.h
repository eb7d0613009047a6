/* The service's own HTTP port: GET /health, /ready and /metrics. */
#pragma once

#include <uv.h>

#include "common/config.h"
#include "common/health.h"

#define ADMIN_HTTP_CONNECTIONS_MAX 64
#define ADMIN_HTTP_LIFE_MS 10000       /* of a connection, which is for one request */
#define ADMIN_HTTP_HEAD_BYTES_MAX 8192 /* memory of one connection: request line and headers */

typedef struct admin_http admin_http_t;

typedef struct {
    /* Appends the JSON of /health (health_write()). */
    void (*health)(void *context, strbuf_t *json_out);
    health_ready_t (*ready)(void *context);
    void (*metrics)(void *context, strbuf_t *text_out);
    void *context;
} admin_http_ops_t;

err_t admin_http_new(uv_loop_t *loop, const config_endpoint_t *listen, const admin_http_ops_t *ops,
                     admin_http_t **self_out) MUST_CHECK;
/* The port it listens on. */
uint16_t admin_http_port(const admin_http_t *self);
/* Stops listening and closes its handles; the memory goes when the loop has run. Clears the
 * pointer. */
void admin_http_free(admin_http_t **self);
