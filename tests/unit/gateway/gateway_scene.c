#include "gateway_scene.h"

#include "common/ids.h"

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

static void send_packet(void *ctx, void *socket_in, void *packet_in) {
    scene_t *self = ctx;
    const scene_socket_t *socket = socket_in;
    const scene_packet_t *packet = packet_in;
    if (!socket->closed)
        strbuf_printf(&self->record, "s%zu %s %s\n", number_of(self, socket), packet->event,
                      packet->args);
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

static str_t socket_id(void *ctx, void *socket) {
    (void)ctx;
    (void)socket;
    return STR("public-id");
}

static void record_list(scene_t *self, const char *name, proto_texts_t texts) {
    strbuf_printf(&self->record, " %s=", name);
    for (size_t i = 0; i < texts.n; i++)
        strbuf_printf(&self->record, "%s%.*s", i ? "," : "", STR_ARG(texts.items[i]));
}

/* What is worth seeing of a body. */
static void record_body(scene_t *self, const envelope_t *envelope) {
    proto_join_t join;
    proto_send_t send;
    proto_mark_read_t mark;
    proto_typing_t typing;
    proto_history_t history;
    proto_rejoin_t rejoin;
    proto_watch_t watch;
    proto_heads_t heads;
    proto_auth_verify_t verify;
    strbuf_t *out = &self->record;
    switch (envelope->type) {
    case MSG_JOIN:
        assert_int_equal(proto_join_decode(envelope->body, self->arena, &join), OK);
        if (PROTO_HAS(&join, 1))
            strbuf_printf(out, " after=%d", (int)join.after);
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
        assert_int_equal(proto_rejoin_decode(envelope->body, self->arena, &rejoin), OK);
        assert_int_equal(rejoin.sessions.n, rejoin.users.n);
        strbuf_printf(out, " sessions=");
        for (size_t i = 0; i < rejoin.sessions.n; i++)
            strbuf_printf(out, "%s%d", i ? "," : "", (int)rejoin.sessions.items[i]);
        record_list(self, "users", rejoin.users);
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

static scene_request_t take_request(scene_t *self, size_t index) {
    scene_request_t taken = self->requests[index];
    self->request_count--;
    memmove(&self->requests[index], &self->requests[index + 1],
            (self->request_count - index) * sizeof(taken));
    free(taken.body);
    taken.body = NULL;
    return taken;
}

static void cancel(void *ctx, size_t broker, uint64_t request_id) {
    scene_t *self = ctx;
    for (size_t i = 0; i < self->request_count; i++) {
        if (self->requests[i].id == request_id) {
            assert_int_equal(self->requests[i].broker, broker);
            strbuf_printf(&self->record, "cancel %s\n", proto_name(self->requests[i].type));
            take_request(self, i);
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

static const gateway_ops_t scene_ops = {
    .now_ms = now_ms,
    .unix_ms = unix_ms,
    .accept = accept_client,
    .refuse = refuse_client,
    .close_connect = close_connect,
    .packet_new = packet_new,
    .packet_unref = packet_unref,
    .send = send_packet,
    .ack = send_ack,
    .drop_ack = drop_ack,
    .close = close_socket,
    .socket_id = socket_id,
    .request = request,
    .cancel = cancel,
    .post = post,
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
        .max_requests_per_session = 20,
        .metrics = self->metrics,
    };
}

void scene_start(scene_t *self) {
    self->core = gateway_core_new(&self->config, &scene_ops, self);
    scene_up(self, 0);
    scene_up(self, 1);
    scene_after(self, GATEWAY_HEADS_AGAIN_MS); /* nothing to compare any more */
    self->unix_ms = SCENE_UNIX_MS;
    scene_forget(self);
}

void scene_fini(scene_t *self) {
    gateway_core_free(&self->core);
    while (self->request_count)
        take_request(self, 0);
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
}

void scene_down(scene_t *self, size_t broker) {
    self->up[broker] = false;
    for (size_t i = 0; i < self->request_count;) {
        if (self->requests[i].broker != broker || !self->requests[i].link_bound) {
            i++;
            continue;
        }
        scene_request_t ended = take_request(self, i);
        ended.on_reply(ended.arg, ERR_CLOSED, NULL);
        i = 0;
    }
    gateway_core_down(self->core, broker);
}

void scene_up(scene_t *self, size_t broker) {
    self->up[broker] = true;
    gateway_core_up(self->core, broker);
}

/* ---- clients ---- */

size_t scene_ask(scene_t *self, const char *token, const char *address) {
    assert_true(self->socket_count < SCENE_SOCKETS);
    scene_socket_t *socket = &self->sockets[++self->socket_count];
    gateway_core_connect(self->core, socket, str_from(token), str_from(address));
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
    gateway_event_t made = {.name = str_from(event), .array = strbuf_str(&array)};
    if (ack) {
        made.ack = (gateway_ack_t){.socket = &self->sockets[socket], .id = ack};
        self->acks++;
    }
    gateway_core_event(self->core, self->sockets[socket].session, &made);
    strbuf_fini(&array);
}

void scene_disconnect(scene_t *self, size_t socket) {
    session_t *session = self->sockets[socket].session;
    self->sockets[socket].session = NULL;
    self->sockets[socket].closed = true;
    gateway_core_disconnect(self->core, session);
}

/* ---- brokers ---- */

size_t scene_pending(const scene_t *self, uint16_t type) {
    size_t found = 0;
    for (size_t i = 0; i < self->request_count; i++)
        found += self->requests[i].type == type;
    return found;
}

static size_t oldest(const scene_t *self, uint16_t type) {
    size_t i = 0;
    while (i < self->request_count && self->requests[i].type != type)
        i++;
    if (i == self->request_count)
        fail_msg("no %s is pending", proto_name(type));
    return i;
}

static void answer(scene_t *self, uint16_t type, const envelope_t *reply) {
    scene_request_t taken = take_request(self, oldest(self, type));
    taken.on_reply(taken.arg, OK, reply);
    strbuf_clear(&self->body);
}

void scene_answer(scene_t *self, uint16_t request_type, uint16_t reply) {
    strbuf_cstr(&self->body);
    envelope_t envelope = {.flags = ENVELOPE_REPLY, .type = reply, .body = strbuf_str(&self->body)};
    if (reply == MSG_DONE) {
        strbuf_clear(&self->body);
        proto_done_encode(&(proto_done_t){0}, &self->body);
        envelope.body = strbuf_str(&self->body);
    }
    answer(self, request_type, &envelope);
}

void scene_error(scene_t *self, uint16_t request_type, code_t code) {
    strbuf_clear(&self->body);
    proto_error_encode(&(proto_error_t){.message = STR("why")}, &self->body);
    envelope_t envelope = {.flags = ENVELOPE_REPLY,
                           .type = MSG_ERROR,
                           .code = (uint16_t)code,
                           .body = strbuf_str(&self->body)};
    answer(self, request_type, &envelope);
}

void scene_fail(scene_t *self, uint16_t request_type, err_t err) {
    scene_request_t taken = take_request(self, oldest(self, request_type));
    taken.on_reply(taken.arg, err, NULL);
}

void scene_overtake(scene_t *self, uint16_t request_type) {
    size_t i = self->request_count;
    while (i > 0 && self->requests[i - 1].type != request_type)
        i--;
    assert_true(i > 0);
    scene_request_t newest = self->requests[i - 1];
    memmove(&self->requests[1], &self->requests[0], (i - 1) * sizeof(newest));
    self->requests[0] = newest;
}

void scene_identity(scene_t *self, const char *user, int64_t expires_unix_ms) {
    proto_identity_t identity = {.user_id = str_from(user),
                                 .name = STR("Name"),
                                 .role = STR("customer"),
                                 .expires_at_ms = (uint64_t)expires_unix_ms};
    strbuf_clear(&self->body);
    proto_identity_encode(&identity, &self->body);
}

/* Splits at commas; the pieces borrow from `list`. */
static size_t split(const char *list, str_t *items, size_t max) {
    size_t n = 0;
    while (*list) {
        size_t length = strcspn(list, ",");
        assert_true(n < max);
        items[n++] = (str_t){list, length};
        list += length + (list[length] == ',');
    }
    return n;
}

enum { MESSAGES_MAX = 600, TEXT_MAX = 100 };

/* A message as far as the gateway looks into one. */
static str_t message_text(char *out, uint64_t seq, const char *sender, const char *client_id) {
    snprintf(out, TEXT_MAX, "{\"seq\":%d,\"senderId\":\"%s\",\"clientId\":\"%s\"}", (int)seq,
             sender, client_id);
    return str_from(out);
}

typedef struct {
    char texts[MESSAGES_MAX][TEXT_MAX];
    str_t messages[MESSAGES_MAX];
    uint64_t seqs[MESSAGES_MAX];
    size_t n;
} messages_t;

static messages_t *make_messages(uint64_t from, uint64_t to) {
    messages_t *made = xcalloc(1, sizeof(*made));
    char client_id[32];
    for (uint64_t seq = from; from && seq <= to; seq++) {
        snprintf(client_id, sizeof(client_id), "c%d", (int)seq);
        made->messages[made->n] = message_text(made->texts[made->n], seq, "b", client_id);
        made->seqs[made->n++] = seq;
    }
    return made;
}

void scene_conversation(scene_t *self, const scene_conversation_t *told) {
    messages_t *messages = make_messages(told->from, told->to);
    str_t ids[64];
    const char *participants = told->participants ? told->participants : "a,b";
    size_t n = split(participants, ids, 64);
    strbuf_t json = {0};
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&json, "%s{\"id\":\"%.*s\",\"lastSeenAt\":null}", i ? "," : "[",
                      STR_ARG(ids[i]));
    strbuf_append_char(&json, ']');
    proto_conversation_t conversation = {
        .conversation = STR("{\"id\":\"x\"}"),
        .participants = strbuf_str(&json),
        .participant_ids = {ids, n},
        .head_seq = told->head,
        .generation = str_from(told->generation ? told->generation : "g1"),
        .messages = {messages->messages, messages->n},
        .seqs = {messages->seqs, messages->n},
        .truncated = told->truncated,
        .reset = told->reset,
        .members_version = told->members_version,
    };
    strbuf_clear(&self->body);
    proto_conversation_encode(&conversation, &self->body);
    strbuf_fini(&json);
    free(messages);
}

void scene_stored(scene_t *self, uint64_t seq, const char *sender, const char *client_id) {
    char text[TEXT_MAX];
    proto_stored_t stored = {
        .job = 1, .epoch = 1, .seq = seq, .message = message_text(text, seq, sender, client_id)};
    strbuf_clear(&self->body);
    proto_stored_encode(&stored, &self->body);
}

void scene_history(scene_t *self, uint64_t from, uint64_t to, uint64_t head) {
    messages_t *made = make_messages(from, to);
    proto_messages_t messages = {
        .messages = {made->messages, made->n}, .seqs = {made->seqs, made->n}, .head_seq = head};
    strbuf_clear(&self->body);
    proto_messages_encode(&messages, &self->body);
    free(made);
}

void scene_history_one(scene_t *self, uint64_t seq, const char *sender, const char *client_id) {
    char text[TEXT_MAX];
    str_t message = message_text(text, seq, sender, client_id);
    proto_messages_t messages = {.messages = {&message, 1}, .seqs = {&seq, 1}, .head_seq = seq};
    strbuf_clear(&self->body);
    proto_messages_encode(&messages, &self->body);
}

void scene_heads(scene_t *self, const uint64_t *seqs, size_t n, const char *generation) {
    proto_head_seqs_t heads = {.seqs = {seqs, n}, .generation = str_from(generation)};
    strbuf_clear(&self->body);
    proto_head_seqs_encode(&heads, &self->body);
}

void scene_rejoined(scene_t *self, const uint64_t *refused, size_t n) {
    strbuf_clear(&self->body);
    proto_rejoined_encode(&(proto_rejoined_t){.refused = {refused, n}}, &self->body);
}

void scene_presences(scene_t *self, const char *states) {
    str_t users[64];
    uint64_t online[64], seen[64] = {0};
    size_t n = split(states, users, 64);
    for (size_t i = 0; i < n; i++) {
        online[i] = users[i].p[users[i].n - 1] == '1';
        users[i].n -= 2;
    }
    strbuf_clear(&self->body);
    proto_presences_encode(
        &(proto_presences_t){.users = {users, n}, .online = {online, n}, .last_seen_ms = {seen, n}},
        &self->body);
}

void scene_deliver(scene_t *self, uint16_t type, const char *room, const char *user,
                   uint64_t session) {
    envelope_t envelope = {.type = type,
                           .room = str_from(room),
                           .user = str_from(user),
                           .session = session,
                           .body = strbuf_str(&self->body)};
    assert_true(proto_allowed(type, ROLE_BROKER, ROLE_GATEWAY));
    gateway_core_deliver(self->core, brokers_of_room(self->brokers, envelope.room), &envelope);
    strbuf_clear(&self->body);
}

void scene_new_message(scene_t *self, const char *room, uint64_t seq, const char *sender) {
    char text[TEXT_MAX], client_id[32];
    snprintf(client_id, sizeof(client_id), "c%d", (int)seq);
    strbuf_clear(&self->body);
    proto_new_message_encode(
        &(proto_new_message_t){.seq = seq, .message = message_text(text, seq, sender, client_id)},
        &self->body);
    scene_deliver(self, MSG_NEW_MESSAGE, room, sender, 0);
}

void scene_presence(scene_t *self, const char *user, bool online, int64_t last_seen_ms) {
    strbuf_clear(&self->body);
    proto_presence_encode(
        &(proto_presence_t){.online = online, .last_seen_ms = (uint64_t)last_seen_ms}, &self->body);
    scene_deliver(self, MSG_PRESENCE, "", user, 0);
}

void scene_expel(scene_t *self, const char *room, const char *user) {
    str_t users[] = {str_from(user)};
    strbuf_clear(&self->body);
    proto_expel_encode(&(proto_expel_t){.users = {users, 1}}, &self->body);
    scene_deliver(self, MSG_EXPEL, room, NULL, 0);
}

void scene_user_event(scene_t *self, const char *user, const char *event, const char *room) {
    strbuf_t name = {0};
    ids_append_user_room(&name, str_from(user));
    proto_user_event_t told = {.event = str_from(event),
                               .conversation_id = str_from(room),
                               .payload = STR("{\"hint\":1}")};
    strbuf_clear(&self->body);
    proto_user_event_encode(&told, &self->body);
    scene_deliver(self, MSG_USER_EVENT, strbuf_cstr(&name), user, 0);
    strbuf_fini(&name);
}

void scene_joined(scene_t *self, size_t socket, uint64_t head) {
    scene_event(self, socket, "join_conversation", "\"conv_a_b\"", 900);
    scene_conversation(self, &(scene_conversation_t){.head = head});
    scene_answer(self, MSG_JOIN, MSG_CONVERSATION);
    while (scene_pending(self, MSG_WATCH)) {
        scene_presences(self, "a=0,b=0");
        scene_answer(self, MSG_WATCH, MSG_PRESENCES);
    }
    scene_forget(self);
}
