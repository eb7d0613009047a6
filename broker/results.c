/* What workers answer: results go to whoever asked, committed facts to the room as well. */
#include "broker/broker_internal.h"

#include <utlist.h>

/* request type => what a worker may answer, beside ERROR; 0: it comes as a fact. */
static const uint16_t result_types[] = {
    [MSG_JOIN] = MSG_CONVERSATION,     [MSG_HISTORY] = MSG_MESSAGES,
    [MSG_HEADS] = MSG_HEAD_SEQS,       [MSG_LIST_CONVERSATIONS] = MSG_JSON,
    [MSG_CHANGES] = MSG_CHANGED,       [MSG_CREATE_CONVERSATION] = MSG_JSON,
    [MSG_GET_CONVERSATION] = MSG_JSON, [MSG_GET_USER] = MSG_JSON,
    [MSG_PUT_USER] = MSG_JSON,         [MSG_USER_SEEN] = MSG_DONE,
    [MSG_LAST_SEEN] = MSG_DONE,        [MSG_LOAD_GROUP] = MSG_GROUP,
    [MSG_AUTH_VERIFY] = MSG_IDENTITY,  [MSG_AUTH_REGISTER] = MSG_TOKEN,
    [MSG_AUTH_LOGIN] = MSG_TOKEN,      [MSG_AUTH_REFRESH] = MSG_TOKEN,
};

/* May this worker answer the job with that? */
static bool is_answer_to(const job_t *job, const peer_t *worker, uint16_t type) {
    role_t role = job->class == JOB_AUTH ? ROLE_AUTH : ROLE_PERSIST;
    return worker->role == role &&
           (type == MSG_ERROR || (type == result_types[job->request->type] && type != 0));
}

/* Passes a worker's answer on to whoever made the request. */
static void relay(broker_core_t *self, const job_t *job, const envelope_t *result) {
    if (!job->origin || job->request->request_id == 0)
        return;
    envelope_t answer = *job->request;
    answer.flags = ENVELOPE_REPLY;
    answer.type = result->type;
    answer.code = result->code;
    answer.deadline_ms = 0;
    answer.body = result->body;
    core_send(self, job->origin, &answer);
}

/* The membership that this JOIN made or renewed, NULL when it is over. */
static membership_t *membership_of(broker_core_t *self, const job_t *job) {
    const envelope_t *request = job->request;
    room_t *room = rooms_find(self->rooms, request->room);
    return room ? rooms_member(self->rooms, room, job->origin, request->session) : NULL;
}

/* A failed join ends the membership, unless a later JOIN has taken it over. */
static void undo_join(broker_core_t *self, const job_t *job, int64_t now_ms) {
    membership_t *membership = job->origin ? membership_of(self, job) : NULL;
    if (membership && membership->join_job == job->id)
        core_leave(self, membership, now_ms);
}

/* The user may have been removed while the state was read: then the membership is gone, and what
 * was read must not start a subscription at the gateway. */
static void end_join(broker_core_t *self, const job_t *job, const envelope_t *result,
                     int64_t now_ms) {
    if (result->type == MSG_CONVERSATION && job->origin && !membership_of(self, job)) {
        core_answer_error(self, job->origin, job->request, CODE_FORBIDDEN, "not a participant");
        return;
    }
    if (result->type != MSG_CONVERSATION)
        undo_join(self, job, now_ms);
    relay(self, job, result);
}

static void end_load(broker_core_t *self, const job_t *job, const envelope_t *result,
                     int64_t now_ms) {
    proto_group_t group;
    if (result->type != MSG_GROUP || proto_group_decode(result->body, self->arena, &group) != OK) {
        rights_load_failed(self->rights, job->request->room, now_ms);
        return;
    }
    rights_list_t list = {
        .version = group.members_version, .members = group.members.items, .n = group.members.n};
    rights_loaded(self->rights, job->request->room, &list, now_ms);
}

/* Ends a job of the broker's own. */
static void end_own(broker_core_t *self, const job_t *job, const envelope_t *result,
                    int64_t now_ms) {
    if (job->request->type == MSG_LOAD_GROUP) {
        end_load(self, job, result, now_ms);
    } else if (job->id == self->last_seen_job) {
        self->last_seen_job = 0;
        self->stats.last_seen_lost += result->type != MSG_DONE;
    }
}

static void count_end(broker_core_t *self, const job_t *job, job_outcome_t outcome,
                      int64_t now_ms) {
    self->ops->job_ended(self->ctx, job->class, outcome, now_ms - job->created_ms);
}

static bool is_own(const job_t *job) {
    return job->request->type == MSG_LOAD_GROUP || job->request->type == MSG_LAST_SEEN;
}

