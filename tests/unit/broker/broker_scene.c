#include "broker_scene.h"

/* ---- recording ---- */

static void append_texts(strbuf_t *out, const char *name, const proto_texts_t *texts) {
    strbuf_printf(out, " %s=", name);
    for (size_t i = 0; i < texts->n; i++)
        strbuf_printf(out, "%s%.*s", i ? "," : "", STR_ARG(texts->items[i]));
}

static void append_numbers(strbuf_t *out, const char *name, const proto_u64s_t *numbers) {
    strbuf_printf(out, " %s=", name);
    for (size_t i = 0; i < numbers->n; i++)
        strbuf_printf(out, "%s%llu", i ? "," : "", (unsigned long long)numbers->items[i]);
}

static void append_seq(strbuf_t *out, uint64_t seq) {
    strbuf_printf(out, " seq=%llu", (unsigned long long)seq);
}

static void append_presences(scene_t *self, str_t body) {
    proto_presences_t presences;
    assert_int_equal(proto_presences_decode(body, self->arena, &presences), OK);
    append_texts(&self->record, "users", &presences.users);
    append_numbers(&self->record, "online", &presences.online);
    append_numbers(&self->record, "last_seen", &presences.last_seen_ms);
}

static void append_last_seen(scene_t *self, str_t body) {
    proto_last_seen_t last_seen;
    assert_int_equal(proto_last_seen_decode(body, self->arena, &last_seen), OK);
    append_texts(&self->record, "users", &last_seen.users);
    append_numbers(&self->record, "at", &last_seen.at_ms);
}

/* What of the body a test wants to see. */
static void append_body(scene_t *self, const envelope_t *envelope) {
    strbuf_t *out = &self->record;
    union {
        proto_stored_t stored;
        proto_new_message_t new_message;
        proto_typing_event_t typing;
        proto_presence_t presence;
        proto_rejoined_t rejoined;
        proto_expel_t expel;
    } m;
    switch (envelope->type) {
    case MSG_STORED:
        assert_int_equal(proto_stored_decode(envelope->body, self->arena, &m.stored), OK);
        append_seq(out, m.stored.seq);
        break;
    case MSG_NEW_MESSAGE:
        assert_int_equal(proto_new_message_decode(envelope->body, self->arena, &m.new_message), OK);
        append_seq(out, m.new_message.seq);
        break;
    case MSG_TYPING_EVENT:
        assert_int_equal(proto_typing_event_decode(envelope->body, self->arena, &m.typing), OK);
        strbuf_append(out, m.typing.on ? STR(" on") : STR(" off"));
        break;
    case MSG_PRESENCE:
        assert_int_equal(proto_presence_decode(envelope->body, self->arena, &m.presence), OK);
        strbuf_printf(out, " %s last_seen=%llu", m.presence.online ? "online" : "offline",
                      (unsigned long long)m.presence.last_seen_ms);
        break;
    case MSG_REJOINED:
        assert_int_equal(proto_rejoined_decode(envelope->body, self->arena, &m.rejoined), OK);
        append_numbers(out, "refused", &m.rejoined.refused);
        break;
    case MSG_EXPEL:
        assert_int_equal(proto_expel_decode(envelope->body, self->arena, &m.expel), OK);
        append_texts(out, "users", &m.expel.users);
        break;
    case MSG_PRESENCES:
        append_presences(self, envelope->body);
        break;
    case MSG_LAST_SEEN:
        append_last_seen(self, envelope->body);
        break;
    default:
        assert_int_equal(proto_check(envelope->type, envelope->body, self->arena), OK);
    }
}

static void record_send(void *ctx, void *link, const envelope_t *envelope) {
    scene_t *self = ctx;
    strbuf_t *out = &self->record;
    strbuf_printf(out, "%s %s", (const char *)link, proto_name(envelope->type));
    if (envelope->request_id)
        strbuf_printf(out, " %s=%llu", envelope->flags & ENVELOPE_REPLY ? "reply" : "id",
                      (unsigned long long)envelope->request_id);
    if (envelope->room.n)
        strbuf_printf(out, " %.*s", STR_ARG(envelope->room));
    if (envelope->user.n)
        strbuf_printf(out, " user=%.*s", STR_ARG(envelope->user));
    if (envelope->session)
        strbuf_printf(out, " session=%llu", (unsigned long long)envelope->session);
    if (envelope->code)
        strbuf_printf(out, " %s", code_name(envelope->code));
    append_body(self, envelope);
    strbuf_append_char(out, '\n');
}

static void record_job_ended(void *ctx, job_class_t class, job_outcome_t outcome, int64_t took_ms) {
    scene_t *self = ctx;
    assert_true(took_ms >= 0);
    self->ended[class][outcome]++;
}

