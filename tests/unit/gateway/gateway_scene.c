#include "gateway_scene.h"

/* An event on its way to sockets. */
typedef struct {
    size_t references;
    char *event;
    char *args;
} scene_packet_t;

/* ---- effects ---- */

static int64_t now_ms(void *ctx) {
    const scene_t *self = ctx;
    return self->now_ms;
}

static int64_t unix_ms(void *ctx) {
    const scene_t *self = ctx;
    return self->unix_ms;
}

static size_t number_of(const scene_t *self, const void *socket) {
    return (size_t)((const scene_socket_t *)socket - self->sockets);
}

static void *accept_client(void *ctx, void *connect, session_t *session) {
    scene_t *self = ctx;
    scene_socket_t *socket = connect;
    if (socket->refuses)
        return NULL;
    socket->session = session;
    strbuf_printf(&self->record, "accept s%zu\n", number_of(self, socket));
    return socket;
}

static void refuse_client(void *ctx, void *connect, str_t message, str_t data) {
    scene_t *self = ctx;
    strbuf_printf(&self->record, "refuse s%zu %.*s %.*s\n", number_of(self, connect),
                  STR_ARG(message), STR_ARG(data));
}

static void close_connect(void *ctx, void *connect) {
    scene_t *self = ctx;
    strbuf_printf(&self->record, "turn away s%zu\n", number_of(self, connect));
}

static void *packet_new(void *ctx, str_t event, str_t args) {
    scene_t *self = ctx;
    scene_packet_t *packet = xcalloc(1, sizeof(*packet));
    packet->references = 1;
    packet->event = str_dup(event);
    packet->args = str_dup(args);
    self->packets++;
    self->packets_made++;
    return packet;
}

static void packet_unref(void *ctx, void *packet_in) {
    scene_t *self = ctx;
    scene_packet_t *packet = packet_in;
    assert_true(packet->references > 0);
    if (--packet->references > 0)
        return;
    self->packets--;
    free(packet->event);
    free(packet->args);
    free(packet);
}

static void reply(void *ctx, void *socket, str_t pid) {
    scene_t *self = ctx;
    if (!pid.n)
        return;
    strbuf_printf(&self->record, "in s%zu\n", number_of(self, socket));
    assert_true(pid.n < sizeof(self->pid));
    snprintf(self->pid, sizeof(self->pid), "%.*s", STR_ARG(pid));
}

static void fill(void *ctx, unsigned char *bytes, size_t n) {
    scene_t *self = ctx;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(self->random++);
}

static void send_packet(void *ctx, void *socket_in, void *packet_in, str_t offset) {
    scene_t *self = ctx;
    const scene_socket_t *socket = socket_in;
    const scene_packet_t *packet = packet_in;
    if (!socket->closed)
        strbuf_printf(&self->record, "s%zu %s %s%s%.*s\n", number_of(self, socket), packet->event,
                      packet->args, offset.n ? " " : "", STR_ARG(offset));
}

static void drop_ack(void *ctx, gateway_ack_t *ack) {
    scene_t *self = ctx;
    if (ack->socket)
        self->acks--;
    *ack = (gateway_ack_t){0};
}

static void send_ack(void *ctx, gateway_ack_t *ack, str_t args) {
    scene_t *self = ctx;
    const scene_socket_t *socket = ack->socket;
    assert_non_null(socket);
    if (!socket->closed)
        strbuf_printf(&self->record, "s%zu ack %d %.*s\n", number_of(self, socket), (int)ack->id,
                      STR_ARG(args));
    drop_ack(self, ack);
}

static void close_socket(void *ctx, void *socket_in, gateway_close_t reason) {
    scene_t *self = ctx;
    scene_socket_t *socket = socket_in;
    static const char *const names[] = {
#define X(NAME, name) name,
        GATEWAY_CLOSE_REASONS(X)
#undef X
    };
    assert_false(socket->closed);
    socket->closed = true;
    strbuf_printf(&self->record, "close s%zu %s\n", number_of(self, socket), names[reason]);
}

