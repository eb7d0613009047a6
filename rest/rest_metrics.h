/* What rest counts. */
#pragma once

#include "common/metrics.h"
#include "rest/routes.h"

enum {
    METRIC_REQUESTS,
    METRIC_SECONDS,
    METRIC_WAITING,
    METRIC_RECEIVED_BYTES,
    METRIC_SENT_BYTES,
    METRIC_BODY_BYTES,
    METRIC_ANSWER_BYTES,
    METRIC_CONNECTIONS,
    METRIC_CONNECTIONS_TOTAL,
    METRIC_REFUSED,
    METRIC_FILES,
    METRIC_COUNT,
};

/* Series of METRIC_REQUESTS and METRIC_SECONDS beyond the routes. */
enum { SERIES_STATIC = ROUTE_COUNT, SERIES_PREFLIGHT, SERIES_UNMATCHED };

/* Series of METRIC_REFUSED: why a connection or request was turned away before any work. */
enum {
    REFUSED_ADDRESS_CONNECTIONS,
    REFUSED_ADDRESS_RATE,
    REFUSED_USER_RATE,
    REFUSED_WAITING,
    REFUSED_BODY_BYTES,
    REFUSED_ANSWER_BYTES,
    REFUSED_BUS,
    REFUSED_TOO_SLOW,
    REFUSED_EVICTED,
    REFUSED_HTTP,
    REFUSED_ORIGIN,
};

metrics_t *rest_metrics_new(void);
