/* Metrics that every process has: memory, files, CPU time, how late its loop is, its version. */
#pragma once

#include <uv.h>

#include "common/strbuf.h"

typedef struct process_metrics process_metrics_t;

/* Measures the loop's lag from now on, and tells of suppressed log lines, by one timer. */
process_metrics_t *process_metrics_new(uv_loop_t *loop);
void process_metrics_write(process_metrics_t *self, strbuf_t *out);
/* Closes the timer; the memory goes when the loop has run. Clears the pointer. */
void process_metrics_free(process_metrics_t **self);
