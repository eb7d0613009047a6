/* Joining and leaving conversations. */
#include <utlist.h>

#include "common/ids.h"
#include "gateway/core_state.h"

/* A join_conversation that is not answered yet. While its member has one, nothing live reaches it.
 */
struct join {
    core_request_t request;
    member_t *member;
    gateway_ack_t ack;
    bool has_after;
    uint64_t after;
    uint32_t number; /* among the member's joins */
    int64_t started_ms;
    bool recovers;          /* its member was one before; nobody is answered */
    uint64_t read_after_ms; /* … and has had the marks up to then */
    char *body;             /* the broker's answer, once it has come */
    size_t body_bytes;
    bool waits;                          /* for the participants' presence */
    bool due;                            /* answered by the next flush */
    deadline_t deadline;                 /* waits at most until then */
    join_t *prev, *next;                 /* in member->joins */
    join_t *waiting_prev, *waiting_next; /* in room->waiting, while it waits */
    join_t *due_prev, *due_next;         /* in core->joins_due, while it is due */
};

static const char left_meanwhile[] = "the conversation was left before the join was done";

static core_question_t question_of(join_t *join) {
    return (core_question_t){.session = join->member->session,
                             .kind = EVENT_JOIN_CONVERSATION,
                             .name = STR("join_conversation"),
                             .ack = &join->ack};
}

static join_t *add_join(gateway_core_t *self, member_t *member, const event_payload_t *payload,
                        gateway_ack_t *ack) {
    join_t *join = xcalloc(1, sizeof(*join));
    join->request.core = self;
    join->member = member;
    join->ack = *ack;
    *ack = (gateway_ack_t){0};
    join->has_after = payload->present & FIELD_AFTER;
    join->after = payload->after;
    join->number = ++member->last_join;
    join->started_ms = core_now(self);
    DL_APPEND(member->joins, join);
    member->session->request_count++;
    self->request_count++;
    return join;
}

static void stop_waiting(join_t *join) {
    gateway_core_t *self = join->request.core;
    if (!join->waits)
        return;
    join->waits = false;
    deadline_remove(&self->join_deadlines, &join->deadline);
    DL_DELETE2(join->member->room->waiting, join, waiting_prev, waiting_next);
}

/* It was answered, or nobody is left to answer. */
static void end_join(join_t *join) {
    gateway_core_t *self = join->request.core;
    if (join->recovers && join->request.id)
        core_recovery_unasked(join->member->session->recovery);
    core_request_cancel(&join->request);
    stop_waiting(join);
    if (join->due)
        DL_DELETE2(self->joins_due, join, due_prev, due_next);
    self->ops->drop_ack(self->ctx, &join->ack);
    DL_DELETE(join->member->joins, join);
    join->member->session->request_count--;
    self->request_count--;
    if (join->body)
        self->waiting_bytes -= join->body_bytes;
    free(join->body);
    free(join);
}

bool core_join_is_asked(const member_t *member) {
    const join_t *join = NULL;
    DL_FOREACH(member->joins, join) {
        if (join->request.id)
            return true;
    }
    return false;
}

/* ---- leaving ---- */

void core_leave(gateway_core_t *self, member_t *member, const core_failure_t *why) {
    room_t *room = member->room;
    session_t *session = member->session;
    bool is_told = why && member->removal_due;
    join_t *join = NULL, *next = NULL;
    DL_FOREACH_SAFE(member->joins, join, next) {
        core_question_t question = question_of(join);
        if (why && !join->recovers)
            core_fail(self, &question, why);
        end_join(join);
    }
    strbuf_clear(&self->body);
    proto_leave_encode(&(proto_leave_t){0}, &self->body);
    envelope_t envelope = core_envelope(self, MSG_LEAVE, room_name(room), session);
    /* Without a link nothing is lost: what is left is sent when it comes up. */
    (void)!self->ops->post(self->ctx, room->broker, &envelope);
    if (member->placed || member->placed_by) /* else no position named it */
        core_position_due(self, session);
    if (room->member_count == 1)
        presence_forget_room(self->presence, room);
    rooms_hold(room);
    rooms_remove_member(self->rooms, member);
    if (is_told)
        core_emit_removed(self, session, room);
    rooms_release(self->rooms, room);
}

