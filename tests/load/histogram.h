/* Latencies: a count for each range of values, every range under 0.8 % wide, so that millions of
 * samples cost neither memory nor time. */
#pragma once

#include "common/strbuf.h"

enum {
    HISTOGRAM_STEPS = 128, /* ranges to each doubling */
    HISTOGRAM_DOUBLINGS = 40,
    HISTOGRAM_RANGES = HISTOGRAM_STEPS * HISTOGRAM_DOUBLINGS,
};

typedef struct {
    uint64_t count;
    int64_t max_ns;
    uint64_t ranges[HISTOGRAM_RANGES];
} histogram_t;

/* A negative time (clocks of two processors) counts as 0. */
void histogram_add(histogram_t *self, int64_t ns);
void histogram_merge(histogram_t *self, const histogram_t *other);
/* The value that `part` (0 to 1) of the samples do not exceed, in nanoseconds; 0 of none. */
int64_t histogram_percentile(const histogram_t *self, double part);
/* Appends {"count":…,"p50_ms":…,"p90_ms":…,"p99_ms":…,"p999_ms":…,"max_ms":…}. */
void histogram_write_json(const histogram_t *self, strbuf_t *out);