static void record_list(scene_t *self, const char *name, proto_texts_t texts) {
    strbuf_printf(&self->record, " %s=", name);
    for (size_t i = 0; i < texts.n; i++)
        strbuf_printf(&self->record, "%s%.*s", i ? "," : "", STR_ARG(texts.items[i]));
}

static void record_rejoin(scene_t *self, str_t body) {
    proto_rejoin_t rejoin;
    assert_int_equal(proto_rejoin_decode(body, self->arena, &rejoin), OK);
    assert_int_equal(rejoin.sessions.n, rejoin.users.n);
    strbuf_printf(&self->record, " sessions=");
    for (size_t i = 0; i < rejoin.sessions.n; i++)
        strbuf_printf(&self->record, "%s%d", i ? "," : "", (int)rejoin.sessions.items[i]);
    record_list(self, "users", rejoin.users);
}

/* What is worth seeing of a body. */
static void record_body(scene_t *self, const envelope_t *envelope) {
    proto_join_t join;
    proto_send_t send;
    proto_mark_read_t mark;
    proto_typing_t typing;
    proto_history_t history;
    proto_watch_t watch;
    proto_heads_t heads;
    proto_auth_verify_t verify;
    proto_changes_t changes;
    strbuf_t *out = &self->record;
    switch (envelope->type) {
    case MSG_JOIN:
        assert_int_equal(proto_join_decode(envelope->body, self->arena, &join), OK);
        if (PROTO_HAS(&join, 1))
            strbuf_printf(out, " after=%d", (int)join.after);
        if (PROTO_HAS(&join, 4))
            strbuf_printf(out, " read_after=%d", (int)join.read_after_ms);
        break;
    case MSG_CHANGES:
        assert_int_equal(proto_changes_decode(envelope->body, self->arena, &changes), OK);
        strbuf_printf(out, " since=%d", (int)changes.since_ms);
        break;
    case MSG_SEND:
        assert_int_equal(proto_send_decode(envelope->body, self->arena, &send), OK);
        strbuf_printf(out, " text=%.*s client=%.*s", STR_ARG(send.text), STR_ARG(send.client_id));
        if (send.reply_to)
            strbuf_printf(out, " replyTo=%d", (int)send.reply_to);
        break;
    case MSG_MARK_READ:
        assert_int_equal(proto_mark_read_decode(envelope->body, self->arena, &mark), OK);
        if (PROTO_HAS(&mark, 1))
            strbuf_printf(out, " seq=%d", (int)mark.seq);
        break;
    case MSG_TYPING:
        assert_int_equal(proto_typing_decode(envelope->body, self->arena, &typing), OK);
        strbuf_printf(out, " on=%d", (int)typing.on);
        break;
    case MSG_HISTORY:
        assert_int_equal(proto_history_decode(envelope->body, self->arena, &history), OK);
        assert_int_equal(history.trusted, 1);
        strbuf_printf(out, " after=%d", (int)history.after);
        break;
    case MSG_REJOIN:
        record_rejoin(self, envelope->body);
        break;
    case MSG_WATCH:
    case MSG_UNWATCH:
        assert_int_equal(proto_watch_decode(envelope->body, self->arena, &watch), OK);
        record_list(self, "users", watch.users);
        break;
    case MSG_HEADS:
        assert_int_equal(proto_heads_decode(envelope->body, self->arena, &heads), OK);
        record_list(self, "rooms", heads.rooms);
        break;
    case MSG_AUTH_VERIFY:
        assert_int_equal(proto_auth_verify_decode(envelope->body, self->arena, &verify), OK);
        strbuf_printf(out, " token=%.*s", STR_ARG(verify.token));
        break;
    default:
        break;
    }
}

static void record_envelope(scene_t *self, const char *what, size_t broker,
                            const envelope_t *envelope) {
    assert_true(proto_allowed(envelope->type, ROLE_GATEWAY, ROLE_BROKER));
    if (envelope->room.n)
        assert_int_equal(broker, brokers_of_room(self->brokers, envelope->room));
    strbuf_printf(&self->record, "%s %s", what, proto_name(envelope->type));
    if (envelope->room.n)
        strbuf_printf(&self->record, " %.*s", STR_ARG(envelope->room));
    if (envelope->user.n)
        strbuf_printf(&self->record, " user=%.*s", STR_ARG(envelope->user));
    if (envelope->session)
        strbuf_printf(&self->record, " session=%d", (int)envelope->session);
    if (trace_is_set(&envelope->trace))
        strbuf_printf(&self->record, " trace=%d", envelope->trace.id[0]);
    record_body(self, envelope);
    strbuf_append_char(&self->record, '\n');
}