void core_leave_event(gateway_core_t *self, session_t *session, const event_payload_t *payload,
                      gateway_ack_t *ack) {
    core_question_t question = {.session = session,
                                .kind = EVENT_LEAVE_CONVERSATION,
                                .name = STR("leave_conversation"),
                                .ack = ack};
    member_t *member = rooms_member_of(self->rooms, payload->conversation_id, session->number);
    if (member) {
        core_failure_t why = core_failure(CODE_CONFLICT, left_meanwhile);
        core_leave(self, member, &why);
        core_position_tell(self, session); /* before the acknowledgement */
    }
    strbuf_clear(&self->text);
    replies_done(&self->text);
    core_answer(self, &question, strbuf_str(&self->text));
}

/* ---- the answer ---- */

static void fail_recovery(join_t *join, const core_failure_t *failure) {
    gateway_core_t *self = join->request.core;
    member_t *member = join->member;
    recovery_t *recovery = member->session->recovery;
    code_t code = failure->code;
    end_join(join);
    core_leave(self, member, NULL);
    core_recovery_refused(recovery, code);
}

/* The latest join's word counts: the membership stays if a later one than this was answered well,
 * or may yet be; then it begins anew with that answer. Whether the broker kept it depends on how
 * the joins passed each other, so it is told again. */
static void fail_join(join_t *join, const core_failure_t *failure) {
    gateway_core_t *self = join->request.core;
    member_t *member = join->member;
    if (join->recovers) {
        fail_recovery(join, failure);
        return;
    }
    core_question_t question = question_of(join);
    bool ends = join->number == member->last_join;
    if (join->number > member->placed_by)
        member->placed = false;
    core_fail(self, &question, failure);
    end_join(join);
    if (ends) {
        core_leave(self, member, failure);
    } else if (!core_join_is_asked(member)) {
        member->room->passed_by = true;
        core_link_rejoin(self, member->room);
    }
}

static user_presence_t look_up_presence(void *ctx, str_t user) {
    const gateway_core_t *self = ctx;
    return presence_of(self->presence, user);
}

static void answer_join(join_t *join, const proto_conversation_t *conversation) {
    gateway_core_t *self = join->request.core;
    core_question_t question = question_of(join);
    metrics_observe(self->config.metrics, METRIC_JOIN_SECONDS, 0,
                    (double)(core_now(self) - join->started_ms) / 1000.0);
    strbuf_clear(&self->text);
    replies_joined(&self->text, conversation, strbuf_str(&self->participants));
    core_answer(self, &question, strbuf_str(&self->text));
}

static room_joined_t joined_by(const join_t *join, const proto_conversation_t *conversation) {
    size_t n = conversation->seqs.n;
    return (room_joined_t){
        .has_after = join->has_after,
        .after = join->after,
        .head = conversation->head_seq,
        .last_returned = n ? conversation->seqs.items[n - 1] : 0,
        .reset = conversation->reset,
    };
}

/* The client has the answer, and what comes live follows it. */
static void settle_member(join_t *join, const proto_conversation_t *conversation) {
    gateway_core_t *self = join->request.core;
    member_t *member = join->member;
    room_joined_t joined = joined_by(join, conversation);
    if (join->number > member->placed_by)
        member->placed_by = join->number;
    end_join(join);
    if (conversation->truncated) {
        core_failure_t why = core_failure(CODE_CONFLICT, left_meanwhile);
        core_leave(self, member, &why);
        return;
    }
    rooms_joined(member, &joined);
    rooms_check(self->rooms, member->room);
}

/* Puts the member where the answer that is about to go out will have it, so that the position told
 * before names it. */
static void place_member(join_t *join) {
    gateway_core_t *self = join->request.core;
    member_t *member = join->member;
    proto_conversation_t conversation;
    if (proto_conversation_decode((str_t){join->body, join->body_bytes}, self->join_arena,
                                  &conversation) ||
        conversation.truncated)
        return;
    room_joined_t joined = joined_by(join, &conversation);
    if (!member->placed)
        member->read_ms = conversation.read_at_ms;
    rooms_joined(member, &joined);
    core_position_due(self, member->session);
}

