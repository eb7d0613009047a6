#include "store.h"

#include "common/ids.h"

void store_init(store_t *self, world_t *world, size_t users) {
    ASSERT(users <= STORE_USERS_MAX);
    *self = (store_t){.world = world, .user_count = users};
}

void store_fini(store_t *self) {
    for (size_t i = 0; i < self->room_count; i++)
        free(self->rooms[i].messages);
}

/* ---- names ---- */

size_t store_user_of(str_t id) {
    uint64_t number;
    if (str_to_u64(id, STORE_USERS_MAX, &number) != OK || number == 0)
        return STORE_USERS_MAX;
    return (size_t)number - 1;
}

void store_append_user(strbuf_t *out, size_t user) {
    strbuf_append_u64(out, user + 1);
}

store_room_t *store_add_direct(store_t *self, size_t first, size_t second) {
    ASSERT(self->room_count < STORE_ROOMS_MAX && first < second);
    store_room_t *room = &self->rooms[self->room_count++];
    snprintf(room->id, sizeof(room->id), "conv_%zu_%zu", first + 1, second + 1);
    room->was_member[first] = room->was_member[second] = true;
    return room;
}

store_room_t *store_add_group(store_t *self, unsigned number, size_t creator) {
    ASSERT(self->room_count < STORE_ROOMS_MAX);
    store_room_t *room = &self->rooms[self->room_count++];
    snprintf(room->id, sizeof(room->id), "group_00000000-0000-7000-8000-%012u", number);
    room->is_group = room->exists = true;
    room->creator = creator;
    room->members[creator] = room->was_member[creator] = true;
    room->members_version = 1;
    return room;
}

store_room_t *store_room(store_t *self, str_t id) {
    for (size_t i = 0; i < self->room_count; i++) {
        if (str_eq(str_from(self->rooms[i].id), id))
            return &self->rooms[i];
    }
    return NULL;
}

/* ---- messages ---- */

static bool make_direct(store_t *self, store_room_t *room) {
    ids_room_t parts = ids_parse_room(str_from(room->id));
    size_t first = store_user_of(parts.user), second = store_user_of(parts.other);
    if (!self->users[first] || !self->users[second])
        return false;
    room->exists = room->members[first] = room->members[second] = true;
    return true;
}

static void copy_text(char out[STORE_TEXT_BYTES], str_t text) {
    ASSERT(text.n < STORE_TEXT_BYTES);
    snprintf(out, STORE_TEXT_BYTES, "%.*s", STR_ARG(text));
}

static const store_message_t *find_sent(const store_room_t *room, size_t sender, str_t client_id) {
    for (size_t i = 0; i < room->head; i++) {
        if (room->messages[i].sender == sender &&
            str_eq(str_from(room->messages[i].client_id), client_id))
            return &room->messages[i];
    }
    return NULL;
}

static void append(store_t *self, store_room_t *room, const store_send_t *send) {
    if (room->head == room->capacity) {
        room->capacity = room->capacity ? room->capacity * 2 : 16;
        room->messages = xrealloc(room->messages, room->capacity * sizeof(*room->messages));
    }
    store_message_t *message = &room->messages[room->head++];
    *message = (store_message_t){.seq = room->head,
                                 .order = ++self->order,
                                 .sender = store_user_of(send->user),
                                 .at_ms = self->world->now_ms};
    copy_text(message->client_id, send->client_id);
    copy_text(message->text, send->text);
    copy_text(message->socket_id, send->socket_id);
    room->read_seqs[message->sender] = message->seq;
    world_note(self->world, "stored %s %zu: %s of %s", room->id, room->head, message->client_id,
               message->socket_id);
}

store_outcome_t store_send(store_t *self, const store_send_t *send, uint64_t *seq_out) {
    store_room_t *room = store_room(self, send->room);
    size_t sender = store_user_of(send->user);
    ASSERT(sender < self->user_count);
    if (!room || (!room->exists && (room->is_group || !make_direct(self, room))))
        return STORE_NO_CONVERSATION;
    if (!room->members[sender])
        return STORE_NOT_PARTICIPANT;
    const store_message_t *sent =
        self->world->plant == PLANT_KEY ? NULL : find_sent(room, sender, send->client_id);
    if (sent) {
        *seq_out = sent->seq;
        return STORE_UNCHANGED;
    }
    append(self, room, send);
    *seq_out = room->head;
    return STORE_NEW;
}

store_outcome_t store_mark_read(store_t *self, str_t room_id, str_t user_id, uint64_t seq,
                                uint64_t *mark_out) {
    store_room_t *room = store_room(self, room_id);
    size_t user = store_user_of(user_id);
    if (!room || !room->exists)
        return STORE_NO_CONVERSATION;
    if (!room->members[user])
        return STORE_NOT_PARTICIPANT;
    uint64_t target = seq && seq < room->head ? seq : room->head;
    bool advances = target > room->read_seqs[user];
    if (advances)
        room->read_seqs[user] = target;
    self->order += advances;
    *mark_out = room->read_seqs[user];
    return advances ? STORE_NEW : STORE_UNCHANGED;
}

/* ---- members ---- */

store_change_t store_add_member(store_t *self, str_t room_id, str_t caller, str_t user_id) {
    store_room_t *room = store_room(self, room_id);
    size_t user = store_user_of(user_id);
    if (!room || !room->is_group || !room->members[store_user_of(caller)])
        return (store_change_t){.forbidden = true};
    if (!room->members[user]) {
        room->members[user] = room->was_member[user] = true;
        room->removed_by[user] = 0;
        room->changed_at_ms[user] = self->world->now_ms;
        room->members_version++;
        self->order++;
        world_note(self->world, "store: %s has member %zu", room->id, user + 1);
    }
    return (store_change_t){.version = room->members_version};
}

store_change_t store_remove_member(store_t *self, str_t room_id, str_t caller, str_t user_id) {
    store_room_t *room = store_room(self, room_id);
    size_t user = store_user_of(user_id);
    if (!room || !room->is_group || store_user_of(caller) != room->creator)
        return (store_change_t){.forbidden = true};
    if (room->members[user]) {
        room->members[user] = false;
        room->was_removed[user] = true;
        room->changed_at_ms[user] = self->world->now_ms;
        room->members_version++;
        self->order++;
        world_note(self->world, "store: %s has no member %zu", room->id, user + 1);
    }
    return (store_change_t){.version = room->members_version};
}

void store_forget_news(store_t *self) {
    for (size_t i = 0; i < self->room_count; i++)
        memset(self->rooms[i].changed_at_ms, 0, sizeof(self->rooms[i].changed_at_ms));
}

void store_removal_acknowledged(store_t *self, store_room_t *room, size_t user) {
    if (!room->members[user])
        room->removed_by[user] = self->order;
}

void store_note_refusal(store_t *self, str_t room_id, str_t user_id) {
    store_room_t *room = store_room(self, room_id);
    size_t user = store_user_of(user_id);
    if (room && user < STORE_USERS_MAX)
        room->was_refused[user] = true;
}

bool store_may_have(const store_room_t *room, size_t user, uint64_t seq) {
    const store_message_t *message = store_message(room, seq);
    if (!room->was_member[user])
        return false;
    bool is_removed = room->is_group && !room->members[user] && room->removed_by[user];
    return !is_removed || !message || message->order <= room->removed_by[user];
}

const store_message_t *store_message(const store_room_t *room, uint64_t seq) {
    return seq >= 1 && seq <= room->head ? &room->messages[seq - 1] : NULL;
}
