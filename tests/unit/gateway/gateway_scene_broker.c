/* What brokers answer and deliver in the scene. */
#include "common/ids.h"
#include "gateway_scene.h"

scene_request_t scene_take_request(scene_t *self, size_t index) {
    scene_request_t taken = self->requests[index];
    self->request_count--;
    memmove(&self->requests[index], &self->requests[index + 1],
            (self->request_count - index) * sizeof(taken));
    free(taken.body);
    taken.body = NULL;
    return taken;
}

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
    scene_request_t taken = scene_take_request(self, oldest(self, type));
    taken.on_reply(taken.arg, OK, reply);
    gateway_core_flush(self->core);
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
    scene_request_t taken = scene_take_request(self, oldest(self, request_type));
    taken.on_reply(taken.arg, err, NULL);
    gateway_core_flush(self->core);
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

void scene_changed(scene_t *self, const char *events, const char *generation) {
    enum { MOST = 8 };
    str_t names[MOST], rooms[MOST], payloads[MOST];
    uint64_t at_ms[MOST];
    size_t n = 0;
    char *copy = str_dup(str_from(events)), *rest = copy;
    for (char *event = NULL; (event = strsep(&rest, ",")) && *event; n++) {
        assert_true(n < MOST);
        char *room = strchr(event, ' ') + 1;
        names[n] = event[0] == 'a'   ? STR("conversation_added")
                   : event[0] == 'r' ? STR("conversation_removed")
                                     : STR("conversation_updated");
        rooms[n] = str_from(room);
        payloads[n] = STR("{\"told\":1}");
        at_ms[n] = event[0] == 'u' ? 0 : SCENE_UNIX_MS + n;
    }
    strbuf_clear(&self->body);
    proto_changed_encode(&(proto_changed_t){.events = {names, n},
                                            .conversations = {rooms, n},
                                            .payloads = {payloads, n},
                                            .at_ms = {at_ms, n},
                                            .now_ms = SCENE_UNIX_MS + 100,
                                            .generation = str_from(generation)},
                         &self->body);
    free(copy);
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
                           .trace = self->trace,
                           .body = strbuf_str(&self->body)};
    assert_true(proto_allowed(type, ROLE_BROKER, ROLE_GATEWAY));
    gateway_core_deliver(self->core, brokers_of_room(self->brokers, envelope.room), &envelope);
    gateway_core_flush(self->core);
    strbuf_clear(&self->body);
}

void scene_new_message(scene_t *self, const char *room, uint64_t seq, const char *sender) {
    char text[TEXT_MAX], client_id[32];
    snprintf(client_id, sizeof(client_id), "c%d", (int)seq);
    strbuf_clear(&self->body);
    proto_new_message_encode(
        &(proto_new_message_t){.seq = seq,
                               .message = message_text(text, seq, sender, client_id),
                               .committed_ms = (uint64_t)self->unix_ms},
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
    proto_expel_encode(&(proto_expel_t){.users = {users, 1}, .version = self->members_version},
                       &self->body);
    scene_deliver(self, MSG_EXPEL, room, NULL, 0);
}

void scene_user_event(scene_t *self, const char *user, const char *event, const char *room) {
    strbuf_t name = {0};
    ids_append_user_room(&name, str_from(user));
    proto_user_event_t told = {.event = str_from(event),
                               .conversation_id = str_from(room),
                               .payload = STR("{\"hint\":1}"),
                               .version = self->members_version};
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