/* Answers with the broker's answer and what is known of the participants' presence. */
static void finish_join(join_t *join) {
    gateway_core_t *self = join->request.core;
    proto_conversation_t conversation;
    strbuf_clear(&self->participants);
    if (proto_conversation_decode((str_t){join->body, join->body_bytes}, self->join_arena,
                                  &conversation) ||
        participants_merge(conversation.participants, &conversation.participant_ids,
                           look_up_presence, self, &self->participants)) {
        core_failure_t failure = core_failure(CODE_INTERNAL, NULL);
        core_count(self, METRIC_BUS_MALFORMED, 0);
        fail_join(join, &failure);
        return;
    }
    core_position_tell(self, join->member->session);
    answer_join(join, &conversation);
    settle_member(join, &conversation);
}

void core_join_flush(gateway_core_t *self) {
    join_t *join = NULL;
    DL_FOREACH2(self->joins_due, join, due_next) {
        place_member(join);
    }
    while (self->joins_due)
        finish_join(self->joins_due);
}

static void keep_body(join_t *join, str_t body) {
    join->body = xmalloc(body.n + 1);
    join->body_bytes = body.n;
    memcpy(join->body, body.p, body.n);
    join->request.core->waiting_bytes += body.n;
}

static void make_due(join_t *join) {
    gateway_core_t *self = join->request.core;
    stop_waiting(join);
    join->due = true;
    DL_APPEND2(self->joins_due, join, due_prev, due_next);
}

static void wait_for_presence(join_t *join) {
    gateway_core_t *self = join->request.core;
    join->waits = true;
    DL_APPEND2(join->member->room->waiting, join, waiting_prev, waiting_next);
    deadline_add(&self->join_deadlines, &join->deadline, core_now(self) + GATEWAY_PRESENCE_WAIT_MS);
}

/* A direct conversation's participants never change, a group's only with its version. */
static void set_participants(gateway_core_t *self, room_t *room,
                             const proto_conversation_t *conversation) {
    if (room->interests && conversation->members_version <= room->members_version)
        return;
    room->members_version = conversation->members_version;
    presence_set_participants(self->presence, room, &conversation->participant_ids);
}

static bool users_are_valid(const proto_texts_t *users) {
    for (size_t i = 0; i < users->n; i++) {
        if (!ids_is_user(users->items[i]))
            return false;
    }
    return true;
}

static void on_joined(void *arg, err_t err, const envelope_t *reply) {
    join_t *join = arg;
    gateway_core_t *self = join->request.core;
    room_t *room = join->member->room;
    core_failure_t failure;
    proto_conversation_t conversation;
    core_request_end(&join->request);
    if (!core_reply_ok(self, err, reply, MSG_CONVERSATION, &failure)) {
        fail_join(join, &failure);
        return;
    }
    if (proto_conversation_decode(reply->body, self->arena, &conversation) ||
        !users_are_valid(&conversation.participant_ids)) {
        core_count(self, METRIC_BUS_MALFORMED, 0);
        failure = core_failure(CODE_INTERNAL, NULL);
        fail_join(join, &failure);
        return;
    }
    join->member->unconfirmed = false; /* this link's broker has just judged the rights */
    core_check_generation(self, conversation.generation);
    set_participants(self, room, &conversation);
    bool has_space = self->waiting_bytes + reply->body.n <= self->config.max_waiting_bytes;
    keep_body(join, reply->body);
    if (join->recovers)
        core_recovery_joined(join->member->session->recovery, &conversation,
                             has_space ? reply->body.n : GATEWAY_RECOVERY_BYTES_MAX + 1);
    else if (room->unknown > 0 && has_space)
        wait_for_presence(join);
    else
        make_due(join);
}

/* ---- presence that joins wait for ---- */

void core_join_presence_known(void *ctx, room_t *room) {
    gateway_core_t *self = ctx;
    if (!room->waiting)
        return;
    if (self->ready_count == self->ready_capacity) {
        self->ready_capacity = self->ready_capacity ? self->ready_capacity * 2 : 16;
        self->ready = xrealloc(self->ready, self->ready_capacity * sizeof(room_t *));
    }
    rooms_hold(room);
    self->ready[self->ready_count++] = room;
}

