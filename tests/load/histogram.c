#include "tests/load/histogram.h"

/* Values below HISTOGRAM_STEPS have a range each; from there on every doubling has that many. */
static size_t range_of(uint64_t ns) {
    if (ns < HISTOGRAM_STEPS)
        return (size_t)ns;
    unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - 7;
    size_t range = (shift + 1) * HISTOGRAM_STEPS + (size_t)(ns >> shift) - HISTOGRAM_STEPS;
    return range < HISTOGRAM_RANGES ? range : HISTOGRAM_RANGES - 1;
}

/* The highest value of a range. */
static int64_t range_end(size_t range) {
    if (range < HISTOGRAM_STEPS)
        return (int64_t)range;
    unsigned shift = (unsigned)(range / HISTOGRAM_STEPS) - 1;
    return (int64_t)((range % HISTOGRAM_STEPS + HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_add(histogram_t *self, int64_t ns) {
    if (ns < 0)
        ns = 0;
    self->count++;
    self->ranges[range_of((uint64_t)ns)]++;
    if (ns > self->max_ns)
        self->max_ns = ns;
}

void histogram_merge(histogram_t *self, const histogram_t *other) {
    self->count += other->count;
    if (other->max_ns > self->max_ns)
        self->max_ns = other->max_ns;
    for (size_t i = 0; i < HISTOGRAM_RANGES; i++)
        self->ranges[i] += other->ranges[i];
}

int64_t histogram_percentile(const histogram_t *self, double part) {
    uint64_t wanted = (uint64_t)((double)self->count * part), seen = 0;
    for (size_t i = 0; i < HISTOGRAM_RANGES && self->count; i++) {
        seen += self->ranges[i];
        if (seen > wanted || seen == self->count)
            return range_end(i) < self->max_ns ? range_end(i) : self->max_ns;
    }
    return 0;
}

static double ms(int64_t ns) {
    return (double)ns / 1e6;
}

void histogram_write_json(const histogram_t *self, strbuf_t *out) {
    strbuf_printf(out,
                  "{\"count\":%llu,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,"
                  "\"p999_ms\":%.3f,\"max_ms\":%.3f}",
                  (unsigned long long)self->count, ms(histogram_percentile(self, 0.5)),
                  ms(histogram_percentile(self, 0.9)), ms(histogram_percentile(self, 0.99)),
                  ms(histogram_percentile(self, 0.999)), ms(self->max_ns));
}
