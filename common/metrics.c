#include "common/metrics.h"

#include <math.h>

const double metrics_latency_buckets[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                          0.25,   0.5,   1,      2.5,   5,    10,    0};
const double metrics_size_buckets[] = {64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 0};

typedef struct {
    double value;   /* a counter's or gauge's; a histogram's sum */
    uint64_t count; /* histograms: observations */
    uint64_t
        *counts; /* histograms: observations per bucket, not cumulated, above the last left out */
} series_t;

typedef struct {
    size_t series_count;
    series_t *series;
    uint64_t *bucket_memory;
} metric_t;

struct metrics {
    const metrics_def_t *defs;
    size_t count;
    metric_t metrics[];
};

static size_t count_values(const metrics_label_t *label) {
    size_t n = 0;
    while (label->name && label->values[n])
        n++;
    return n;
}

static size_t count_buckets(const metrics_def_t *def) {
    size_t n = 0;
    while (def->buckets && def->buckets[n] > 0)
        n++;
    return n;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The table is ours, so a wrong row is our own bug. */
static void check_def(const metrics_def_t *def) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    ASSERT(def->name[0] && strspn(def->name, allowed) == strlen(def->name));
    ASSERT(def->help && def->help[0]);
    ASSERT((def->kind == METRICS_COUNTER) == ends_with(def->name, "_total"));
    ASSERT((def->kind == METRICS_HISTOGRAM) == (count_buckets(def) > 0));
    for (size_t i = 0; i < METRICS_LABELS_MAX; i++)
        ASSERT(!def->labels[i].name || count_values(&def->labels[i]) > 0);
    ASSERT(def->labels[0].name || !def->labels[1].name);
}

static void init_metric(metric_t *self, const metrics_def_t *def) {
    check_def(def);
    size_t first = count_values(&def->labels[0]);
    size_t second = count_values(&def->labels[1]);
    size_t buckets = count_buckets(def);
    self->series_count = (first ? first : 1) * (second ? second : 1);
    self->series = xcalloc(self->series_count, sizeof(series_t));
    self->bucket_memory = xcalloc(self->series_count * buckets, sizeof(uint64_t));
    for (size_t i = 0; i < self->series_count; i++)
        self->series[i].counts = self->bucket_memory + i * buckets;
}

metrics_t *metrics_new(const metrics_def_t *defs, size_t count) {
    metrics_t *self = xcalloc(1, sizeof(*self) + count * sizeof(metric_t));
    self->defs = defs;
    self->count = count;
    for (size_t i = 0; i < count; i++)
        init_metric(&self->metrics[i], &defs[i]);
    return self;
}

void metrics_free(metrics_t **self) {
    if (!*self)
        return;
    for (size_t i = 0; i < (*self)->count; i++) {
        free((*self)->metrics[i].series);
        free((*self)->metrics[i].bucket_memory);
    }
    free(*self);
    *self = NULL;
}

size_t metrics_series(const metrics_t *self, size_t id, size_t first, size_t second) {
    ASSERT(id < self->count);
    const metrics_def_t *def = &self->defs[id];
    size_t width = count_values(&def->labels[1]);
    return first * (width ? width : 1) + second;
}

static series_t *series_of(const metrics_t *self, size_t id, size_t series) {
    ASSERT(id < self->count && series < self->metrics[id].series_count);
    return &self->metrics[id].series[series];
}

void metrics_add(metrics_t *self, size_t id, size_t series, double amount) {
    series_t *s = series_of(self, id, series);
    ASSERT(self->defs[id].kind == METRICS_GAUGE ||
           (self->defs[id].kind == METRICS_COUNTER && amount >= 0));
    s->value += amount;
}

void metrics_set(metrics_t *self, size_t id, size_t series, double value) {
    series_t *s = series_of(self, id, series);
    ASSERT(self->defs[id].kind != METRICS_HISTOGRAM);
    s->value = value;
}

