#include "worker_answers.h"

#include "common/ids.h"
#include "persist-worker/entities.h"

#define GENERATION STR("00000000-0000-7000-8000-000000000000")

void worker_answers_init(worker_answers_t *self) {
    *self = (worker_answers_t){.arena = proto_arena_new()};
}

void worker_answers_fini(worker_answers_t *self) {
    proto_arena_free(&self->arena);
    strbuf_fini(&self->body);
    strbuf_fini(&self->json);
    strbuf_fini(&self->part);
    text_list_fini(&self->texts);
    text_list_fini(&self->ids);
}

static void clear(worker_answers_t *self) {
    strbuf_clear(&self->body);
    strbuf_clear(&self->json);
    strbuf_clear(&self->part);
    text_list_clear(&self->texts);
    text_list_clear(&self->ids);
}

/* ---- writes ---- */

static code_t code_of(store_outcome_t outcome, bool is_group) {
    if (outcome == STORE_NOT_PARTICIPANT || (outcome == STORE_NO_CONVERSATION && is_group))
        return CODE_FORBIDDEN;
    return outcome == STORE_NO_CONVERSATION ? CODE_NOT_FOUND : CODE_OK;
}

static void write_send(store_t *store, const job_t *job, bool is_group, worker_written_t *out) {
    const proto_send_t *send = &job->body.send;
    store_send_t what = {.room = job->envelope.room,
                         .user = job->envelope.user,
                         .client_id = send->client_id,
                         .text = send->text,
                         .socket_id = send->socket_id};
    store_outcome_t outcome = store_send(store, &what, &out->seq);
    out->code = code_of(outcome, is_group);
    out->duplicate = outcome == STORE_UNCHANGED;
}

static void write_mark(store_t *store, const job_t *job, bool is_group, worker_written_t *out) {
    const proto_mark_read_t *mark = &job->body.mark_read;
    store_outcome_t outcome =
        store_mark_read(store, job->envelope.room, job->envelope.user, mark->seq, &out->seq);
    out->code = code_of(outcome, is_group);
    out->advanced = outcome == STORE_NEW;
    if (outcome == STORE_NO_CONVERSATION && !is_group) /* not made yet: nothing to mark */
        *out = (worker_written_t){.code = CODE_OK};
}

/* Whom a change of members is about. */
static str_t target_of(worker_answers_t *self, const job_t *job) {
    proto_add_participants_t add;
    if (job->envelope.type == MSG_REMOVE_PARTICIPANT)
        return job->body.remove.target;
    ASSERT(proto_add_participants_decode(job->envelope.body, self->arena, &add) == OK);
    ASSERT(add.users.n == 1);
    return add.users.items[0];
}

static void write_member(worker_answers_t *self, store_t *store, const job_t *job,
                         worker_written_t *out) {
    bool adds = job->envelope.type == MSG_ADD_PARTICIPANTS;
    str_t target = target_of(self, job);
    store_change_t change = (adds ? store_add_member : store_remove_member)(
        store, job->envelope.room, job->envelope.user, target);
    out->code = change.forbidden ? CODE_FORBIDDEN : CODE_OK;
    out->members_version = change.version;
}

void worker_answers_prepare(store_t *store, const job_t *job) {
    if (job->envelope.type == MSG_SEND || job->envelope.type == MSG_USER_SEEN)
        store->users[store_user_of(job->envelope.user)] = true;
}

void worker_answers_write(worker_answers_t *self, store_t *store, const job_t *job,
                          worker_written_t *out) {
    bool is_group = ids_parse_room(job->envelope.room).kind == IDS_GROUP;
    *out = (worker_written_t){.code = CODE_OK};
    switch (job->envelope.type) {
    case MSG_SEND:
        write_send(store, job, is_group, out);
        return;
    case MSG_MARK_READ:
        write_mark(store, job, is_group, out);
        return;
    case MSG_ADD_PARTICIPANTS:
    case MSG_REMOVE_PARTICIPANT:
        write_member(self, store, job, out);
        return;
    default:
        ASSERT(job->envelope.type == MSG_LAST_SEEN || job->envelope.type == MSG_USER_SEEN);
    }
}

static void append_message(strbuf_t *out, const store_room_t *room,
                           const store_message_t *message) {
    strbuf_t sender = {0};
    store_append_user(&sender, message->sender);
    message_t entity = {.id = {{(uint8_t)message->order, 7}},
                        .conversation_id = str_from(room->id),
                        .seq = (int64_t)message->seq,
                        .sender_id = strbuf_str(&sender),
                        .text = str_from(message->text),
                        .client_id = str_from(message->client_id),
                        .created_at_ms = message->at_ms};
    entities_append_message(out, &entity);
    strbuf_fini(&sender);
}

