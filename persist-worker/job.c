#include "persist-worker/job.h"

#include "common/ids.h"
#include "common/siphash.h"

static char *copy_in(char *to, str_t *text) {
    if (text->n)
        memcpy(to, text->p, text->n);
    text->p = to;
    return to + text->n;
}

job_t *job_new(const envelope_t *envelope, size_t broker, uint64_t epoch, int64_t now_ms,
               uint32_t default_deadline_ms) {
    size_t n = envelope->room.n + envelope->user.n + envelope->body.n;
    job_t *self = xcalloc(1, sizeof(*self) + n);
    uint32_t left_ms = envelope->deadline_ms ? envelope->deadline_ms : default_deadline_ms;
    self->broker = broker;
    self->epoch = epoch;
    self->envelope = *envelope;
    self->arrived_ms = now_ms;
    self->bytes = sizeof(*self) + n;
    self->deadline.at_ms = now_ms + left_ms;
    char *to = copy_in(self->memory, &self->envelope.room);
    to = copy_in(to, &self->envelope.user);
    copy_in(to, &self->envelope.body);
    return self;
}

void job_free(job_t **self) {
    if (*self)
        ASSERT(!deadline_is_set(&(*self)->deadline) && !deadline_is_set(&(*self)->retry));
    free(*self);
    *self = NULL;
}

bool job_is_batched(uint16_t type) {
    return type == MSG_SEND || type == MSG_MARK_READ || type == MSG_USER_SEEN;
}

bool job_is_write(uint16_t type) {
    return job_is_batched(type) || type == MSG_CREATE_CONVERSATION ||
           type == MSG_ADD_PARTICIPANTS || type == MSG_REMOVE_PARTICIPANT || type == MSG_PUT_USER ||
           type == MSG_LAST_SEEN;
}

bool job_is_read(uint16_t type) {
    return type == MSG_JOIN || type == MSG_HISTORY || type == MSG_HEADS ||
           type == MSG_LIST_CONVERSATIONS || type == MSG_GET_CONVERSATION || type == MSG_GET_USER ||
           type == MSG_LOAD_GROUP || type == MSG_CHANGES;
}

/* ---- checks: each returns NULL or what is wrong ---- */

static const char *const malformed = "malformed request";

/* min to max code points of UTF-8 without NUL. */
static bool is_text(str_t text, size_t min, size_t max) {
    size_t length;
    if (text.n && memchr(text.p, '\0', text.n))
        return false;
    return str_utf8_length(text, &length) == OK && length >= min && length <= max;
}

/* A name and role as a token says, possibly empty. */
static const char *check_profile(str_t name, str_t role) {
    if (!is_text(name, 0, 256) || !is_text(role, 0, 64))
        return "name and role must be text";
    return NULL;
}

static const char *check_users(proto_texts_t users, size_t max) {
    if (users.n < 1 || users.n > max)
        return "userIds must have 1 to 100 entries";
    for (size_t i = 0; i < users.n; i++) {
        if (!ids_is_user(users.items[i]))
            return "userIds must be user ids";
    }
    return NULL;
}

static uint64_t digest_of(str_t user, str_t client_id) {
    uint64_t parts[2] = {siphash(user), siphash(client_id)};
    return siphash((str_t){(const char *)parts, sizeof(parts)});
}

static const char *check_send(job_t *self, proto_arena_t *arena) {
    proto_send_t *send = &self->body.send;
    if (proto_send_decode(self->envelope.body, arena, send) != OK)
        return malformed;
    if (!is_text(send->text, 1, TEXT_MAX))
        return "text must have 1 to 8000 characters";
    if (!is_text(send->client_id, 1, CLIENT_ID_MAX))
        return "clientId must have 1 to 64 characters";
    if (PROTO_HAS(send, 3) && send->reply_to < 1)
        return "replyTo must be the seq of a message";
    if (!is_text(send->socket_id, 0, 64))
        return malformed;
    self->digest = digest_of(self->envelope.user, send->client_id);
    return check_profile(send->name, send->role);
}

