#include "gateway_world_clients.h"

#include "common/json.h"

static json_doc_t *parse(str_t text) {
    static const json_limits_t limits = {
        .max_bytes = 1 << 20, .max_depth = 16, .max_values = 100000};
    json_doc_t *doc = NULL;
    ASSERT(json_doc_new(text, &limits, &doc) == OK);
    return doc;
}

static uint64_t seq_of(const json_value_t *message) {
    uint64_t seq = 0;
    ASSERT(json_get_u64(message, "seq", 1, WORLD_MESSAGES, &seq) == JSON_FIELD_OK);
    return seq;
}

static size_t room_of(const json_value_t *message) {
    str_t name = {0};
    char text[64] = "";
    ASSERT(json_get_string(message, "conversationId", 1, 63, &name) == JSON_FIELD_OK);
    memcpy(text, name.p, name.n);
    size_t room = world_room_of(text);
    ASSERT(room < WORLD_ROOMS);
    return room;
}

/* ---- what they do ---- */

static gateway_ack_t ask(world_t *self, world_question_t question) {
    ASSERT(self->question_count < WORLD_QUEUE);
    self->questions[self->question_count++] = question;
    return (gateway_ack_t){.socket = &self->sockets[question.socket], .id = self->question_count};
}

static void emit(world_t *self, const char *event, const char *payload, world_question_t question) {
    strbuf_t array = {0};
    if (self->question_count == WORLD_QUEUE)
        return;
    strbuf_printf(&array, "[\"%s\",%s]", event, payload);
    gateway_event_t made = {
        .name = str_from(event), .array = strbuf_str(&array), .ack = ask(self, question)};
    gateway_core_event(self->core, self->sockets[question.socket].session, &made);
    strbuf_fini(&array);
}

void clients_connect(world_t *self, uint8_t detail) {
    world_socket_t *socket = &self->sockets[detail % WORLD_SOCKETS];
    if (socket->session)
        return;
    *socket = (world_socket_t){.user = (uint8_t)(detail / WORLD_SOCKETS % WORLD_USERS)};
    gateway_core_connect(self->core, socket,
                         &(gateway_hello_t){.token = str_from(world_users[socket->user]),
                                            .address = STR("10.0.0.1")});
}

void clients_disconnect(world_t *self, size_t index) {
    world_socket_t *socket = &self->sockets[index];
    session_t *session = socket->session;
    if (!session)
        return;
    for (size_t i = 0; i < self->question_count; i++)
        self->questions[i].done |= self->questions[i].socket == index;
    *socket = (world_socket_t){0};
    gateway_core_disconnect(self->core, session);
}

void clients_join(world_t *self, size_t index, size_t room, bool at_head) {
    world_socket_t *socket = &self->sockets[index];
    world_place_t *place = &socket->places[room];
    char payload[128];
    if (!socket->session || socket->closed)
        return;
    bool has_after = place->joined || !at_head;
    uint64_t after = place->complete;
    snprintf(payload, sizeof(payload),
             has_after ? "{\"conversationId\":\"%s\",\"after\":%d}" : "{\"conversationId\":\"%s\"}",
             world_rooms[room], (int)after);
    place->joining++;
    emit(self, "join_conversation", payload,
         (world_question_t){'j', (uint8_t)index, (uint8_t)room, has_after, false, after});
}

void clients_leave(world_t *self, size_t index, size_t room) {
    world_socket_t *socket = &self->sockets[index];
    char payload[80];
    if (!socket->session || socket->closed)
        return;
    snprintf(payload, sizeof(payload), "\"%s\"", world_rooms[room]);
    emit(self, "leave_conversation", payload,
         (world_question_t){.kind = 'l', .socket = (uint8_t)index, .room = (uint8_t)room});
}

void clients_send(world_t *self, size_t index, size_t room) {
    world_socket_t *socket = &self->sockets[index];
    char payload[160];
    if (!socket->session || socket->closed || self->rooms[room].n + 20 > WORLD_MESSAGES)
        return;
    snprintf(payload, sizeof(payload),
             "{\"conversationId\":\"%s\",\"text\":\"x\",\"clientId\":\"k%u\"}", world_rooms[room],
             ++self->last_client_id);
    emit(self, "send_message", payload,
         (world_question_t){.kind = 's', .socket = (uint8_t)index, .room = (uint8_t)room});
}

/* ---- what they must see ---- */

static void raise_complete(world_place_t *place) {
    while (place->complete < WORLD_MESSAGES && place->had[place->complete + 1])
        place->complete++;
}