static void fact_stored(worker_answers_t *self, store_t *store, const job_t *job,
                        const worker_written_t *written) {
    const store_room_t *room = store_room(store, job->envelope.room);
    const store_message_t *message = store_message(room, written->seq);
    store_message_t early = {.seq = written->seq, .sender = store_user_of(job->envelope.user)};
    snprintf(early.client_id, sizeof(early.client_id), "%.*s", STR_ARG(job->body.send.client_id));
    append_message(&self->json, room, message ? message : &early);
    proto_stored_encode(&(proto_stored_t){.job = job->envelope.request_id,
                                          .epoch = job->epoch,
                                          .seq = written->seq,
                                          .message = strbuf_str(&self->json),
                                          .duplicate = written->duplicate},
                        &self->body);
}

str_t worker_answers_fact(worker_answers_t *self, store_t *store, const job_t *job,
                          const worker_written_t *written, uint16_t *type_out) {
    uint64_t id = job->envelope.request_id;
    clear(self);
    if (job->envelope.type == MSG_SEND) {
        *type_out = MSG_STORED;
        fact_stored(self, store, job, written);
    } else if (job->envelope.type == MSG_MARK_READ) {
        *type_out = MSG_READ_MARKED;
        proto_read_marked_encode(&(proto_read_marked_t){.job = id,
                                                        .epoch = job->epoch,
                                                        .seq = written->seq,
                                                        .read_at_ms = 1,
                                                        .advanced = written->advanced},
                                 &self->body);
    } else {
        *type_out = MSG_MEMBERS_CHANGED;
        str_t target = target_of(self, job);
        proto_texts_t users = {&target, 1};
        proto_members_changed_t changed = {
            .job = id, .epoch = job->epoch, .members_version = written->members_version};
        *(job->envelope.type == MSG_ADD_PARTICIPANTS ? &changed.added : &changed.removed) = users;
        proto_members_changed_encode(&changed, &self->body);
    }
    return strbuf_str(&self->body);
}

str_t worker_answers_event(worker_answers_t *self, const job_t *job, uint64_t members_version,
                           str_t *user_out) {
    bool adds = job->envelope.type == MSG_ADD_PARTICIPANTS;
    clear(self);
    *user_out = target_of(self, job);
    if (adds)
        strbuf_printf(&self->json, "{\"id\":\"%.*s\"}", STR_ARG(job->envelope.room));
    else
        entities_append_removal(&self->json, job->envelope.room);
    proto_user_event_encode(&(proto_user_event_t){.event = adds ? STR("conversation_added")
                                                                : STR("conversation_removed"),
                                                  .conversation_id = job->envelope.room,
                                                  .payload = strbuf_str(&self->json),
                                                  .version = members_version},
                            &self->body);
    return strbuf_str(&self->body);
}

str_t worker_answers_error(worker_answers_t *self) {
    clear(self);
    proto_error_encode(&(proto_error_t){.message = STR("refused")}, &self->body);
    return strbuf_str(&self->body);
}

/* ---- reads ---- */

static code_t admit(const store_t *store, const job_t *job, const store_room_t *room) {
    bool trusted = job->envelope.type == MSG_HISTORY && job->body.history.trusted;
    size_t user = store_user_of(job->envelope.user);
    if (trusted || (room && room->exists && room->members[user]))
        return CODE_OK;
    if (!room || room->exists || room->is_group)
        return CODE_FORBIDDEN;
    str_t partner = ids_partner(job->envelope.room, job->envelope.user);
    return store->users[store_user_of(partner)] ? CODE_OK : CODE_NOT_FOUND;
}

static void read_heads(store_t *store, const job_t *job, worker_read_t *out) {
    proto_arena_t *arena = proto_arena_new();
    proto_heads_t heads;
    ASSERT(proto_heads_decode(job->envelope.body, arena, &heads) == OK);
    ASSERT(heads.rooms.n <= STORE_ROOMS_MAX);
    out->visible = heads.rooms.n;
    for (size_t i = 0; i < heads.rooms.n; i++) {
        const store_room_t *room = store_room(store, heads.rooms.items[i]);
        out->heads[i] = room && store->world->plant != PLANT_HEADS ? room->head : 0;
    }
    proto_arena_free(&arena);
}

static void read_room(const store_t *store, const store_room_t *room, worker_read_t *out) {
    (void)store;
    if (!room)
        return;
    out->exists = room->exists;
    out->head = room->head;
    out->members_version = room->members_version;
    memcpy(out->members, room->members, sizeof(out->members));
}

