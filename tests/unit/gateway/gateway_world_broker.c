#include "gateway_world_broker.h"

#include "common/ids.h"
#include "gateway_world_clients.h"

enum { GROUP = WORLD_ROOMS - 1, TOKEN_LASTS_MS = 1000000000 };

/* ---- answers ---- */

static void reply(world_t *self, const world_request_t *request, uint16_t type, code_t code) {
    world_send(self, (envelope_t){.flags = ENVELOPE_REPLY,
                                  .type = type,
                                  .code = (uint16_t)code,
                                  .request_id = request->id});
}

static void reply_done(world_t *self, const world_request_t *request) {
    proto_done_encode(&(proto_done_t){0}, &self->body);
    reply(self, request, MSG_DONE, CODE_OK);
}

static void reply_error(world_t *self, const world_request_t *request, code_t code) {
    proto_error_encode(&(proto_error_t){0}, &self->body);
    reply(self, request, MSG_ERROR, code);
}

/* ---- memberships ---- */

static size_t find_member(const world_t *self, uint64_t session, int room) {
    size_t i = 0;
    while (i < self->member_count &&
           (self->members[i].session != session || self->members[i].room != room))
        i++;
    return i;
}

static void add_member(world_t *self, uint64_t session, int room, size_t user) {
    if (find_member(self, session, room) < self->member_count)
        return;
    ASSERT(self->member_count < WORLD_MEMBERS);
    self->members[self->member_count++] = (world_member_t){session, room, (uint8_t)user};
}

static void remove_member(world_t *self, uint64_t session, int room) {
    size_t at = find_member(self, session, room);
    if (at < self->member_count)
        self->members[at] = self->members[--self->member_count];
}

static bool has_members(const world_t *self, int room) {
    for (size_t i = 0; i < self->member_count; i++) {
        if (self->members[i].room == room)
            return true;
    }
    return false;
}

void broker_check_memberships(const world_t *self) {
    gateway_figures_t figures = gateway_core_figures(self->core);
    ASSERT(self->member_count == figures.members + figures.sessions);
}

static int room_index(const char *name) {
    size_t room = world_room_of(name);
    return room < WORLD_ROOMS ? (int)room : -1;
}

/* ---- the store ---- */

static void write_message(const world_t *self, size_t room, uint64_t seq, char text_out[128]) {
    const world_message_t *message = &self->rooms[room].messages[seq - 1];
    snprintf(text_out, 128,
             "{\"conversationId\":\"%s\",\"seq\":%d,\"senderId\":\"%s\",\"clientId\":\"k%u\"}",
             world_rooms[room], (int)seq, world_users[message->sender], message->client_id);
}

/* Its seq; a second try gets the first one's. */
static uint64_t store(world_t *self, size_t room, world_message_t message) {
    world_room_t *target = &self->rooms[room];
    for (size_t i = 0; i < target->n; i++) {
        if (target->messages[i].sender == message.sender &&
            target->messages[i].client_id == message.client_id)
            return i + 1;
    }
    ASSERT(target->n < WORLD_MESSAGES);
    target->messages[target->n++] = message;
    self->figures.stored++;
    return target->n;
}

static void fan_out(world_t *self, size_t room, uint64_t seq) {
    char text[128];
    if (seq <= self->rooms[room].fanned_out)
        return;
    self->rooms[room].fanned_out = seq;
    if (!has_members(self, (int)room))
        return;
    write_message(self, room, seq, text);
    proto_new_message_encode(&(proto_new_message_t){.seq = seq, .message = str_from(text)},
                             &self->body);
    world_send(self, (envelope_t){.type = MSG_NEW_MESSAGE,
                                  .room = str_from(world_rooms[room]),
                                  .user = str_from(
                                      world_users[self->rooms[room].messages[seq - 1].sender])});
}

void broker_store_from_elsewhere(world_t *self, size_t room, bool unheard) {
    uint8_t sender = room == 1 ? 2 : 1;
    if (self->rooms[room].n + 20 > WORLD_MESSAGES)
        return;
    uint64_t seq =
        store(self, room, (world_message_t){.sender = sender, .client_id = ++self->last_client_id});
    if (self->up && !unheard)
        fan_out(self, room, seq);
}

void broker_repeat_fact(world_t *self, size_t room) {
    if (self->up && self->rooms[room].n > 0)
        fan_out(self, room, self->rooms[room].n);
}

/* ---- requests ---- */