static uint64_t request(void *ctx, size_t broker, const link_request_t *link_request) {
    scene_t *self = ctx;
    const envelope_t *envelope = link_request->envelope;
    assert_true(link_request->timeout_ms > 0);
    if (self->bus_full)
        return 0;
    record_envelope(self, "ask", broker, envelope);
    assert_true(self->request_count < SCENE_REQUESTS);
    scene_request_t *made = &self->requests[self->request_count++];
    *made = (scene_request_t){.id = ++self->last_request,
                              .broker = broker,
                              .type = envelope->type,
                              .link_bound = link_request->link_bound,
                              .on_reply = link_request->on_reply,
                              .arg = link_request->arg,
                              .body = str_dup(envelope->body),
                              .body_bytes = envelope->body.n};
    assert_true(envelope->room.n < sizeof(made->room));
    memcpy(made->room, envelope->room.p ? envelope->room.p : "", envelope->room.n);
    return made->id;
}

static void cancel(void *ctx, size_t broker, uint64_t request_id) {
    scene_t *self = ctx;
    for (size_t i = 0; i < self->request_count; i++) {
        if (self->requests[i].id == request_id) {
            assert_int_equal(self->requests[i].broker, broker);
            strbuf_printf(&self->record, "cancel %s\n", proto_name(self->requests[i].type));
            scene_take_request(self, i);
            return;
        }
    }
    fail_msg("request %d is not pending", (int)request_id);
}

static err_t post(void *ctx, size_t broker, const envelope_t *envelope) {
    scene_t *self = ctx;
    if (!self->up[broker])
        return ERR_UNAVAILABLE;
    record_envelope(self, "post", broker, envelope);
    return OK;
}

static void step(void *ctx, const gateway_step_t *step) {
    scene_t *self = ctx;
    strbuf_printf(&self->record, "step %d %s %.*s %s session=%d seq=%d sockets=%d\n",
                  step->trace.id[0], step->name, STR_ARG(step->event), code_name(step->code),
                  (int)step->session, (int)step->seq, (int)step->sockets);
}

static bool is_crowded(void *ctx, void *socket) {
    const scene_t *self = ctx;
    return socket == self->crowded;
}

static bool is_busy(void *ctx, size_t broker) {
    const scene_t *self = ctx;
    return self->bus_busy[broker];
}

static const gateway_ops_t scene_ops = {
    .now_ms = now_ms,
    .unix_ms = unix_ms,
    .accept = accept_client,
    .reply = reply,
    .refuse = refuse_client,
    .close_connect = close_connect,
    .packet_new = packet_new,
    .packet_unref = packet_unref,
    .send = send_packet,
    .ack = send_ack,
    .drop_ack = drop_ack,
    .close = close_socket,
    .random = fill,
    .is_crowded = is_crowded,
    .step = step,
    .request = request,
    .cancel = cancel,
    .post = post,
    .is_busy = is_busy,
};

/* ---- life ---- */

void scene_init(scene_t *self) {
    const char *why = NULL;
    *self = (scene_t){.now_ms = 5000, .unix_ms = SCENE_UNIX_MS};
    assert_int_equal(brokers_new(STR("ipc://one,ipc://two"), &self->brokers, &why), OK);
    self->metrics = metrics_new(gateway_metric_defs, METRIC_COUNT);
    self->arena = proto_arena_new();
    self->config = (gateway_core_config_t){
        .brokers = self->brokers,
        .incarnation = 0xabc,
        .max_rooms = 100,
        .max_rooms_per_session = 10,
        .max_members = 1000,
        .max_interests = 1000,
        .max_waiting_bytes = 1 << 20,
        .max_writes = 1000,
        .max_requests_per_session = 20,
        .metrics = self->metrics,
    };
}

