#include "rest/rest.h"

#include "common/bus_metrics.h"
#include "common/log.h"
#include "rest/http.h"
#include "rest/rest_metrics.h"
#include "rest/web_root.h"

typedef struct {
    service_t *service;
    const rest_config_t *config;
    brokers_t *brokers;
    bus_client_t *bus;
    metrics_t *metrics;
    static_files_t *files;
    api_t *api;
    http_t *http;
    char dependency_names[HEALTH_DEPENDENCIES_MAX][80];
} rest_t;

/* ---- brokers ---- */

static void on_up(void *context, size_t broker, uint64_t epoch) {
    const rest_t *self = context;
    log_info("broker_up", log_text("broker", brokers_endpoint(self->brokers, broker)),
             log_u64("epoch", epoch));
}

static void on_down(void *context, size_t broker, const char *reason) {
    const rest_t *self = context;
    log_warn("broker_down", log_text("broker", brokers_endpoint(self->brokers, broker)),
             log_text("reason", reason));
}

/* Brokers have nothing to tell rest unasked. */
static void on_deliver(void *context, size_t broker, const envelope_t *envelope) {
    const rest_t *self = context;
    const char *name = proto_name(envelope->type);
    log_refused("unexpected_envelope", log_text("type", name ? name : "unknown"),
                log_text("broker", brokers_endpoint(self->brokers, broker)));
}

static void on_refused(void *context, size_t broker, unsigned reason) {
    enum { BROKERS_DIFFER = 2 }; /* of REFUSED in messages.def */
    const rest_t *self = context;
    log_error("broker_refused", log_text("broker", brokers_endpoint(self->brokers, broker)),
              log_text("reason", dialer_refusal_text(reason)));
    if (reason == BROKERS_DIFFER)
        service_begin_drain(self->service);
    else
        service_stop(self->service, EXIT_CODE_FAILED);
}

static const bus_client_handler_t bus_handler = {
    .up = on_up, .down = on_down, .deliver = on_deliver, .refused = on_refused};

/* "tcp://a,tcp://b" of the configured list. */
static err_t read_brokers(rest_t *self) {
    const config_list_t *list = &self->config->common.brokers;
    strbuf_t text = {0};
    const char *why = NULL;
    for (size_t i = 0; i < list->n; i++)
        strbuf_printf(&text, "%s%s", i ? "," : "", list->items[i]);
    err_t err = brokers_new(strbuf_str(&text), &self->brokers, &why);
    if (err)
        log_error("brokers_invalid", log_text("reason", why));
    strbuf_fini(&text);
    return err;
}

static err_t open_bus(rest_t *self) {
    err_t err = read_brokers(self);
    if (err)
        return err;
    bus_client_config_t config = {.brokers = self->brokers,
                                  .role = ROLE_REST,
                                  .name = self->config->common.instance,
                                  .max_pending_bytes = self->config->bus_bytes_max,
                                  .keys_directory = self->config->common.bus_keys};
    err = bus_client_new(service_loop(self->service), &config, &bus_handler, self, &self->bus);
    if (err)
        log_error("bus_failed", log_err(err));
    return err;
}

/* ---- the service ---- */

static void rest_stop(void *context) {
    rest_t *self = context;
    http_close(&self->http);
    if (self->bus)
        bus_client_close(&self->bus);
}

static void rest_free(void *context) {
    rest_t *self = context;
    api_free(&self->api);
    metrics_free(&self->metrics);
    static_files_free(&self->files);
    if (self->brokers)
        brokers_free(&self->brokers);
    free(self);
}

static err_t start_parts(rest_t *self) {
    err_t err = web_root_read(self->config->web_root, &self->files);
    if (!err)
        err = open_bus(self);
    if (err)
        return err;
    api_options_t api_options = {self->service, self->config, self->bus, self->metrics};
    self->api = api_new(&api_options);
    http_options_t options = {self->config, self->files, self->metrics, self->api};
    return http_new(service_loop(self->service), &options, &self->http);
}

static void *rest_start(service_t *service, const void *config) {
    rest_t *self = xcalloc(1, sizeof(*self));
    self->service = service;
    self->config = config;
    self->metrics = rest_metrics_new();
    if (start_parts(self)) {
        if (self->bus)
            bus_client_close(&self->bus);
        rest_free(self);
        return NULL;
    }
    log_info("listening", log_text("host", self->config->listen.host),
             log_u64("port", http_port(self->http)),
             log_u64("page_files", static_files_count(self->files)));
    return self;
}

static void on_drained(void *context) {
    const rest_t *self = context;
    service_stop(self->service, EXIT_CODE_OK);
}

static void rest_drain(void *context, int64_t deadline_ms) {
    (void)deadline_ms;
    rest_t *self = context;
    http_drain(self->http, on_drained, self);
}

static size_t rest_dependencies(void *context, health_dependency_t *dependencies_out) {
    rest_t *self = context;
    size_t count = brokers_count(self->brokers);
    if (count > HEALTH_DEPENDENCIES_MAX)
        count = HEALTH_DEPENDENCIES_MAX;
    for (size_t i = 0; i < count; i++) {
        char *name = self->dependency_names[i];
        snprintf(name, sizeof(self->dependency_names[i]), "broker %s",
                 brokers_endpoint(self->brokers, i));
        dependencies_out[i] = (health_dependency_t){
            .name = name, .state = bus_client_is_up(self->bus, i) ? "up" : "down"};
    }
    return count;
}

static void rest_write_metrics(void *context, strbuf_t *text_out) {
    rest_t *self = context;
    metrics_set(self->metrics, METRIC_FILES, 0, (double)static_files_count(self->files));
    http_update_metrics(self->http);
    metrics_write(self->metrics, text_out);
    bus_metrics_write(self->bus, text_out);
}

const service_ops_t rest_ops = {
    .config = &rest_config_schema,
    .start = rest_start,
    .drain = rest_drain,
    .stop = rest_stop,
    .free = rest_free,
    .dependencies = rest_dependencies,
    .write_metrics = rest_write_metrics,
};
