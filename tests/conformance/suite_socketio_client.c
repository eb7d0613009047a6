#include <sys/time.h>
#include <time.h>
#include <uv.h>

#include "common/strbuf.h"
#include "tests/conformance/suites.h"

/* What a test has sent so far on one socket. */
typedef struct {
    memory_recovery_t *recovery;
    bool abuff1, blob1, blob2;
    char *handshake; /* JSON, of the time of connecting */
} state_t;

/* Every event goes out with an offset, or one whose last argument is a string would pass for one.
 */
static void emit_binary(sio_socket_t *socket, str_t name, str_t args,
                        sio_attachments_t attachments) {
    state_t *state = sio_socket_data(socket);
    sio_packet_t *packet = sio_packet_new(sio_socket_namespace(socket), name, args, attachments);
    memory_recovery_send(state->recovery, socket, packet);
    sio_packet_unref(&packet);
}

static void emit(sio_socket_t *socket, str_t name, str_t args) {
    emit_binary(socket, name, args, (sio_attachments_t){0});
}

static void append_iso_date(strbuf_t *to) {
    struct timeval now;
    struct tm utc;
    char text[32];
    gettimeofday(&now, NULL);
    gmtime_r(&now.tv_sec, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    strbuf_printf(to, "\"%s.%03dZ\"", text, (int)(now.tv_usec / 1000));
}

/* ---- handshake ---- */

/* One of the tests gives the client no time at all to connect: every handshake has to take longer
 * than its timer, which is what this blocks for. */
static void delay_handshake(void *arg, const eio_request_t *request, eio_verdict_t *verdict) {
    enum { DELAY_MS = 10 };
    (void)arg;
    (void)request;
    (void)verdict;
    uv_sleep(DELAY_MS);
}

static void append_members(strbuf_t *to, const eio_request_t *request,
                           bool (*at)(const eio_request_t *, size_t, str_t *, str_t *)) {
    str_t name, value;
    strbuf_append_char(to, '{');
    for (size_t i = 0; at(request, i, &name, &value); i++) {
        if (i)
            strbuf_append_char(to, ',');
        strbuf_append_json_string(to, name);
        strbuf_append_char(to, ':');
        strbuf_append_json_string(to, value);
    }
    strbuf_append_char(to, '}');
}

static char *describe_handshake(const eio_request_t *request, str_t auth) {
    strbuf_t json = {0};
    strbuf_append(&json, STR("{\"headers\":"));
    append_members(&json, request, eio_request_header_at);
    strbuf_append(&json, STR(",\"time\":"));
    append_iso_date(&json);
    strbuf_append(&json, STR(",\"address\":"));
    strbuf_append_json_string(&json, eio_request_peer(request));
    strbuf_printf(&json, ",\"xdomain\":%s,\"secure\":false,\"issued\":%lld,\"url\":",
                  eio_request_header(request, "origin").p ? "true" : "false",
                  (long long)time(NULL) * 1000);
    strbuf_append_json_string(&json, eio_request_path(request));
    strbuf_append(&json, STR(",\"query\":"));
    append_members(&json, request, eio_request_query_at);
    strbuf_append(&json, STR(",\"auth\":"));
    strbuf_append(&json, auth.n ? auth : STR("{}"));
    strbuf_append_char(&json, '}');
    return strbuf_detach(&json);
}

static sio_socket_t *accept_with_handshake(memory_recovery_t *recovery, sio_connect_t *connect) {
    state_t *state = xcalloc(1, sizeof(*state));
    state->recovery = recovery;
    state->handshake = describe_handshake(sio_connect_request(connect), sio_connect_auth(connect));
    return memory_recovery_accept(recovery, connect, state);
}

static void on_disconnect(void *arg, sio_socket_t *socket, eio_close_t reason) {
    state_t *state = sio_socket_data(socket);
    memory_recovery_left(arg, socket, reason);
    free(state->handshake);
    free(state);
}

static void connect_main(void *arg, sio_connect_t *connect) {
    if (eio_request_query(sio_connect_request(connect), "fail").n)
        sio_refuse(connect, STR("Auth failed (main namespace)"), (str_t){0});
    else
        accept_with_handshake(arg, connect);
}

static void connect_abc(void *arg, sio_connect_t *connect) {
    sio_socket_t *socket = accept_with_handshake(arg, connect);
    const state_t *state = sio_socket_data(socket);
    emit(socket, STR("handshake"), str_from(state->handshake));
}

static void connect_no(void *arg, sio_connect_t *connect) {
    (void)arg;
    sio_refuse(connect, STR("Auth failed (custom namespace)"), (str_t){0});
}

/* ---- events ---- */

static bool is_buffer(const sio_event_t *event) {
    str_t args = event->args, first;
    return sio_next_arg(&args, &first) && str_eq(first, STR("{\"_placeholder\":true,\"num\":0}"));
}

/* {hello:"lol", message:<buffer>, goodbye:"gotcha"} */
static bool is_mixed(const sio_event_t *event) {
    return event->attachments.n == 1 &&
           str_eq(event->args, STR("{\"hello\":\"lol\",\"message\":{\"_placeholder\":true,"
                                   "\"num\":0},\"goodbye\":\"gotcha\"}"));
}

static void reply(const sio_event_t *event, str_t args) {
    sio_ack_t ack = sio_event_ack(event);
    sio_ack_send_binary(&ack, args, event->attachments);
}

static void reply_id(const sio_event_t *event) {
    strbuf_t json = {0};
    strbuf_append_json_string(&json, sio_socket_id(event->socket));
    reply(event, strbuf_str(&json));
    strbuf_fini(&json);
}

static void on_echo(sio_socket_t *socket, const sio_event_t *event) {
    (void)socket;
    reply(event, event->args);
}

static void on_hi(sio_socket_t *socket, const sio_event_t *event) {
    (void)event;
    emit(socket, STR("hi"), (str_t){0});
}

static void acknowledged(void *arg, sio_socket_t *socket, err_t result, str_t args,
                         sio_attachments_t attachments) {
    (void)arg;
    (void)attachments;
    if (result == OK && str_eq(args, STR("5,{\"test\":true}")))
        emit(socket, STR("got it"), (str_t){0});
}

static void on_ack(sio_socket_t *socket, const sio_event_t *event) {
    (void)event;
    err_t err = sio_emit_ack(socket, STR("ack"), (str_t){0}, acknowledged, NULL);
    ASSERT(err == OK);
}

static void on_ack_date(sio_socket_t *socket, const sio_event_t *event) {
    strbuf_t json = {0};
    (void)socket;
    append_iso_date(&json);
    reply(event, strbuf_str(&json));
    strbuf_fini(&json);
}

static void on_date(sio_socket_t *socket, const sio_event_t *event) {
    strbuf_t json = {0};
    (void)event;
    append_iso_date(&json);
    emit(socket, STR("takeDate"), strbuf_str(&json));
    strbuf_fini(&json);
}

static void on_date_object(sio_socket_t *socket, const sio_event_t *event) {
    strbuf_t json = {0};
    (void)event;
    strbuf_append(&json, STR("{\"date\":"));
    append_iso_date(&json);
    strbuf_append_char(&json, '}');
    emit(socket, STR("takeDateObj"), strbuf_str(&json));
    strbuf_fini(&json);
}

static void on_utf8(sio_socket_t *socket, const sio_event_t *event) {
    static const char *const texts[] = {"\"てすと\"", "\"Я Б Г Д Ж Й\"", "\"Ä ä Ü ü ß\"",
                                        "\"utf8 — string\"", "\"utf8 — string\""};
    (void)event;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        emit(socket, STR("takeUtf8"), str_from(texts[i]));
}

static void on_false(sio_socket_t *socket, const sio_event_t *event) {
    (void)event;
    emit(socket, STR("false"), STR("false"));
}

static void emit_buffer(sio_socket_t *socket, str_t name) {
    static const str_t buffer = {"asdfasdf", 8};
    emit_binary(socket, name, STR("{\"_placeholder\":true,\"num\":0}"),
                (sio_attachments_t){&buffer, 1});
}

static void on_doge(sio_socket_t *socket, const sio_event_t *event) {
    (void)event;
    emit_buffer(socket, STR("doge"));
}

static void on_getbin(sio_socket_t *socket, const sio_event_t *event) {
    (void)event;
    emit_buffer(socket, STR("takebin"));
}

static void on_buffa(sio_socket_t *socket, const sio_event_t *event) {
    if (is_buffer(event))
        emit(socket, STR("buffack"), (str_t){0});
}

static void on_jsonbuff(sio_socket_t *socket, const sio_event_t *event) {
    if (is_mixed(event))
        emit(socket, STR("jsonbuff-ack"), (str_t){0});
}

static void on_abuff1(sio_socket_t *socket, const sio_event_t *event) {
    ((state_t *)sio_socket_data(socket))->abuff1 = is_buffer(event);
}

static void on_abuff2(sio_socket_t *socket, const sio_event_t *event) {
    (void)event;
    if (((state_t *)sio_socket_data(socket))->abuff1)
        emit(socket, STR("abuff2-ack"), (str_t){0});
}

static void on_blob(sio_socket_t *socket, const sio_event_t *event) {
    if (is_buffer(event))
        emit(socket, STR("back"), (str_t){0});
}

static void on_jsonblob(sio_socket_t *socket, const sio_event_t *event) {
    if (is_mixed(event))
        emit(socket, STR("jsonblob-ack"), (str_t){0});
}

static void on_blob1(sio_socket_t *socket, const sio_event_t *event) {
    ((state_t *)sio_socket_data(socket))->blob1 = is_buffer(event);
}

static void on_blob2(sio_socket_t *socket, const sio_event_t *event) {
    state_t *state = sio_socket_data(socket);
    state->blob2 = state->blob1 && str_eq(event->args, STR("\"second\""));
}

static void on_blob3(sio_socket_t *socket, const sio_event_t *event) {
    if (is_buffer(event) && ((state_t *)sio_socket_data(socket))->blob2)
        emit(socket, STR("blob3-ack"), (str_t){0});
}

static void on_handshake(sio_socket_t *socket, const sio_event_t *event) {
    reply(event, str_from(((state_t *)sio_socket_data(socket))->handshake));
}

static void on_id(sio_socket_t *socket, const sio_event_t *event) {
    (void)socket;
    reply_id(event);
}

static const struct {
    const char *name;
    void (*handle)(sio_socket_t *socket, const sio_event_t *event);
} events[] = {
    {"hi", on_hi},
    {"echo", on_echo},
    {"ack", on_ack},
    {"getAckDate", on_ack_date},
    {"getDate", on_date},
    {"getDateObj", on_date_object},
    {"getUtf8", on_utf8},
    {"false", on_false},
    {"doge", on_doge},
    {"buffa", on_buffa},
    {"jsonbuff", on_jsonbuff},
    {"abuff1", on_abuff1},
    {"abuff2", on_abuff2},
    {"blob", on_blob},
    {"jsonblob", on_jsonblob},
    {"blob1", on_blob1},
    {"blob2", on_blob2},
    {"blob3", on_blob3},
    {"getbin", on_getbin},
    {"getHandshake", on_handshake},
    {"getId", on_id},
};

static void on_event(void *arg, sio_socket_t *socket, const sio_event_t *event) {
    (void)arg;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (str_eq(event->name, str_from(events[i].name)))
            events[i].handle(socket, event);
    }
}