void core_on_reply(broker_core_t *self, peer_t *worker, const envelope_t *envelope,
                   int64_t now_ms) {
    job_t *job = jobs_find(self->jobs, envelope->request_id);
    if (!job)
        return;
    if (!is_answer_to(job, worker, envelope->type)) {
        self->ops->refused(self->ctx, worker->link, envelope, "an answer of the wrong kind");
        return;
    }
    if (!job->is_settled) {
        bool is_error = envelope->type == MSG_ERROR;
        count_end(self, job, is_error ? JOB_OUTCOME_ERROR : JOB_OUTCOME_OK, now_ms);
        if (is_own(job))
            end_own(self, job, envelope, now_ms);
        else if (job->request->type == MSG_JOIN)
            end_join(self, job, envelope, now_ms);
        else
            relay(self, job, envelope);
    }
    jobs_answered(self->jobs, job, worker, now_ms);
}

void core_job_expired(void *ctx, const job_t *job, int64_t now_ms) {
    broker_core_t *self = ctx;
    count_end(self, job, JOB_OUTCOME_EXPIRED, now_ms);
    if (is_own(job)) {
        end_own(self, job, &(envelope_t){.type = MSG_ERROR}, now_ms);
        return;
    }
    if (job->request->type == MSG_JOIN)
        undo_join(self, job, now_ms);
    core_answer_busy(self, job->origin, job->request, BUSY_DEADLINE);
}

/* ---- committed facts ---- */

/* Which job a fact ends. */
typedef struct {
    uint64_t job;
    uint64_t epoch;
    uint16_t request_type; /* 0: ADD_PARTICIPANTS or REMOVE_PARTICIPANT */
} fact_t;

/* The job of a fact; NULL when it is another epoch's, or over. */
static job_t *job_of_fact(const broker_core_t *self, const fact_t *fact,
                          const envelope_t *envelope) {
    job_t *job = fact->epoch == self->config.epoch ? jobs_find(self->jobs, fact->job) : NULL;
    if (!job || !str_eq(job->request->room, envelope->room))
        return NULL;
    uint16_t type = job->request->type;
    bool is_change = type == MSG_ADD_PARTICIPANTS || type == MSG_REMOVE_PARTICIPANT;
    return (fact->request_type ? type == fact->request_type : is_change) ? job : NULL;
}

/* Answers the requester with the fact; *cause_out is the session that caused it. */
static void answer_with_fact(broker_core_t *self, const job_t *job, const envelope_t *envelope,
                             fanout_cause_t *cause_out, int64_t now_ms) {
    *cause_out = (fanout_cause_t){0};
    if (!job || job->is_settled)
        return;
    *cause_out = (fanout_cause_t){.peer = job->origin, .session = job->request->session};
    count_end(self, job, JOB_OUTCOME_OK, now_ms);
    relay(self, job, envelope);
}

/* Frees the job and tells the worker that it need not repeat the fact. */
static void confirm(broker_core_t *self, job_t *job, peer_t *worker, const envelope_t *envelope,
                    int64_t now_ms) {
    if (job)
        jobs_answered(self->jobs, job, worker, now_ms);
    self->stats.facts++;
    core_answer_done(self, worker, envelope);
}

static envelope_t event_of(const envelope_t *fact, uint16_t type) {
    return (envelope_t){.type = type,
                        .room = fact->room,
                        .user = fact->user,
                        .trace = fact->trace,
                        .body = fact->body};
}

static void end_typing_of(broker_core_t *self, room_t *room, str_t name) {
    const user_t *user = room->typing ? users_find(self->users, name) : NULL;
    typing_entry_t *entry = user ? typing_of_user(room, user) : NULL;
    while (entry) {
        bool is_last = typing_is_last_of_user(entry);
        core_end_typing(self, entry);
        entry = is_last ? NULL : typing_of_user(room, user);
    }
}

/* Tells the room of a message, the first time it is heard of in this epoch. */
static void fan_out_message(broker_core_t *self, uint64_t seq, const envelope_t *stored) {
    room_t *room = rooms_find(self->rooms, stored->room);
    if (!room || seq <= room->fanned_out)
        return;
    room->fanned_out = seq;
    bool anybody = room->gateways || room->hold;
    end_typing_of(self, room, stored->user);
    if (!anybody)
        return;
    envelope_t event = event_of(stored, MSG_NEW_MESSAGE);
    core_fanout(self, room, &event, NULL);
    core_hold_message(self, room, &event);
}

void core_on_stored(broker_core_t *self, peer_t *worker, const envelope_t *envelope,
                    int64_t now_ms) {
    proto_stored_t stored;
    if (proto_stored_decode(envelope->body, self->arena, &stored) != OK) {
        core_refuse(self, worker, envelope, "malformed STORED");
        return;
    }
    fact_t fact = {stored.job, stored.epoch, MSG_SEND};
    job_t *job = job_of_fact(self, &fact, envelope);
    fanout_cause_t cause;
    answer_with_fact(self, job, envelope, &cause, now_ms);
    fan_out_message(self, stored.seq, envelope);
    confirm(self, job, worker, envelope, now_ms);
}

