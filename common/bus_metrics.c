#include "common/bus_metrics.h"

#include "common/metrics.h"

enum {
    LINKS,
    PENDING,
    PENDING_BYTES,
    PENDING_BYTES_LIMIT,
    UNREAD_BYTES,
    ENVELOPES,
    RESENT,
    TIMEOUTS,
    RESYNCS,
    DROPPED,
    MALFORMED,
    METRIC_COUNT,
};

enum { UP, DOWN };
static const char *const states[] = {[UP] = "up", [DOWN] = "down", NULL};
enum { SENT, RECEIVED };
static const char *const directions[] = {[SENT] = "sent", [RECEIVED] = "received", NULL};

static const metrics_def_t defs[METRIC_COUNT] = {
    [LINKS] = {METRICS_GAUGE, "parley_bus_links", "Links to brokers.", {{"state", states}}},
    [PENDING] = {METRICS_GAUGE, "parley_bus_pending", "Requests to brokers not answered yet."},
    [PENDING_BYTES] = {METRICS_GAUGE, "parley_bus_pending_bytes", "Their memory."},
    [PENDING_BYTES_LIMIT] = {METRICS_GAUGE, "parley_bus_pending_bytes_limit",
                             "Bound of parley_bus_pending_bytes, for all brokers."},
    [UNREAD_BYTES] = {METRICS_GAUGE, "parley_bus_unread_bytes",
                      "Sent to brokers and not read by them."},
    [ENVELOPES] = {METRICS_COUNTER,
                   "parley_bus_envelopes_total",
                   "Envelopes on links to brokers.",
                   {{"direction", directions}}},
    [RESENT] = {METRICS_COUNTER, "parley_bus_resent_total",
                "Requests sent again on a link that was lost meanwhile."},
    [TIMEOUTS] = {METRICS_COUNTER, "parley_bus_timeouts_total",
                  "Requests that no broker answered in time."},
    [RESYNCS] = {METRICS_COUNTER, "parley_bus_resyncs_total", "Times a link to a broker was lost."},
    [DROPPED] = {METRICS_COUNTER, "parley_bus_dropped_total",
                 "Envelopes of brokers out of count or for another life of this process."},
    [MALFORMED] = {METRICS_COUNTER, "parley_bus_malformed_total",
                   "Frames of brokers that are no envelopes."},
};

void bus_metrics_write(const bus_client_t *bus, strbuf_t *out) {
    if (!bus)
        return;
    bus_figures_t figures = bus_client_figures(bus);
    const link_stats_t *stats = &figures.stats;
    const struct {
        size_t id, series;
        uint64_t value;
    } now[] = {
        {LINKS, UP, figures.up},
        {LINKS, DOWN, figures.links - figures.up},
        {PENDING, 0, figures.pending},
        {PENDING_BYTES, 0, figures.pending_bytes},
        {PENDING_BYTES_LIMIT, 0, figures.pending_bytes_limit},
        {UNREAD_BYTES, 0, figures.unread_bytes},
        {ENVELOPES, SENT, stats->sent},
        {ENVELOPES, RECEIVED, stats->received},
        {RESENT, 0, stats->resent},
        {TIMEOUTS, 0, stats->timeouts},
        {RESYNCS, 0, stats->resyncs},
        {DROPPED, 0, stats->dropped},
        {MALFORMED, 0, stats->malformed},
    };
    metrics_t *metrics = metrics_new(defs, METRIC_COUNT);
    for (size_t i = 0; i < sizeof(now) / sizeof(now[0]); i++)
        metrics_set(metrics, now[i].id, now[i].series, (double)now[i].value);
    metrics_write(metrics, out);
    metrics_free(&metrics);
}
