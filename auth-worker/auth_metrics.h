/* The auth-worker's metrics. */
#pragma once

#include "common/metrics.h"

typedef enum {
    METRIC_VERIFICATIONS, /* by tokens_result_t */
    METRIC_REQUESTS,      /* by auth_request_t and code_t */
    METRIC_PASSWORD_SECONDS,
    METRIC_PASSWORD_PENDING,
    METRIC_ACCOUNTS_PENDING,
    METRIC_DATABASE_UP,
    METRIC_DATABASE_PENDING,
    METRIC_STATEMENT_SECONDS,
    METRIC_ATTEMPTS_REMEMBERED,
    METRIC_KEYS,
    METRIC_KEY_LOADS, /* 0 ok, 1 failed */
    METRIC_BAD_ENVELOPES,
    METRIC_COUNT,
} auth_metric_t;

/* The first label of METRIC_REQUESTS. */
typedef enum { AUTH_REGISTER, AUTH_LOGIN, AUTH_REFRESH } auth_request_t;

/* The caller frees it. */
metrics_t *auth_metrics_new(void);