static void record_refused(void *ctx, void *link, const envelope_t *envelope, const char *what) {
    scene_t *self = ctx;
    strbuf_printf(&self->record, "%s refused %s: %s\n", (const char *)link,
                  proto_name(envelope->type), what);
}

static bool is_behind(void *ctx, void *link) {
    const scene_t *self = ctx;
    return self->behind && strcmp(link, self->behind) == 0;
}

static const broker_core_ops_t ops = {.send = record_send,
                                      .job_ended = record_job_ended,
                                      .refused = record_refused,
                                      .is_behind = is_behind};

/* ---- life ---- */

void scene_init(scene_t *self) {
    *self =
        (scene_t){.config = {.epoch = SCENE_EPOCH,
                             .rooms = {.max_rooms = 100, .max_memberships_per_gateway = 100},
                             .typing = {.max_entries = 100, .timeout_ms = 5000},
                             .presence = {.grace_ms = 3000,
                                          .settle_ms = 5000,
                                          .max_watches_per_gateway = 100,
                                          .max_unwritten = 100},
                             .rights = {.max_cache_bytes = 1 << 20,
                                        .max_waiting_per_room = 100,
                                        .max_waiting_bytes = 1 << 20},
                             .jobs = {.classes = {{100, 1 << 20}, {100, 1 << 20}, {100, 1 << 20}},
                                      .max_deadline_ms = 60000},
                             .user_events = {.max_events = 4,
                                             .max_bytes = 10000,
                                             .settle_ms = 5000,
                                             .keep_ms = 60000},
                             .group_load_timeout_ms = 3000,
                             .retry_after_ms = 1000,
                             .max_held_bytes = 1 << 20}};
    self->arena = proto_arena_new();
    strbuf_cstr(&self->record);
}

void scene_start(scene_t *self) {
    self->core = broker_core_new(&self->config, &ops, self, 0, SCENE_UNIX_MS);
}

void scene_fini(scene_t *self) {
    for (size_t i = 0; i < SCENE_PEERS; i++) {
        if (self->peers[i].peer)
            scene_down(self, self->peers[i].name);
    }
    assert_int_equal(rooms_count(broker_core_rooms(self->core)), 0);
    assert_int_equal(rooms_memberships(broker_core_rooms(self->core)), 0);
    assert_int_equal(typing_count(broker_core_typing(self->core)), 0);
    assert_int_equal(rights_waiting(broker_core_rights(self->core)), 0);
    assert_int_equal(presence_watches(broker_core_presence(self->core)), 0);
    broker_core_free(&self->core);
    proto_arena_free(&self->arena);
    strbuf_fini(&self->record);
    strbuf_fini(&self->body);
}

static role_t role_of(const char *name) {
    switch (name[0]) {
    case 'g':
        return ROLE_GATEWAY;
    case 'r':
        return ROLE_REST;
    case 'w':
        return ROLE_PERSIST;
    default:
        return ROLE_AUTH;
    }
}

static size_t find_peer(const scene_t *self, const char *name) {
    size_t i = 0;
    while (i < SCENE_PEERS && strcmp(self->peers[i].name, name) != 0)
        i++;
    return i;
}

void scene_up(scene_t *self, const char *name, uint16_t write_credit, uint16_t read_credit) {
    size_t i = find_peer(self, name);
    if (i == SCENE_PEERS)
        i = find_peer(self, "");
    assert_true(i < SCENE_PEERS);
    assert_null(self->peers[i].peer);
    snprintf(self->peers[i].name, sizeof(self->peers[i].name), "%s", name);
    self->peers[i].role = role_of(name);
    broker_core_peer_t up = {.role = self->peers[i].role,
                             .link = self->peers[i].name,
                             .write_credit = write_credit,
                             .read_credit = read_credit};
    self->peers[i].peer = broker_core_peer_up(self->core, &up, self->now_ms);
}

void scene_down(scene_t *self, const char *name) {
    size_t i = find_peer(self, name);
    assert_true(i < SCENE_PEERS && self->peers[i].peer);
    broker_core_peer_down(self->core, self->peers[i].peer, self->now_ms);
    self->peers[i].peer = NULL;
}

void scene_at(scene_t *self, int64_t now_ms) {
    self->now_ms = now_ms;
    broker_core_tick(self->core, now_ms, now_ms + SCENE_UNIX_MS);
}

void scene_forget(scene_t *self) {
    strbuf_clear(&self->record);
    strbuf_cstr(&self->record);
}

/* ---- delivering ---- */

