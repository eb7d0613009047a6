/* Counters, gauges and histograms, declared in a table and written as Prometheus text. Labels have
 * a small fixed set of values, so that no peer can grow the set of series. */
#pragma once

#include "common/strbuf.h"

typedef enum { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM } metrics_kind_t;

#define METRICS_LABELS_MAX 2

typedef struct {
    const char *name;          /* the label's */
    const char *const *values; /* NULL at the end */
} metrics_label_t;

/* One row of the table. Names follow Prometheus: counters end in _total, units are base units
 * (_seconds, _bytes). */
typedef struct {
    metrics_kind_t kind;
    const char *name;
    const char *help;
    metrics_label_t labels[METRICS_LABELS_MAX]; /* unused ones zeroed */
    const double *buckets; /* histograms: upper bounds, rising, 0 at the end; +Inf is added */
} metrics_def_t;

/* Upper bounds for latencies in seconds, 0.5 ms to 10 s. */
extern const double metrics_latency_buckets[];
/* Upper bounds for sizes in bytes, 64 to 1 MiB. */
extern const double metrics_size_buckets[];

typedef struct metrics metrics_t;

/* The table must outlive the result. A metric's id is its row, a series' number the index of its
 * label value (of two labels: metrics_series()). */
metrics_t *metrics_new(const metrics_def_t *defs, size_t count);
void metrics_free(metrics_t **self);

/* The series with these indexes of the first and second label's values. */
size_t metrics_series(const metrics_t *self, size_t id, size_t first, size_t second);

/* Adds to a counter (never negative) or a gauge. */
void metrics_add(metrics_t *self, size_t id, size_t series, double amount);
/* Sets a gauge, or a counter whose count is kept elsewhere. */
void metrics_set(metrics_t *self, size_t id, size_t series, double value);
/* Counts one observation in a histogram, in its unit (seconds, bytes). */
void metrics_observe(metrics_t *self, size_t id, size_t series, double value);
/* A counter's or gauge's value, a histogram's number of observations. */
double metrics_value(const metrics_t *self, size_t id, size_t series);

static inline void metrics_increment(metrics_t *self, size_t id, size_t series) {
    metrics_add(self, id, series, 1);
}

/* Appends every series in the text exposition format 0.0.4, with HELP and TYPE. */
void metrics_write(const metrics_t *self, strbuf_t *out);
