#include "rest/rest_metrics.h"

#define ROUTE(id, method, pattern, auth, body) #method " " pattern,
static const char *const route_values[] = {ROUTES(ROUTE) "static", "preflight", "unmatched", NULL};
#undef ROUTE

static const char *const status_values[] = {"1xx", "2xx", "3xx", "4xx", "5xx", NULL};

static const char *const refused_values[] = {
    [REFUSED_ADDRESS_CONNECTIONS] = "address_connections",
    [REFUSED_ADDRESS_RATE] = "address_rate",
    [REFUSED_USER_RATE] = "user_rate",
    [REFUSED_WAITING] = "waiting",
    [REFUSED_BODY_BYTES] = "body_bytes",
    [REFUSED_ANSWER_BYTES] = "answer_bytes",
    [REFUSED_BUS] = "bus",
    [REFUSED_TOO_SLOW] = "too_slow",
    [REFUSED_EVICTED] = "evicted",
    [REFUSED_HTTP] = "http",
    [REFUSED_ORIGIN] = "origin",
    NULL,
};

static const metrics_def_t defs[METRIC_COUNT] = {
    [METRIC_REQUESTS] = {METRICS_COUNTER,
                         "parley_rest_requests_total",
                         "Requests answered.",
                         {{"route", route_values}, {"status", status_values}}},
    [METRIC_SECONDS] = {METRICS_HISTOGRAM,
                        "parley_rest_request_seconds",
                        "From a request's first line to its answer.",
                        {{"route", route_values}},
                        metrics_latency_buckets},
    [METRIC_WAITING] = {METRICS_GAUGE, "parley_rest_requests_waiting",
                        "Requests that wait for other services."},
    [METRIC_RECEIVED_BYTES] = {METRICS_COUNTER, "parley_rest_received_body_bytes_total",
                               "Bytes of request bodies."},
    [METRIC_SENT_BYTES] = {METRICS_COUNTER, "parley_rest_sent_body_bytes_total",
                           "Bytes of the answers' bodies."},
    [METRIC_BODY_BYTES] = {METRICS_GAUGE, "parley_rest_body_bytes",
                           "Bytes of request bodies in memory."},
    [METRIC_ANSWER_BYTES] = {METRICS_GAUGE, "parley_rest_answer_bytes",
                             "Bytes of answers that clients have not taken yet."},
    [METRIC_CONNECTIONS] = {METRICS_GAUGE, "parley_rest_connections", "Open connections."},
    [METRIC_CONNECTIONS_TOTAL] = {METRICS_COUNTER, "parley_rest_connections_total",
                                  "Connections accepted."},
    [METRIC_REFUSED] = {METRICS_COUNTER,
                        "parley_rest_refused_total",
                        "Connections and requests turned away, by the bound or rule.",
                        {{"reason", refused_values}}},
    [METRIC_FILES] = {METRICS_GAUGE, "parley_rest_page_files", "Files of the web page."},
};

metrics_t *rest_metrics_new(void) {
    return metrics_new(defs, METRIC_COUNT);
}
