#include "common/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"

#define TICK_MS 250

enum { RESIDENT, FILES, FILES_MAX, CPU, START_TIME, LOOP_LAG, BUILD, METRIC_COUNT };

static const char *const versions[] = {PARLEY_VERSION, NULL};
static const double lag_buckets[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                     0.1,   0.25,  0.5,   1,    5,    0};

static const metrics_def_t defs[METRIC_COUNT] = {
    [RESIDENT] = {.kind = METRICS_GAUGE,
                  .name = "process_resident_memory_bytes",
                  .help = "Resident memory."},
    [FILES] = {.kind = METRICS_GAUGE, .name = "process_open_fds", .help = "Open file descriptors."},
    [FILES_MAX] = {.kind = METRICS_GAUGE,
                   .name = "process_max_fds",
                   .help = "The limit on open file descriptors."},
    [CPU] = {.kind = METRICS_COUNTER,
             .name = "process_cpu_seconds_total",
             .help = "User and system CPU time."},
    [START_TIME] = {.kind = METRICS_GAUGE,
                    .name = "process_start_time_seconds",
                    .help = "When the process started, as Unix time."},
    [LOOP_LAG] = {.kind = METRICS_HISTOGRAM,
                  .name = "parley_event_loop_lag_seconds",
                  .help = "How late the event loop ran a timer that was due.",
                  .buckets = lag_buckets},
    [BUILD] = {.kind = METRICS_GAUGE,
               .name = "parley_build_info",
               .help = "1, with the version as a label.",
               .labels = {{"version", versions}}},
};

struct process_metrics {
    uv_timer_t timer;
    uint64_t due_ns;
    metrics_t *metrics;
};

static void on_tick(uv_timer_t *timer) {
    process_metrics_t *self = timer->data;
    uint64_t now_ns = uv_hrtime();
    double late = now_ns > self->due_ns ? (double)(now_ns - self->due_ns) / 1e9 : 0;
    metrics_observe(self->metrics, LOOP_LAG, 0, late);
    log_flush_suppressed();
    self->due_ns = uv_hrtime() + TICK_MS * UINT64_C(1000000);
    uv_update_time(timer->loop);
    uv_timer_start(timer, on_tick, TICK_MS, 0);
}

process_metrics_t *process_metrics_new(uv_loop_t *loop) {
    process_metrics_t *self = xcalloc(1, sizeof(*self));
    self->metrics = metrics_new(defs, METRIC_COUNT);
    metrics_set(self->metrics, START_TIME, 0, (double)clock_unix_ms() / 1000);
    metrics_set(self->metrics, BUILD, 0, 1);
    self->due_ns = uv_hrtime() + TICK_MS * UINT64_C(1000000);
    ASSERT(uv_timer_init(loop, &self->timer) == 0);
    self->timer.data = self;
    uv_timer_start(&self->timer, on_tick, TICK_MS, 0);
    return self;
}

static size_t count_open_files(void) {
    size_t count = 0;
    DIR *files = opendir("/proc/self/fd");
    if (!files)
        return 0;
    while (readdir(files))
        count++;
    closedir(files);
    return count - 3; /* without ".", ".." and the directory's own */
}

static double cpu_seconds(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void process_metrics_write(process_metrics_t *self, strbuf_t *out) {
    size_t resident = 0;
    struct rlimit limit;
    if (uv_resident_set_memory(&resident) == 0)
        metrics_set(self->metrics, RESIDENT, 0, (double)resident);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metrics_set(self->metrics, FILES_MAX, 0, (double)limit.rlim_cur);
    metrics_set(self->metrics, FILES, 0, (double)count_open_files());
    metrics_set(self->metrics, CPU, 0, cpu_seconds());
    metrics_write(self->metrics, out);
}

static void on_closed(uv_handle_t *handle) {
    process_metrics_t *self = handle->data;
    metrics_free(&self->metrics);
    free(self);
}

void process_metrics_free(process_metrics_t **self) {
    if (*self)
        uv_close((uv_handle_t *)&(*self)->timer, on_closed);
    *self = NULL;
}