static void on_foo_event(void *arg, sio_socket_t *socket, const sio_event_t *event) {
    (void)arg;
    (void)socket;
    if (str_eq(event->name, STR("getId")))
        reply_id(event);
}

void suite_socketio_client(eio_listener_t *listener, const suite_options_t *suite) {
    sio_options_t options = {
        .engine = {.ping_interval_ms = suite->ping_interval_ms ? suite->ping_interval_ms : 2000,
                   .on_request = delay_handshake}};
    sio_server_t *server = sio_server_new(listener, &options);
    sio_namespace(server, "/",
                  &(sio_handlers_t){.on_connect = connect_main,
                                    .on_event = on_event,
                                    .on_disconnect = on_disconnect,
                                    .arg = suite->recovery});
    sio_namespace(server, "/foo", &(sio_handlers_t){.on_event = on_foo_event});
    sio_namespace(server, "/timeout_socket", &(sio_handlers_t){0});
    sio_namespace(server, "/valid", &(sio_handlers_t){0});
    sio_namespace(server, "/asd", &(sio_handlers_t){0});
    sio_namespace(server, "/abc",
                  &(sio_handlers_t){.on_connect = connect_abc,
                                    .on_disconnect = on_disconnect,
                                    .arg = suite->recovery});
    sio_namespace(server, "/no", &(sio_handlers_t){.on_connect = connect_no});
}