void core_on_read_marked(broker_core_t *self, peer_t *worker, const envelope_t *envelope,
                         int64_t now_ms) {
    proto_read_marked_t marked;
    if (proto_read_marked_decode(envelope->body, self->arena, &marked) != OK) {
        core_refuse(self, worker, envelope, "malformed READ_MARKED");
        return;
    }
    fact_t fact = {marked.job, marked.epoch, MSG_MARK_READ};
    job_t *job = job_of_fact(self, &fact, envelope);
    fanout_cause_t cause;
    answer_with_fact(self, job, envelope, &cause, now_ms);
    room_t *room = marked.advanced ? rooms_find(self->rooms, envelope->room) : NULL;
    envelope_t event = event_of(envelope, MSG_READ_EVENT);
    if (room)
        core_fanout(self, room, &event, &cause);
    confirm(self, job, worker, envelope, now_ms);
}

static bool is_one_of(const proto_texts_t *users, str_t id) {
    for (size_t i = 0; i < users->n; i++) {
        if (str_eq(users->items[i], id))
            return true;
    }
    return false;
}

/* Ends the memberships of removed users on one gateway and tells it. The room, and `gateway`, may
 * be gone afterwards. */
static void expel_from(broker_core_t *self, room_gateway_t *gateway, const envelope_t *fact,
                       const proto_expel_t *expel, int64_t now_ms) {
    peer_t *peer = gateway->peer;
    bool any = false;
    membership_t *member = gateway->members, *next = NULL;
    for (; member; member = next) {
        next = member->next;
        if (!is_one_of(&expel->users, user_id(member->user)))
            continue;
        any = true;
        core_leave(self, member, now_ms);
    }
    if (!any)
        return;
    strbuf_clear(&self->body);
    proto_expel_encode(expel, &self->body);
    envelope_t envelope = event_of(fact, MSG_EXPEL);
    envelope.body = strbuf_str(&self->body);
    core_send(self, peer, &envelope);
}

static void expel_all(broker_core_t *self, const envelope_t *fact, const proto_expel_t *expel,
                      int64_t now_ms) {
    room_t *room = rooms_find(self->rooms, fact->room);
    for (size_t i = 0; room && i < expel->users.n; i++) {
        end_typing_of(self, room, expel->users.items[i]);
        room = rooms_find(self->rooms, fact->room);
    }
    room_gateway_t *gateway = room && expel->users.n ? room->gateways : NULL;
    for (room_gateway_t *next = NULL; gateway; gateway = next) {
        next = gateway->next;
        expel_from(self, gateway, fact, expel, now_ms);
    }
}

/* Those of `removed` who aren't members now, as far as is known: the fact may be an old one, told
 * by a worker that was frozen, and they may have been added again. The caller frees the items. */
static proto_texts_t still_removed(const broker_core_t *self, str_t room,
                                   const proto_texts_t *removed) {
    str_t *users = xmalloc((removed->n + 1) * sizeof(*users));
    size_t n = 0;
    for (size_t i = 0; i < removed->n; i++) {
        if (!rights_cached(self->rights, room, removed->items[i], false))
            users[n++] = removed->items[i];
    }
    return (proto_texts_t){users, n};
}

void core_on_members_changed(broker_core_t *self, peer_t *worker, const envelope_t *envelope,
                             int64_t now_ms) {
    proto_members_changed_t changed;
    if (proto_members_changed_decode(envelope->body, self->arena, &changed) != OK ||
        ids_parse_room(envelope->room).kind != IDS_GROUP) {
        core_refuse(self, worker, envelope, "malformed MEMBERS_CHANGED");
        return;
    }
    rights_change_t change = {.version = changed.members_version,
                              .added = changed.added.items,
                              .added_n = changed.added.n,
                              .removed = changed.removed.items,
                              .removed_n = changed.removed.n};
    fact_t fact = {.job = changed.job, .epoch = changed.epoch};
    job_t *job = job_of_fact(self, &fact, envelope);
    fanout_cause_t cause;
    answer_with_fact(self, job, envelope, &cause, now_ms);
    rights_changed(self->rights, envelope->room, &change);
    proto_expel_t expel = {.users = still_removed(self, envelope->room, &changed.removed),
                           .version = changed.members_version};
    expel_all(self, envelope, &expel, now_ms);
    free((void *)expel.users.items);
    confirm(self, job, worker, envelope, now_ms);
}

/* Without a request id it is a hint. */
void core_on_user_event(broker_core_t *self, peer_t *worker, const envelope_t *envelope,
                        int64_t now_ms) {
    if (ids_parse_room(envelope->room).kind != IDS_USER) {
        core_refuse(self, worker, envelope, "USER_EVENT for a room that is no user's");
        return;
    }
    room_t *room = rooms_find(self->rooms, envelope->room);
    envelope_t event = event_of(envelope, MSG_USER_EVENT);
    if (envelope->request_id)
        user_events_add(self->user_events, worker, envelope, room, now_ms);
    else if (room)
        core_fanout(self, room, &event, NULL);
}