void worker_answers_read(store_t *store, const job_t *job, unsigned step, worker_read_t *out) {
    const store_room_t *room = store_room(store, job->envelope.room);
    if (step == 1) {
        if (job->envelope.type != MSG_HEADS)
            out->visible = room ? room->head : 0;
        return;
    }
    *out = (worker_read_t){.code = CODE_OK};
    if (job->envelope.type == MSG_HEADS) {
        read_heads(store, job, out);
        return;
    }
    if (job->envelope.type == MSG_JOIN)
        store->users[store_user_of(job->envelope.user)] = true;
    if (job->envelope.type != MSG_LOAD_GROUP)
        out->code = admit(store, job, room);
    read_room(store, room, out);
}

static void add_messages(worker_answers_t *self, const store_room_t *room, uint64_t after,
                         uint64_t upto) {
    for (uint64_t seq = after + 1; seq <= upto && self->texts.n < PAGE_LIMIT_MAX; seq++) {
        append_message(&self->texts.bytes, room, store_message(room, seq));
        text_list_end(&self->texts, seq);
    }
}

/* Of a conversation that isn't made yet, its two are as good as participants. */
static void add_participants(worker_answers_t *self, const store_t *store, const job_t *job,
                             const worker_read_t *read) {
    strbuf_append_char(&self->part, '[');
    for (size_t user = 0; user < store->user_count; user++) {
        strbuf_t id = {0};
        store_append_user(&id, user);
        bool is_in = read->exists ? read->members[user]
                                  : ids_is_participant(job->envelope.room, strbuf_str(&id));
        if (is_in) {
            if (self->ids.n)
                strbuf_append_char(&self->part, ',');
            entities_append_participant(&self->part, &(participant_t){.id = strbuf_str(&id),
                                                                      .name = strbuf_str(&id),
                                                                      .role = STR("customer")});
            text_list_add(&self->ids, strbuf_str(&id), 0);
        }
        strbuf_fini(&id);
    }
    strbuf_append_char(&self->part, ']');
}

static void answer_join(worker_answers_t *self, store_t *store, const job_t *job,
                        const worker_read_t *read) {
    const proto_join_t *join = &job->body.join;
    const store_room_t *room = store_room(store, job->envelope.room);
    uint64_t after = PROTO_HAS(join, 1) ? join->after : read->head;
    conversation_t conversation = {.id = job->envelope.room, .is_group = room->is_group};
    entities_append_conversation(&self->json, &conversation);
    add_participants(self, store, job, read);
    add_messages(self, room, after, read->head);
    proto_conversation_t answer = {
        .conversation = strbuf_str(&self->json),
        .participants = strbuf_str(&self->part),
        .participant_ids = text_list_texts(&self->ids),
        .head_seq = read->head,
        .generation = GENERATION,
        .messages = text_list_texts(&self->texts),
        .seqs = text_list_numbers(&self->texts),
        .truncated = read->head > after && read->head - after > self->texts.n,
        .reset = after > read->head,
        .members_version = room->is_group ? read->members_version : 0,
    };
    proto_conversation_encode(&answer, &self->body);
}

static void answer_history(worker_answers_t *self, store_t *store, const job_t *job,
                           const worker_read_t *read) {
    const store_room_t *room = store_room(store, job->envelope.room);
    add_messages(self, room, job->body.history.after, read->visible);
    proto_messages_t answer = {.messages = text_list_texts(&self->texts),
                               .seqs = text_list_numbers(&self->texts),
                               .head_seq = read->head};
    proto_messages_encode(&answer, &self->body);
}

str_t worker_answers_of_read(worker_answers_t *self, store_t *store, const job_t *job,
                             const worker_read_t *read, uint16_t *type_out) {
    clear(self);
    switch (job->envelope.type) {
    case MSG_JOIN:
        *type_out = MSG_CONVERSATION;
        answer_join(self, store, job, read);
        break;
    case MSG_HISTORY:
        *type_out = MSG_MESSAGES;
        answer_history(self, store, job, read);
        break;
    case MSG_HEADS:
        *type_out = MSG_HEAD_SEQS;
        proto_head_seqs_encode(
            &(proto_head_seqs_t){.seqs = {read->heads, read->visible}, .generation = GENERATION},
            &self->body);
        break;
    default:
        ASSERT(job->envelope.type == MSG_LOAD_GROUP);
        *type_out = MSG_GROUP;
        add_participants(self, store, job, read);
        proto_group_encode(&(proto_group_t){.members = text_list_texts(&self->ids),
                                            .members_version = read->members_version},
                           &self->body);
    }
    return strbuf_str(&self->body);
}