static const char *check_create(job_t *self, proto_arena_t *arena, ids_room_t room) {
    proto_create_conversation_t create;
    if (proto_create_conversation_decode(self->envelope.body, arena, &create) != OK)
        return malformed;
    const char *why = check_users(create.users, CREATE_USERS_MAX);
    if (why)
        return why;
    if (room.kind == IDS_GROUP && !is_text(create.title, 1, TITLE_MAX))
        return "title must have 1 to 200 characters";
    str_t partner = ids_partner(self->envelope.room, self->envelope.user);
    if (room.kind == IDS_DIRECT && (create.users.n != 1 || !str_eq(create.users.items[0], partner)))
        return "a direct conversation has exactly one other participant";
    return check_profile(create.name, create.role);
}

static const char *check_last_seen(job_t *self, proto_arena_t *arena) {
    proto_last_seen_t seen;
    if (proto_last_seen_decode(self->envelope.body, arena, &seen) != OK ||
        seen.users.n != seen.at_ms.n)
        return malformed;
    for (size_t i = 0; i < seen.users.n; i++) {
        if (!ids_is_user(seen.users.items[i]))
            return malformed;
    }
    return NULL;
}

static const char *check_write(job_t *self, proto_arena_t *arena, ids_room_t room) {
    str_t body = self->envelope.body;
    proto_add_participants_t add;
    switch (self->envelope.type) {
    case MSG_SEND:
        return check_send(self, arena);
    case MSG_MARK_READ:
        self->digest = digest_of(self->envelope.user, STR("\0read"));
        return proto_mark_read_decode(body, arena, &self->body.mark_read) ? malformed : NULL;
    case MSG_USER_SEEN:
        if (proto_user_seen_decode(body, arena, &self->body.user_seen))
            return malformed;
        return check_profile(self->body.user_seen.name, self->body.user_seen.role);
    case MSG_PUT_USER:
        if (proto_put_user_decode(body, arena, &self->body.put_user))
            return malformed;
        if (!is_text(self->body.put_user.name, 1, 256) || !is_text(self->body.put_user.role, 1, 64))
            return "name and role are required";
        return NULL;
    case MSG_CREATE_CONVERSATION:
        return check_create(self, arena, room);
    case MSG_ADD_PARTICIPANTS:
        if (proto_add_participants_decode(body, arena, &add))
            return malformed;
        return check_users(add.users, CREATE_USERS_MAX);
    case MSG_REMOVE_PARTICIPANT:
        if (proto_remove_participant_decode(body, arena, &self->body.remove))
            return malformed;
        return ids_is_user(self->body.remove.target) ? NULL : "the target must be a user id";
    default:
        return check_last_seen(self, arena);
    }
}

static const char *check_history(job_t *self, proto_arena_t *arena) {
    proto_history_t *history = &self->body.history;
    if (proto_history_decode(self->envelope.body, arena, history) != OK)
        return malformed;
    if (history->limit < 1 || history->limit > PAGE_LIMIT_MAX)
        return "limit is out of range";
    return NULL;
}

static const char *check_heads(str_t body, proto_arena_t *arena) {
    proto_heads_t heads;
    if (proto_heads_decode(body, arena, &heads) != OK)
        return malformed;
    for (size_t i = 0; i < heads.rooms.n; i++) {
        if (!ids_is_conversation(heads.rooms.items[i]))
            return malformed;
    }
    return NULL;
}