static void take_send(world_t *self, const world_request_t *request, size_t user) {
    proto_send_t body;
    char text[128];
    size_t room = world_room_of(request->room);
    ASSERT(proto_send_decode((str_t){request->body, request->body_bytes}, self->arena, &body) ==
           OK);
    if (!world_has_right(self, user, room)) {
        reply_error(self, request, CODE_FORBIDDEN);
        return;
    }
    uint64_t client_id = 0;
    ASSERT(str_to_u64(str_from_offset(body.client_id, 1), UINT32_MAX, &client_id) == OK);
    uint64_t seq = store(
        self, room, (world_message_t){.sender = (uint8_t)user, .client_id = (uint32_t)client_id});
    write_message(self, room, seq, text);
    proto_stored_encode(&(proto_stored_t){.seq = seq, .message = str_from(text)}, &self->body);
    reply(self, request, MSG_STORED, CODE_OK);
    fan_out(self, room, seq);
}

static void take_join(world_t *self, world_request_t *request, size_t user) {
    size_t room = world_room_of(request->room);
    if (!world_has_right(self, user, room)) {
        remove_member(self, request->session, (int)room);
        reply_error(self, request, CODE_FORBIDDEN);
        return;
    }
    add_member(self, request->session, (int)room, user);
    self->reads[self->read_count++] = request->id;
}

static void answer_rejoin(world_t *self, const world_request_t *request) {
    proto_rejoin_t body;
    uint64_t refused[WORLD_SOCKETS];
    size_t n = 0;
    int room = room_index(request->room);
    ASSERT(proto_rejoin_decode((str_t){request->body, request->body_bytes}, self->arena, &body) ==
           OK);
    for (size_t i = 0; i < body.sessions.n; i++) {
        char *name = str_dup(body.users.items[i]);
        size_t user = world_user_of(name);
        free(name);
        if (room < 0 || world_has_right(self, user, (size_t)room))
            add_member(self, body.sessions.items[i], room, user);
        else
            refused[n++] = body.sessions.items[i];
    }
    proto_rejoined_encode(&(proto_rejoined_t){.refused = {refused, n}}, &self->body);
    reply(self, request, MSG_REJOINED, CODE_OK);
}

static void take_verify(world_t *self, const world_request_t *request) {
    proto_auth_verify_t body;
    ASSERT(proto_auth_verify_decode((str_t){request->body, request->body_bytes}, self->arena,
                                    &body) == OK);
    proto_identity_encode(
        &(proto_identity_t){.user_id = body.token, .expires_at_ms = TOKEN_LASTS_MS}, &self->body);
    reply(self, request, MSG_IDENTITY, CODE_OK);
}

static void take_watch(world_t *self, const world_request_t *request) {
    proto_watch_t body;
    uint64_t zeros[16] = {0};
    ASSERT(proto_watch_decode((str_t){request->body, request->body_bytes}, self->arena, &body) ==
           OK);
    ASSERT(body.users.n <= 16);
    proto_presences_encode(&(proto_presences_t){.users = body.users,
                                                .online = {zeros, body.users.n},
                                                .last_seen_ms = {zeros, body.users.n}},
                           &self->body);
    reply(self, request, MSG_PRESENCES, CODE_OK);
}

/* What was asked before a LEAVE comes before it. */
static void finish_rejoins(world_t *self) {
    for (size_t i = 0; i < self->read_count;) {
        size_t at = world_find_pending(self, self->reads[i]);
        if (self->requests[at].type == MSG_REJOIN) {
            broker_do_read(self, i);
            i = 0;
        } else {
            i++;
        }
    }
}

static void take_told(world_t *self, const world_request_t *told, size_t user) {
    finish_rejoins(self);
    if (told->type == MSG_LEAVE)
        remove_member(self, told->session, room_index(told->room));
    else if (told->type == MSG_SUBSCRIBE)
        add_member(self, told->session, -1, user);
}

void broker_take_request(world_t *self) {
    size_t at = 0;
    if (!self->up || self->request_count == 0)
        return;
    while (self->requests[at].taken)
        at++;
    world_request_t *request = &self->requests[at];
    size_t user = world_user_of(request->user);
    if (request->id == 0) {
        take_told(self, request, user);
        world_take_pending(self, at);
        return;
    }
    request->taken = true;
    self->request_count--;
    if (request->type == MSG_SEND)
        take_send(self, request, user);
    else if (request->type == MSG_JOIN)
        take_join(self, request, user);
    else if (request->type == MSG_REJOIN && room_index(request->room) != GROUP)
        answer_rejoin(self, request);
    else if (request->type == MSG_AUTH_VERIFY)
        take_verify(self, request);
    else if (request->type == MSG_WATCH)
        take_watch(self, request);
    else if (request->type == MSG_HISTORY || request->type == MSG_HEADS ||
             request->type == MSG_REJOIN) /* of a group: its members must be read anew */
        self->reads[self->read_count++] = request->id;
    else
        reply_done(self, request);
}

/* ---- reads ---- */

typedef struct {
    char texts[WORLD_PAGE][128];
    str_t messages[WORLD_PAGE];
    uint64_t seqs[WORLD_PAGE];
    size_t n;
} page_t;