static void deliver(scene_t *self, const char *from, const envelope_t *envelope) {
    size_t i = find_peer(self, from);
    assert_true(i < SCENE_PEERS && self->peers[i].peer);
    assert_true(proto_allowed(envelope->type, self->peers[i].role, ROLE_BROKER));
    broker_core_deliver(self->core, self->peers[i].peer, envelope, self->now_ms);
    strbuf_clear(&self->body);
}

static envelope_t envelope_of(const scene_t *self, uint16_t type, const scene_head_t *head) {
    return (envelope_t){.type = type,
                        .code = (uint16_t)head->code,
                        .deadline_ms = head->deadline_ms,
                        .request_id = head->id,
                        .session = head->session,
                        .room = head->room ? str_from(head->room) : STR(""),
                        .user = head->user ? str_from(head->user) : STR(""),
                        .body = strbuf_str(&self->body)};
}

void scene_deliver(scene_t *self, const char *from, uint16_t type, const scene_head_t *head) {
    envelope_t envelope = envelope_of(self, type, head);
    deliver(self, from, &envelope);
}

void scene_answer(scene_t *self, const char *from, uint16_t type, const scene_head_t *head) {
    envelope_t envelope = envelope_of(self, type, head);
    envelope.flags = ENVELOPE_REPLY;
    deliver(self, from, &envelope);
}

void scene_join(scene_t *self, const char *from, const scene_head_t *head) {
    proto_join_encode(&(proto_join_t){0}, &self->body);
    scene_deliver(self, from, MSG_JOIN, head);
}

void scene_leave(scene_t *self, const char *from, const char *room, uint64_t session) {
    proto_leave_encode(&(proto_leave_t){0}, &self->body);
    scene_deliver(self, from, MSG_LEAVE, &(scene_head_t){.room = room, .session = session});
}

void scene_subscribe(scene_t *self, const char *from, const char *user, uint64_t session) {
    char room[80];
    snprintf(room, sizeof(room), "user_%s", user);
    proto_subscribe_encode(&(proto_subscribe_t){0}, &self->body);
    scene_deliver(self, from, MSG_SUBSCRIBE,
                  &(scene_head_t){.room = room, .user = user, .session = session});
}

void scene_send(scene_t *self, const char *from, const scene_head_t *head) {
    proto_send_encode(&(proto_send_t){.text = STR("hello"), .client_id = STR("c")}, &self->body);
    scene_deliver(self, from, MSG_SEND, head);
}

void scene_typing(scene_t *self, const char *from, const scene_head_t *head, bool on) {
    proto_typing_encode(&(proto_typing_t){.on = on}, &self->body);
    scene_deliver(self, from, MSG_TYPING, head);
}

void scene_conversation(scene_t *self, const char *from, uint64_t job) {
    proto_conversation_t conversation = {
        .conversation = STR("{}"), .participants = STR("[]"), .generation = STR("g")};
    proto_conversation_encode(&conversation, &self->body);
    scene_answer(self, from, MSG_CONVERSATION, &(scene_head_t){.id = job});
}

void scene_stored(scene_t *self, const char *from, const scene_head_t *head, uint64_t job,
                  uint64_t seq) {
    proto_stored_t stored = {
        .job = job, .epoch = SCENE_EPOCH, .seq = seq, .message = STR("{\"text\":\"hello\"}")};
    proto_stored_encode(&stored, &self->body);
    scene_deliver(self, from, MSG_STORED, head);
}

size_t scene_split(const char *list, str_t *items_out, size_t max) {
    size_t n = 0;
    while (*list) {
        assert_true(n < max);
        size_t length = strcspn(list, ",");
        items_out[n++] = (str_t){list, length};
        list += length + (list[length] == ',');
    }
    return n;
}

void scene_group(scene_t *self, const char *from, uint64_t job, uint64_t version,
                 const char *members) {
    str_t items[16];
    proto_group_t group = {.members = {items, scene_split(members, items, 16)},
                           .members_version = version};
    proto_group_encode(&group, &self->body);
    scene_answer(self, from, MSG_GROUP, &(scene_head_t){.id = job});
}

void scene_error(scene_t *self, const char *from, uint64_t job, code_t code) {
    proto_error_encode(&(proto_error_t){.message = STR("no")}, &self->body);
    scene_answer(self, from, MSG_ERROR, &(scene_head_t){.id = job, .code = code});
}

void scene_members_changed(scene_t *self, const char *from, const scene_head_t *head, uint64_t job,
                           uint64_t version, const char *removed) {
    str_t items[16];
    proto_members_changed_t changed = {.job = job,
                                       .epoch = SCENE_EPOCH,
                                       .members_version = version,
                                       .removed = {items, scene_split(removed, items, 16)}};
    proto_members_changed_encode(&changed, &self->body);
    scene_deliver(self, from, MSG_MEMBERS_CHANGED, head);
}