/* Promise 4: the messages past `after`, without a hole. */
static void joined(world_t *self, world_place_t *place, const world_question_t *question,
                   const json_value_t *reply) {
    uint64_t head = 0;
    bool truncated = false;
    const json_value_t *messages = json_member(reply, "messages");
    ASSERT(json_get_u64(reply, "headSeq", 0, WORLD_MESSAGES, &head) == JSON_FIELD_OK);
    (void)json_get_bool(reply, "truncated", &truncated);
    uint64_t base = question->has_after ? question->after : head;
    ASSERT(base <= head);
    for (uint64_t seq = 1; seq <= base && !place->joined; seq++)
        place->had[seq] = true;
    for (size_t i = 0; i < json_element_count(messages); i++) {
        uint64_t seq = seq_of(json_element(messages, i));
        ASSERT(seq == question->after + i + 1);
        place->had[seq] = true;
    }
    place->joined = !truncated;
    if (place->last_ok < (size_t)(question - self->questions))
        place->last_ok = (size_t)(question - self->questions);
    raise_complete(place);
    self->figures.joined += place->joined;
}

static void answered_join(world_t *self, const world_question_t *question,
                          const json_value_t *reply, bool ok) {
    world_place_t *place = &self->sockets[question->socket].places[question->room];
    place->joining--;
    if (ok) {
        joined(self, place, question, reply);
        return;
    }
    if (place->last_ok < (size_t)(question - self->questions))
        place->joined = false;
}

/* Promise 3: what is acknowledged isn't told as new_message too. */
static void answered_send(world_t *self, const world_question_t *question,
                          const json_value_t *reply) {
    world_place_t *place = &self->sockets[question->socket].places[question->room];
    const json_value_t *message = json_member(reply, "message");
    uint64_t seq = seq_of(message);
    ASSERT(room_of(message) == question->room);
    ASSERT(seq <= self->rooms[question->room].n); /* promise 1 */
    ASSERT(!place->live[seq]);
    place->had[seq] = true;
    raise_complete(place);
    self->figures.acknowledged++;
}

void clients_acknowledged(world_t *self, uint64_t id, str_t args) {
    world_question_t *question = &self->questions[id - 1];
    json_doc_t *doc = parse(args);
    const json_value_t *reply = json_doc_root(doc);
    bool ok = false;
    ASSERT(json_get_bool(reply, "ok", &ok) == JSON_FIELD_OK);
    ASSERT(!question->done); /* one answer each */
    question->done = true;
    if (question->kind == 'j')
        answered_join(self, question, reply, ok);
    else if (question->kind == 's' && ok)
        answered_send(self, question, reply);
    else if (question->kind == 'l')
        self->sockets[question->socket].places[question->room].joined = false;
    json_doc_free(&doc);
}

/* Promise 2: in order, each once, none missing. */
static void told_message(world_t *self, world_socket_t *socket, const json_value_t *message) {
    size_t room = room_of(message);
    uint64_t seq = seq_of(message);
    world_place_t *place = &socket->places[room];
    self->figures.delivered++;
    ASSERT(world_has_right(self, socket->user, room) || seq <= self->expelled_at[socket->user]);
    ASSERT(place->joined && place->joining == 0);
    ASSERT(!place->had[seq]);
    ASSERT(place->complete + 1 == seq);
    place->had[seq] = place->live[seq] = true;
    raise_complete(place);
}

void clients_told(world_t *self, world_socket_t *socket, str_t event, str_t args) {
    json_doc_t *doc = parse(args);
    if (str_eq(event, STR("new_message"))) {
        told_message(self, socket, json_doc_root(doc));
    } else if (str_eq(event, STR("conversation_removed"))) {
        socket->places[room_of(json_doc_root(doc))].joined = false;
    }
    json_doc_free(&doc);
}

void clients_check_complete(const world_t *self) {
    for (size_t i = 0; i < WORLD_SOCKETS; i++) {
        const world_socket_t *socket = &self->sockets[i];
        for (size_t room = 0; socket->session && room < WORLD_ROOMS; room++) {
            const world_place_t *place = &socket->places[room];
            ASSERT(place->joining == 0);
            if (place->joined && world_has_right(self, socket->user, room))
                ASSERT(place->complete == self->rooms[room].n);
        }
    }
    for (size_t i = 0; i < self->question_count; i++)
        ASSERT(self->questions[i].done);
}
