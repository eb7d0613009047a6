#include "tests/load/samples.h"

void samples_add(samples_t *self, int64_t ns) {
    if (self->n == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 1024;
        self->ns = xrealloc(self->ns, self->capacity * sizeof(*self->ns));
    }
    self->ns[self->n++] = ns;
}

void samples_fini(samples_t *self) {
    free(self->ns);
    *self = (samples_t){0};
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(const samples_t *self, double part) {
    if (self->n == 0)
        return 0;
    size_t at = (size_t)((double)(self->n - 1) * part + 0.5);
    return (double)self->ns[at] / 1e6;
}

void samples_write_json(samples_t *self, strbuf_t *out) {
    if (self->n)
        qsort(self->ns, self->n, sizeof(*self->ns), compare);
    strbuf_printf(out,
                  "{\"count\":%zu,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,"
                  "\"max_ms\":%.3f}",
                  self->n, percentile_ms(self, 0.5), percentile_ms(self, 0.9),
                  percentile_ms(self, 0.99), percentile_ms(self, 0.999), percentile_ms(self, 1));
}