void core_join_finish_ready(gateway_core_t *self) {
    while (self->ready_count) {
        room_t *room = self->ready[--self->ready_count];
        while (room->waiting)
            make_due(room->waiting);
        rooms_release(self->rooms, room);
    }
}

void core_join_tick(gateway_core_t *self, int64_t now_ms) {
    deadline_t *due = NULL;
    while ((due = deadline_pop_due(&self->join_deadlines, now_ms)))
        make_due(DEADLINE_OWNER(due, join_t, deadline));
}

/* ---- asking ---- */

static void ask(join_t *join) {
    gateway_core_t *self = join->request.core;
    session_t *session = join->member->session;
    const room_t *room = join->member->room;
    proto_join_t body = {.after = join->after,
                         .name = str_from(session->user->name),
                         .role = str_from(session->user->role)};
    if (join->has_after)
        body.present = UINT64_C(1) << 1;
    if (join->recovers) {
        body.present |= UINT64_C(1) << 4;
        body.read_after_ms = join->read_after_ms;
        body.socket_id = session_sid(session);
    }
    strbuf_clear(&self->body);
    proto_join_encode(&body, &self->body);
    envelope_t envelope = core_envelope(self, MSG_JOIN, room_name(room), session);
    envelope.trace = join->ack.trace;
    if (core_request(self, &join->request,
                     &(core_asking_t){.broker = room->broker,
                                      .timeout_ms = GATEWAY_JOIN_TIMEOUT_MS,
                                      .envelope = &envelope,
                                      .on_reply = on_joined}))
        return;
    core_failure_t failure = core_busy(self, BUSY_BUS);
    fail_join(join, &failure);
}

static void refuse(gateway_core_t *self, session_t *session, gateway_ack_t *ack,
                   core_failure_t failure) {
    core_question_t question = {.session = session,
                                .kind = EVENT_JOIN_CONVERSATION,
                                .name = STR("join_conversation"),
                                .ack = ack};
    core_fail(self, &question, &failure);
}

void core_join_event(gateway_core_t *self, session_t *session, const event_payload_t *payload,
                     gateway_ack_t *ack) {
    str_t name = payload->conversation_id;
    room_t *room = rooms_get(self->rooms, name, brokers_of_room(self->config.brokers, name));
    if (!room) {
        refuse(self, session, ack, core_busy(self, BUSY_ROOMS));
        return;
    }
    member_t *member = rooms_find_member(self->rooms, room, session->number);
    bool is_full = !member && rooms_member_count(self->rooms) >= self->config.max_members;
    if (!member && !is_full && session->member_count < self->config.max_rooms_per_session)
        member = rooms_add_member(self->rooms, room, session);
    if (member)
        ask(add_join(self, member, payload, ack));
    else if (is_full)
        refuse(self, session, ack, core_busy(self, BUSY_MEMBERS));
    else
        refuse(self, session, ack,
               core_failure(CODE_RATE_LIMITED, "too many conversations joined"));
    rooms_release(self->rooms, room);
}

/* ---- recovering ---- */

bool core_join_recover(gateway_core_t *self, session_t *session, const recovery_room_t *wanted) {
    room_t *room =
        rooms_get(self->rooms, wanted->name, brokers_of_room(self->config.brokers, wanted->name));
    if (!room)
        return false;
    bool fits = session->member_count < self->config.max_rooms_per_session &&
                rooms_member_count(self->rooms) < self->config.max_members;
    if (fits) {
        event_payload_t payload = {.present = FIELD_AFTER, .after = wanted->seq};
        gateway_ack_t nobody = {0};
        join_t *join =
            add_join(self, rooms_add_member(self->rooms, room, session), &payload, &nobody);
        join->recovers = true;
        join->read_after_ms = wanted->read_ms;
        ask(join);
    }
    rooms_release(self->rooms, room);
    return fits;
}

str_t core_join_recovered(const member_t *member) {
    const join_t *join = member->joins;
    ASSERT(join && join->recovers && join->body);
    return (str_t){join->body, join->body_bytes};
}

void core_join_settle(member_t *member, const proto_conversation_t *conversation) {
    join_t *join = member->joins;
    ASSERT(join && join->recovers && join->body && !conversation->truncated);
    settle_member(join, conversation);
}