static void read_page(const world_t *self, size_t room, uint64_t after, page_t *page_out) {
    page_out->n = 0;
    for (uint64_t seq = after + 1; seq <= self->rooms[room].n && page_out->n < WORLD_PAGE; seq++) {
        write_message(self, room, seq, page_out->texts[page_out->n]);
        page_out->messages[page_out->n] = str_from(page_out->texts[page_out->n]);
        page_out->seqs[page_out->n++] = seq;
    }
}

static void read_join(world_t *self, const world_request_t *request) {
    static const str_t ids[] = {{"a", 1}, {"b", 1}};
    proto_join_t body;
    page_t page = {.n = 0};
    size_t room = world_room_of(request->room);
    if (!world_has_right(self, world_user_of(request->user), room)) {
        remove_member(self, request->session, (int)room);
        reply_error(self, request, CODE_FORBIDDEN);
        return;
    }
    ASSERT(proto_join_decode((str_t){request->body, request->body_bytes}, self->arena, &body) ==
           OK);
    if (PROTO_HAS(&body, 1))
        read_page(self, room, body.after, &page);
    proto_conversation_t told = {.conversation = STR("{}"),
                                 .participants = STR("[{},{}]"),
                                 .participant_ids = {ids, 2},
                                 .head_seq = self->rooms[room].n,
                                 .generation = STR("g"),
                                 .messages = {page.messages, page.n},
                                 .seqs = {page.seqs, page.n},
                                 .truncated = page.n == WORLD_PAGE &&
                                              page.seqs[page.n - 1] < self->rooms[room].n};
    proto_conversation_encode(&told, &self->body);
    reply(self, request, MSG_CONVERSATION, CODE_OK);
}

static void read_history(world_t *self, const world_request_t *request) {
    proto_history_t body;
    page_t page;
    size_t room = world_room_of(request->room);
    ASSERT(proto_history_decode((str_t){request->body, request->body_bytes}, self->arena, &body) ==
           OK);
    read_page(self, room, body.after, &page);
    proto_messages_encode(&(proto_messages_t){.messages = {page.messages, page.n},
                                              .seqs = {page.seqs, page.n},
                                              .head_seq = self->rooms[room].n},
                          &self->body);
    reply(self, request, MSG_MESSAGES, CODE_OK);
}

static void read_heads(world_t *self, const world_request_t *request) {
    proto_heads_t body;
    uint64_t seqs[WORLD_ROOMS];
    ASSERT(proto_heads_decode((str_t){request->body, request->body_bytes}, self->arena, &body) ==
           OK);
    for (size_t i = 0; i < body.rooms.n; i++) {
        char *name = str_dup(body.rooms.items[i]);
        seqs[i] = self->rooms[world_room_of(name)].n;
        free(name);
    }
    proto_head_seqs_encode(
        &(proto_head_seqs_t){.seqs = {seqs, body.rooms.n}, .generation = STR("g")}, &self->body);
    reply(self, request, MSG_HEAD_SEQS, CODE_OK);
}

void broker_do_read(world_t *self, size_t which) {
    if (self->read_count == 0)
        return;
    which %= self->read_count;
    size_t at = world_find_pending(self, self->reads[which]);
    ASSERT(at < self->pending_count);
    self->read_count--;
    memmove(&self->reads[which], &self->reads[which + 1],
            (self->read_count - which) * sizeof(self->reads[0]));
    const world_request_t *request = &self->requests[at];
    if (request->type == MSG_JOIN)
        read_join(self, request);
    else if (request->type == MSG_REJOIN)
        answer_rejoin(self, request);
    else if (request->type == MSG_HISTORY)
        read_history(self, request);
    else
        read_heads(self, request);
}

/* ---- rights ---- */

void broker_expel(world_t *self, size_t user) {
    str_t users[] = {str_from(world_users[user])};
    if (user == 0 || !self->in_group[user])
        return;
    self->in_group[user] = false;
    self->expelled_at[user] = self->rooms[GROUP].n;
    self->figures.expelled++;
    if (!self->up)
        return; /* it died with the news */
    for (size_t i = 0; i < self->member_count;) {
        if (self->members[i].room == GROUP && self->members[i].user == user)
            self->members[i] = self->members[--self->member_count];
        else
            i++;
    }
    proto_expel_encode(&(proto_expel_t){.users = {users, 1}}, &self->body);
    char payload[100], room[32];
    snprintf(payload, sizeof(payload), "{\"conversationId\":\"%s\"}", world_rooms[GROUP]);
    snprintf(room, sizeof(room), "user_%s", world_users[user]);
    world_send(self, (envelope_t){.type = MSG_EXPEL, .room = str_from(world_rooms[GROUP])});
    proto_user_event_encode(&(proto_user_event_t){.event = STR("conversation_removed"),
                                                  .conversation_id = str_from(world_rooms[GROUP]),
                                                  .payload = str_from(payload)},
                            &self->body);
    world_send(self, (envelope_t){.type = MSG_USER_EVENT, .room = str_from(room)});
}