static const char *check_read(job_t *self, proto_arena_t *arena) {
    str_t body = self->envelope.body;
    proto_get_conversation_t conversation;
    proto_get_user_t user;
    proto_load_group_t group;
    switch (self->envelope.type) {
    case MSG_JOIN:
        if (proto_join_decode(body, arena, &self->body.join) ||
            !is_text(self->body.join.socket_id, 0, 64))
            return malformed;
        return check_profile(self->body.join.name, self->body.join.role);
    case MSG_HISTORY:
        return check_history(self, arena);
    case MSG_HEADS:
        return check_heads(body, arena);
    case MSG_LIST_CONVERSATIONS:
        if (proto_list_conversations_decode(body, arena, &self->body.list))
            return malformed;
        if (self->body.list.limit < 1 || self->body.list.limit > LIST_LIMIT_MAX)
            return "limit is out of range";
        return NULL;
    case MSG_CHANGES:
        return proto_changes_decode(body, arena, &self->body.changes) ? malformed : NULL;
    case MSG_GET_CONVERSATION:
        return proto_get_conversation_decode(body, arena, &conversation) ? malformed : NULL;
    case MSG_GET_USER:
        return proto_get_user_decode(body, arena, &user) ? malformed : NULL;
    default:
        return proto_load_group_decode(body, arena, &group) ? malformed : NULL;
    }
}

/* What the head's room must be for each type. */
static bool room_fits(uint16_t type, ids_kind_t kind) {
    switch (type) {
    case MSG_LAST_SEEN:
    case MSG_HEADS:
        return true;
    case MSG_USER_SEEN:
    case MSG_PUT_USER:
    case MSG_GET_USER:
    case MSG_LIST_CONVERSATIONS:
    case MSG_CHANGES:
        return kind == IDS_USER;
    case MSG_LOAD_GROUP:
        return kind == IDS_GROUP;
    default:
        return kind == IDS_DIRECT || kind == IDS_GROUP;
    }
}

/* Whether the job acts for the head's user. */
static bool needs_user(const job_t *self) {
    uint16_t type = self->envelope.type;
    if (type == MSG_HISTORY)
        return !self->body.history.trusted;
    return type != MSG_LAST_SEEN && type != MSG_HEADS && type != MSG_LOAD_GROUP &&
           type != MSG_GET_USER && type != MSG_PUT_USER;
}

static code_t check_rights(const job_t *self, ids_room_t room, const char **message_out) {
    uint16_t type = self->envelope.type;
    str_t user = self->envelope.user;
    if (!needs_user(self))
        return CODE_OK;
    *message_out = "not a participant of this conversation";
    if (room.kind == IDS_DIRECT && !ids_is_participant(self->envelope.room, user))
        return CODE_FORBIDDEN;
    *message_out = "another user's room";
    if (room.kind == IDS_USER && !str_eq(room.user, user))
        return CODE_FORBIDDEN;
    *message_out = "a direct conversation's participants can't be changed";
    if ((type == MSG_ADD_PARTICIPANTS || type == MSG_REMOVE_PARTICIPANT) && room.kind != IDS_GROUP)
        return CODE_INVALID_PAYLOAD;
    return CODE_OK;
}

code_t job_check(job_t *self, proto_arena_t *arena, const char **message_out) {
    const envelope_t *envelope = &self->envelope;
    ids_room_t room = ids_parse_room(envelope->room);
    *message_out = "no such conversation id";
    if (!room_fits(envelope->type, room.kind))
        return CODE_INVALID_PAYLOAD;
    const char *why =
        job_is_write(envelope->type) ? check_write(self, arena, room) : check_read(self, arena);
    *message_out = why;
    if (why)
        return CODE_INVALID_PAYLOAD;
    *message_out = "no user";
    if (needs_user(self) && !ids_is_user(envelope->user))
        return CODE_INVALID_PAYLOAD;
    return check_rights(self, room, message_out);
}

int64_t job_look_again(job_t *self, int64_t now_ms) {
    if (!self->missed_ms)
        self->missed_ms = now_ms;
    return now_ms - self->missed_ms < PARTNER_WAIT_MS ? now_ms + PARTNER_RETRY_MS : 0;
}
