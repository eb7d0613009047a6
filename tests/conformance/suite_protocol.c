#include "tests/conformance/suites.h"

#include "common/strbuf.h"

static const char *const any_origin[] = {"*", NULL};

/* ---- Engine.IO: every message comes back ---- */

static void on_open(void *arg, eio_session_t *session) {
    (void)arg;
    (void)session;
}

static void on_message(void *arg, eio_session_t *session, str_t message, bool binary) {
    (void)arg;
    if (binary)
        eio_send_binary(session, message);
    else
        eio_send_text(session, message);
}

static void on_close(void *arg, eio_session_t *session, eio_close_t reason) {
    (void)arg;
    (void)session;
    (void)reason;
}

/* ---- Socket.IO ---- */

static void on_connect(void *arg, sio_connect_t *connect) {
    str_t auth = sio_connect_auth(connect);
    char *copy = str_dup(auth.n ? auth : STR("{}"));
    (void)arg;
    sio_socket_t *socket = sio_accept(connect, NULL);
    if (socket)
        sio_emit(socket, STR("auth"), str_from(copy));
    free(copy);
}

static void on_event(void *arg, sio_socket_t *socket, const sio_event_t *event) {
    (void)arg;
    if (str_eq(event->name, STR("message"))) {
        sio_emit_binary(socket, STR("message-back"), event->args, event->attachments);
    } else if (str_eq(event->name, STR("message-with-ack"))) {
        sio_ack_t ack = sio_event_ack(event);
        sio_ack_send_binary(&ack, event->args, event->attachments);
    }
}

void suite_protocol(eio_listener_t *listener, const suite_options_t *suite) {
    static const eio_handlers_t echo = {
        .on_open = on_open, .on_message = on_message, .on_close = on_close};
    eio_server_options_t engine = {.path = "/engine.io/",
                                   .ping_interval_ms =
                                       suite->ping_interval_ms ? suite->ping_interval_ms : 300,
                                   .ping_timeout_ms = 200,
                                   .max_payload = 1000000,
                                   .cors = {.origins = any_origin}};
    eio_server_new(listener, &engine, &echo);

    sio_options_t options = {.engine = engine, .connect_timeout_ms = 1000};
    options.engine.path = "/socket.io/";
    sio_server_t *server = sio_server_new(listener, &options);
    sio_namespace(server, "/", &(sio_handlers_t){.on_connect = on_connect, .on_event = on_event});
    sio_namespace(server, "/custom", &(sio_handlers_t){.on_connect = on_connect});
}
