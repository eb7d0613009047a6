/* The smallest service on the shared frame. How long its drain takes, whether it is ready, and
 * whether it starts at all come from its configuration, so that test_service.py can see each way of
 * ending. */
#include "common/log.h"
#include "common/metrics.h"
#include "common/service_main.h"

typedef struct {
    config_common_t common;
    char *secret;
    int64_t drain_takes_ms;
    bool ready;
    bool start_fails;
    uint64_t refused_lines;
} sample_config_t;

static const config_option_t options[] = {
    {CONFIG_FIELD(sample_config_t, secret), .variable = "SAMPLE_SECRET", .kind = CONFIG_SECRET,
     .min = 4, .max = 64, .required = true, .doc = "A secret."},
    {CONFIG_FIELD(sample_config_t, drain_takes_ms), .variable = "SAMPLE_DRAIN_TAKES_MS",
     .kind = CONFIG_MS, .max = 60000, .fallback = "0", .doc = "How long its drain takes."},
    {CONFIG_FIELD(sample_config_t, ready), .variable = "SAMPLE_READY", .kind = CONFIG_BOOL,
     .fallback = "on", .doc = "Whether it is ready."},
    {CONFIG_FIELD(sample_config_t, start_fails), .variable = "SAMPLE_START_FAILS",
     .kind = CONFIG_BOOL, .fallback = "off", .doc = "Whether its start fails."},
    {CONFIG_FIELD(sample_config_t, refused_lines), .variable = "SAMPLE_REFUSED_LINES",
     .kind = CONFIG_U64, .max = 1000000, .fallback = "0",
     .doc = "How many refusals it logs at once."},
};

static const config_schema_t schema = {
    .service = "sample",
    .summary = "The frame of a service and nothing else.",
    .admin_listen = "127.0.0.1:0",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .size = sizeof(sample_config_t),
};

enum { SCRAPES, METRIC_COUNT };

static const metrics_def_t defs[METRIC_COUNT] = {
    [SCRAPES] = {.kind = METRICS_COUNTER,
                 .name = "parley_sample_scrapes_total",
                 .help = "Reads of the metrics."},
};

typedef struct {
    service_t *service;
    const sample_config_t *config;
    uv_timer_t drain_timer;
    metrics_t *metrics;
} sample_t;

static void *start(service_t *service, const void *config_ref) {
    const sample_config_t *config = config_ref;
    if (config->start_fails) {
        log_error("sample_start_failed");
        return NULL;
    }
    for (uint64_t i = 0; i < config->refused_lines; i++)
        log_refused("sample_refused", log_u64("number", i));
    sample_t *self = xcalloc(1, sizeof(*self));
    self->service = service;
    self->config = config;
    self->metrics = metrics_new(defs, METRIC_COUNT);
    uv_timer_init(service_loop(service), &self->drain_timer);
    self->drain_timer.data = self;
    return self;
}

static void on_drained(uv_timer_t *timer) {
    sample_t *self = timer->data;
    service_stop(self->service, EXIT_CODE_OK);
}

static void drain(void *self_ref, int64_t deadline_ms) {
    sample_t *self = self_ref;
    (void)deadline_ms;
    uv_timer_start(&self->drain_timer, on_drained, (uint64_t)self->config->drain_takes_ms, 0);
}

static void stop(void *self_ref) {
    sample_t *self = self_ref;
    uv_close((uv_handle_t *)&self->drain_timer, NULL);
}

static void destroy(void *self_ref) {
    sample_t *self = self_ref;
    metrics_free(&self->metrics);
    free(self);
}

static bool is_ready(void *self_ref) {
    const sample_t *self = self_ref;
    return self->config->ready;
}

static size_t dependencies(void *self_ref, health_dependency_t *dependencies_out) {
    (void)self_ref;
    dependencies_out[0] = (health_dependency_t){.name = "nothing", .state = "up"};
    return 1;
}

static void write_metrics(void *self_ref, strbuf_t *text_out) {
    sample_t *self = self_ref;
    metrics_increment(self->metrics, SCRAPES, 0);
    metrics_write(self->metrics, text_out);
}

int main(int argc, char **argv) {
    static const service_ops_t ops = {.config = &schema,
                                      .start = start,
                                      .drain = drain,
                                      .stop = stop,
                                      .free = destroy,
                                      .is_ready = is_ready,
                                      .dependencies = dependencies,
                                      .write_metrics = write_metrics};
    return service_main(&ops, argc, argv);
}
