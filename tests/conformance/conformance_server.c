/* A server for the published test suites of Engine.IO and Socket.IO:
 *
 *   conformance_server --port N --suite protocol | socket.io-client | engine.io-client
 *                      [--ping-interval MS]
 *
 * Prints "listening on PORT" (port 0: a free one) and ends, with everything freed, at SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <uv.h>

#include "tests/conformance/suites.h"

typedef struct {
    const char *name;
    void (*start)(eio_listener_t *listener, const suite_options_t *suite);
} suite_t;

static const suite_t suites[] = {{"protocol", suite_protocol},
                                 {"socket.io-client", suite_socketio_client},
                                 {"engine.io-client", suite_engineio_client}};

typedef struct {
    uint64_t port;
    uint64_t ping_interval_ms; /* 0 = the suite's */
    const suite_t *suite;
} options_t;

static const suite_t *find_suite(const char *name) {
    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
        if (strcmp(name, suites[i].name) == 0)
            return &suites[i];
    }
    return NULL;
}

static err_t parse_options(int argc, char **argv, options_t *options) {
    *options = (options_t){.suite = &suites[0]};
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        err_t err = ERR_INVALID;
        if (strcmp(argv[i], "--port") == 0)
            err = str_to_u64(str_from(value), UINT16_MAX, &options->port);
        else if (strcmp(argv[i], "--ping-interval") == 0)
            err = str_to_u64(str_from(value), UINT32_MAX, &options->ping_interval_ms);
        else if (strcmp(argv[i], "--suite") == 0 && (options->suite = find_suite(value)))
            err = OK;
        if (err != OK)
            return err;
    }
    return OK;
}

static void on_signal(uv_signal_t *handle, int number) {
    (void)number;
    eio_listener_stop(handle->data);
    uv_close((uv_handle_t *)handle, NULL);
}

int main(int argc, char **argv) {
    options_t options;
    if (parse_options(argc, argv, &options) != OK) {
        fprintf(stderr,
                "usage: %s [--port N] [--suite protocol|socket.io-client|engine.io-client] "
                "[--ping-interval MS]\n",
                argv[0]);
        return 2;
    }
    uv_loop_t loop;
    uv_signal_t sigterm;
    eio_listener_t *listener;
    eio_listener_options_t listen = {.host = "0.0.0.0", .port = (uint16_t)options.port};
    if (uv_loop_init(&loop) != 0 || eio_listener_new(&loop, &listen, &listener) != OK) {
        fprintf(stderr, "can't listen on port %d\n", (int)options.port);
        return 1;
    }
    memory_recovery_t *recovery = memory_recovery_new();
    options.suite->start(listener,
                         &(suite_options_t){.ping_interval_ms = (uint32_t)options.ping_interval_ms,
                                            .recovery = recovery});
    uv_signal_init(&loop, &sigterm);
    sigterm.data = listener;
    uv_signal_start(&sigterm, on_signal, SIGTERM);
    printf("listening on %u\n", eio_listener_port(listener));
    fflush(stdout);
    uv_run(&loop, UV_RUN_DEFAULT);
    eio_listener_free(&listener);
    memory_recovery_free(&recovery);
    ASSERT(uv_loop_close(&loop) == 0);
    return 0;
}
