#include "common/service_main.h"

#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/admin_http.h"
#include "common/log.h"
#include "common/process_metrics.h"
#include "common/siphash.h"

struct service {
    const service_ops_t *ops;
    void *config;
    uv_loop_t loop;
    lifecycle_t *lifecycle;
    admin_http_t *admin;
    process_metrics_t *process;
    void *self; /* what ops->start() returned */
};

typedef enum { ACTION_RUN, ACTION_HELP, ACTION_VERSION, ACTION_CHECK, ACTION_MARKDOWN } action_t;

static const config_common_t *common_of(const service_t *service) {
    return service->config;
}

uv_loop_t *service_loop(service_t *service) {
    return &service->loop;
}

void service_stop(service_t *service, int exit_code) {
    lifecycle_stop(service->lifecycle, exit_code);
}

void service_begin_drain(service_t *service) {
    lifecycle_drain(service->lifecycle);
}

bool service_is_draining(const service_t *service) {
    return lifecycle_is_draining(service->lifecycle);
}

static size_t get_dependencies(void *context, health_dependency_t *dependencies_out) {
    service_t *service = context;
    if (!service->ops->dependencies || !service->self)
        return 0;
    return service->ops->dependencies(service->self, dependencies_out);
}

health_ready_t service_ready(service_t *service) {
    if (service_is_draining(service))
        return HEALTH_DRAINING;
    if (!service->self)
        return HEALTH_NOT_READY;
    bool ready = !service->ops->is_ready || service->ops->is_ready(service->self);
    return ready ? HEALTH_READY : HEALTH_NOT_READY;
}

void service_health(service_t *service, strbuf_t *json_out) {
    health_dependency_t dependencies[HEALTH_DEPENDENCIES_MAX];
    health_report_t report = {.service = service->ops->config->service,
                              .instance = common_of(service)->instance,
                              .version = PARLEY_VERSION,
                              .dependencies = dependencies};
    report.dependency_count = get_dependencies(service, dependencies);
    ASSERT(report.dependency_count <= HEALTH_DEPENDENCIES_MAX);
    health_write(&report, json_out);
}

static void write_health(void *context, strbuf_t *json_out) {
    service_health(context, json_out);
}

static health_ready_t get_ready(void *context) {
    return service_ready(context);
}

static void write_metrics(void *context, strbuf_t *text_out) {
    service_t *service = context;
    process_metrics_write(service->process, text_out);
    if (service->ops->write_metrics && service->self)
        service->ops->write_metrics(service->self, text_out);
}

static void begin_drain(void *context, int64_t deadline_ms) {
    service_t *service = context;
    if (service->ops->drain && service->self)
        service->ops->drain(service->self, deadline_ms);
    else
        service_stop(service, EXIT_CODE_OK);
}

static err_t open_frame(service_t *service) {
    const config_common_t *common = common_of(service);
    lifecycle_ops_t lifecycle_ops = {.drain = begin_drain, .context = service};
    admin_http_ops_t admin_ops = {
        .health = write_health, .ready = get_ready, .metrics = write_metrics, .context = service};
    err_t err =
        lifecycle_new(&service->loop, common->drain_ms, &lifecycle_ops, &service->lifecycle);
    if (err)
        return err;
    service->process = process_metrics_new(&service->loop);
    return admin_http_new(&service->loop, &common->admin_listen, &admin_ops, &service->admin);
}

static int run_loop(service_t *service) {
    log_info("starting", log_text("version", PARLEY_VERSION), log_i64("pid", getpid()));
    if (open_frame(service))
        return EXIT_CODE_FAILED;
    log_info("admin_listening", log_text("host", common_of(service)->admin_listen.host),
             log_u64("port", admin_http_port(service->admin)));
    service->self = service->ops->start(service, service->config);
    if (!service->self)
        return EXIT_CODE_FAILED;
    log_info("started");
    uv_run(&service->loop, UV_RUN_DEFAULT);
    service->ops->stop(service->self);
    return lifecycle_exit_code(service->lifecycle);
}

