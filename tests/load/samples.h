/* Latencies, all of them kept, and their percentiles. */
#pragma once

#include "common/strbuf.h"

typedef struct {
    int64_t *ns;
    size_t n;
    size_t capacity;
} samples_t;

void samples_add(samples_t *self, int64_t ns);
void samples_fini(samples_t *self);
/* Sorts; appends {"count":…,"p50":…,"p99":…,"max":…} in milliseconds. */
void samples_write_json(samples_t *self, strbuf_t *out);
