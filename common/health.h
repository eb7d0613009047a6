/* What GET /health and GET /ready say, the same on every port that serves them. */
#pragma once

#include "common/strbuf.h"

#define HEALTH_DEPENDENCIES_MAX 32

typedef struct {
    const char *name;   /* "postgresql", "broker tcp://…" */
    const char *state;  /* "up", "down", "connecting", … */
    const char *detail; /* more in words, or NULL; nothing secret */
} health_dependency_t;

typedef struct {
    const char *service;
    const char *instance;
    const char *version;
    const health_dependency_t *dependencies;
    size_t dependency_count;
} health_report_t;

typedef enum {
    HEALTH_READY,     /* takes new clients: 200 */
    HEALTH_NOT_READY, /* not now: 503 */
    HEALTH_DRAINING,  /* no new clients any more, those it has stay: 404 */
} health_ready_t;

/* Appends the JSON object of /health. */
void health_write(const health_report_t *report, strbuf_t *out);

/* The HTTP status and the JSON body of /ready. */
unsigned health_ready_status(health_ready_t ready);
const char *health_ready_body(health_ready_t ready);