/* As many open files as the system allows: a connection needs one, a stranger's too. */
static void raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("few_open_files", log_u64("allowed", limit.rlim_cur));
}

static int run(const service_ops_t *ops, void *config) {
    service_t service = {.ops = ops, .config = config};
    uint8_t key[SIPHASH_KEY_BYTES];
    if (sodium_init() < 0) {
        log_error("crypto_library_failed");
        return EXIT_CODE_FAILED;
    }
    randombytes_buf(key, sizeof(key));
    siphash_set_key(key);
    raise_file_limit();
    ASSERT(uv_loop_init(&service.loop) == 0);
    int exit_code = run_loop(&service);
    admin_http_free(&service.admin);
    process_metrics_free(&service.process);
    lifecycle_free(&service.lifecycle);
    lifecycle_finish_loop(&service.loop);
    if (service.self)
        ops->free(service.self);
    log_info("stopped", log_i64("exit_code", exit_code));
    return exit_code;
}

static const char *look_up(void *context, const char *variable) {
    (void)context;
    return getenv(variable);
}

/* Writes the text to the stream and frees it. */
static void print(strbuf_t *text, FILE *stream) {
    fwrite(text->p, 1, text->n, stream);
    strbuf_fini(text);
}

static int configured(const service_ops_t *ops, action_t action) {
    strbuf_t text = {0};
    void *config = xcalloc(1, ops->config->size);
    int exit_code = EXIT_CODE_OK;
    if (config_parse(ops->config, look_up, NULL, config, &text)) {
        print(&text, stderr);
        free(config);
        return EXIT_CODE_USAGE;
    }
    if (action == ACTION_CHECK) {
        config_write_values(ops->config, config, &text);
        print(&text, stdout);
    } else {
        const config_common_t *common = config;
        log_init(ops->config->service, common->instance, (log_level_t)common->log_level);
        exit_code = run(ops, config);
        log_fini();
    }
    config_fini(ops->config, config);
    free(config);
    return exit_code;
}

/* False when the arguments make no sense. */
static bool parse_arguments(int argc, char **argv, action_t *action_out) {
    static const char *const names[] = {[ACTION_HELP] = "--help",
                                        [ACTION_VERSION] = "--version",
                                        [ACTION_CHECK] = "--check-config",
                                        [ACTION_MARKDOWN] = "--config-markdown"};
    *action_out = ACTION_RUN;
    if (argc <= 1)
        return true;
    for (action_t action = ACTION_HELP; action <= ACTION_MARKDOWN; action++) {
        if (argc == 2 && strcmp(argv[1], names[action]) == 0) {
            *action_out = action;
            return true;
        }
    }
    return false;
}

static void write_usage(const char *service, int argc, char **argv, strbuf_t *out) {
    strbuf_printf(out, "parley-%s: ", service);
    if (argc == 2)
        strbuf_printf(out, "no option is called \"%s\"\n", argv[1]);
    else
        strbuf_append(out, STR("takes one option at most\n"));
    strbuf_printf(out,
                  "Usage: parley-%s [--help | --version | --check-config | --config-markdown]\n"
                  "Without an option it runs; its settings come from the environment.\n",
                  service);
}

int service_main(const service_ops_t *ops, int argc, char **argv) {
    action_t action;
    strbuf_t text = {0};
    if (!parse_arguments(argc, argv, &action)) {
        write_usage(ops->config->service, argc, argv, &text);
        print(&text, stderr);
        return EXIT_CODE_USAGE;
    }
    switch (action) {
    case ACTION_HELP:
        config_write_help(ops->config, &text);
        break;
    case ACTION_MARKDOWN:
        config_write_markdown(ops->config, &text);
        break;
    case ACTION_VERSION:
        strbuf_printf(&text, "parley-%s %s\n", ops->config->service, PARLEY_VERSION);
        break;
    default:
        return configured(ops, action);
    }
    print(&text, stdout);
    return EXIT_CODE_OK;
}