void metrics_observe(metrics_t *self, size_t id, size_t series, double value) {
    series_t *s = series_of(self, id, series);
    const double *buckets = self->defs[id].buckets;
    ASSERT(self->defs[id].kind == METRICS_HISTOGRAM);
    s->count++;
    s->value += value;
    for (size_t i = 0; buckets[i] > 0; i++) {
        if (value <= buckets[i]) {
            s->counts[i]++;
            return;
        }
    }
}

double metrics_value(const metrics_t *self, size_t id, size_t series) {
    const series_t *s = series_of(self, id, series);
    return self->defs[id].kind == METRICS_HISTOGRAM ? (double)s->count : s->value;
}

/* Escapes as the exposition format asks: quotes only in label values. */
static void append_escaped(strbuf_t *out, const char *text, bool in_label) {
    for (; *text; text++) {
        if (*text == '\\')
            strbuf_append(out, STR("\\\\"));
        else if (*text == '\n')
            strbuf_append(out, STR("\\n"));
        else if (*text == '"' && in_label)
            strbuf_append(out, STR("\\\""));
        else
            strbuf_append_char(out, *text);
    }
}

static void append_number(strbuf_t *out, double number) {
    bool whole = fabs(number) < 9007199254740992.0 && trunc(number) == number;
    strbuf_printf(out, whole ? "%.0f" : "%.9g", number);
}

static void append_label(strbuf_t *out, char *separator, const char *name, const char *value) {
    strbuf_append_char(out, *separator);
    strbuf_printf(out, "%s=\"", name);
    append_escaped(out, value, true);
    strbuf_append_char(out, '"');
    *separator = ',';
}

/* name suffix {labels, le} and a space; le is NULL but for buckets. */
static void append_head(strbuf_t *out, const metrics_def_t *def, size_t series, const char *suffix,
                        const char *le) {
    char separator = '{';
    size_t second = count_values(&def->labels[1]);
    size_t width = second ? second : 1;
    strbuf_append(out, str_from(def->name));
    strbuf_append(out, str_from(suffix));
    if (def->labels[0].name)
        append_label(out, &separator, def->labels[0].name, def->labels[0].values[series / width]);
    if (def->labels[1].name)
        append_label(out, &separator, def->labels[1].name, def->labels[1].values[series % width]);
    if (le)
        append_label(out, &separator, "le", le);
    strbuf_append(out, separator == '{' ? STR(" ") : STR("} "));
}

static void append_histogram(strbuf_t *out, const metrics_def_t *def, size_t at,
                             const series_t *series) {
    uint64_t cumulated = 0;
    for (size_t i = 0; def->buckets[i] > 0; i++) {
        char bound[32];
        snprintf(bound, sizeof(bound), "%.9g", def->buckets[i]);
        cumulated += series->counts[i];
        append_head(out, def, at, "_bucket", bound);
        strbuf_append_u64(out, cumulated);
        strbuf_append_char(out, '\n');
    }
    append_head(out, def, at, "_bucket", "+Inf");
    strbuf_append_u64(out, series->count);
    strbuf_append_char(out, '\n');
    append_head(out, def, at, "_sum", NULL);
    append_number(out, series->value);
    strbuf_append_char(out, '\n');
    append_head(out, def, at, "_count", NULL);
    strbuf_append_u64(out, series->count);
    strbuf_append_char(out, '\n');
}

static void append_metric(strbuf_t *out, const metrics_def_t *def, const metric_t *metric) {
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    strbuf_printf(out, "# HELP %s ", def->name);
    append_escaped(out, def->help, false);
    strbuf_printf(out, "\n# TYPE %s %s\n", def->name, kinds[def->kind]);
    for (size_t i = 0; i < metric->series_count; i++) {
        if (def->kind == METRICS_HISTOGRAM) {
            append_histogram(out, def, i, &metric->series[i]);
            continue;
        }
        append_head(out, def, i, "", NULL);
        append_number(out, metric->series[i].value);
        strbuf_append_char(out, '\n');
    }
}

void metrics_write(const metrics_t *self, strbuf_t *out) {
    for (size_t i = 0; i < self->count; i++)
        append_metric(out, &self->defs[i], &self->metrics[i]);
}