void scene_start(scene_t *self) {
    self->ops = &scene_ops;
    self->core = gateway_core_new(&self->config, self->ops, self);
    scene_up(self, 0);
    scene_up(self, 1);
    scene_after(self, GATEWAY_HEADS_AGAIN_MS); /* nothing to compare any more */
    self->unix_ms = SCENE_UNIX_MS;
    scene_forget(self);
}

void scene_fini(scene_t *self) {
    gateway_core_free(&self->core);
    while (self->request_count)
        scene_take_request(self, 0);
    assert_int_equal(self->packets, 0);
    proto_arena_free(&self->arena);
    metrics_free(&self->metrics);
    brokers_free(&self->brokers);
    strbuf_fini(&self->record);
    strbuf_fini(&self->body);
}

void scene_forget(scene_t *self) {
    strbuf_clear(&self->record);
}

void scene_after(scene_t *self, int64_t ms) {
    self->now_ms += ms;
    self->unix_ms += ms;
    gateway_core_tick(self->core);
    gateway_core_flush(self->core);
}

void scene_down(scene_t *self, size_t broker) {
    self->up[broker] = false;
    for (size_t i = 0; i < self->request_count;) {
        if (self->requests[i].broker != broker || !self->requests[i].link_bound) {
            i++;
            continue;
        }
        scene_request_t ended = scene_take_request(self, i);
        ended.on_reply(ended.arg, ERR_CLOSED, NULL);
        i = 0;
    }
    gateway_core_down(self->core, broker);
    gateway_core_flush(self->core);
}

void scene_up(scene_t *self, size_t broker) {
    self->up[broker] = true;
    gateway_core_up(self->core, broker);
    gateway_core_flush(self->core);
}

/* ---- clients ---- */

size_t scene_ask(scene_t *self, const char *token, const char *address) {
    assert_true(self->socket_count < SCENE_SOCKETS);
    scene_socket_t *socket = &self->sockets[++self->socket_count];
    gateway_core_connect(self->core, socket,
                         &(gateway_hello_t){.token = str_from(token),
                                            .address = str_from(address),
                                            .context = self->context});
    return self->socket_count;
}

size_t scene_return(scene_t *self, const char *user, const char *pid, const char *offset) {
    assert_true(self->socket_count < SCENE_SOCKETS);
    scene_socket_t *socket = &self->sockets[++self->socket_count];
    gateway_core_connect(self->core, socket,
                         &(gateway_hello_t){.token = STR("token"),
                                            .address = STR("10.0.0.1"),
                                            .pid = str_from(pid),
                                            .offset = str_from(offset),
                                            .context = self->context});
    scene_identity(self, user, self->unix_ms + SCENE_TOKEN_MS);
    scene_answer(self, MSG_AUTH_VERIFY, MSG_IDENTITY);
    return self->socket_count;
}

size_t scene_connect(scene_t *self, const char *user) {
    size_t socket = scene_ask(self, "token", "10.0.0.1");
    scene_identity(self, user, self->unix_ms + SCENE_TOKEN_MS);
    scene_answer(self, MSG_AUTH_VERIFY, MSG_IDENTITY);
    assert_non_null(self->sockets[socket].session);
    while (scene_pending(self, MSG_USER_SEEN))
        scene_answer(self, MSG_USER_SEEN, MSG_DONE);
    scene_forget(self);
    return socket;
}

void scene_event(scene_t *self, size_t socket, const char *event, const char *payload,
                 uint64_t ack) {
    strbuf_t array = {0};
    strbuf_printf(&array, "[\"%s\",%s]", event, payload);
    gateway_event_t made = {
        .name = str_from(event), .array = strbuf_str(&array), .ack.trace = self->trace};
    if (ack) {
        made.ack.socket = &self->sockets[socket];
        made.ack.id = ack;
        self->acks++;
    }
    gateway_core_event(self->core, self->sockets[socket].session, &made);
    gateway_core_flush(self->core);
    strbuf_fini(&array);
}

void scene_disconnect(scene_t *self, size_t socket) {
    session_t *session = self->sockets[socket].session;
    self->sockets[socket].session = NULL;
    self->sockets[socket].closed = true;
    gateway_core_disconnect(self->core, session);
    gateway_core_flush(self->core);
}
