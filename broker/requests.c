/* What gateways and rest ask: may they, and which queue is it for. */
#include "broker/broker_internal.h"

/* Who may make a request of a kind. */
typedef enum {
    RULE_UNKNOWN = 0,
    RULE_ANYONE,      /* no room, or a role that is trusted */
    RULE_PARTICIPANT, /* the head's user, in the conversation of the head's room */
    RULE_CREATOR,     /* as PARTICIPANT for a direct conversation; anyone for a group's new id */
    RULE_SELF,        /* the room is the head's user's own */
    RULE_ANY_USER,    /* the room is some user's own */
} rule_t;

typedef struct {
    rule_t rule;
    job_class_t class;
} request_kind_t;

/* type => what it takes. TYPING is no job; HISTORY may be trusted. */
static const request_kind_t kinds[] = {
    [MSG_JOIN] = {RULE_PARTICIPANT, JOB_READ},
    [MSG_SEND] = {RULE_PARTICIPANT, JOB_WRITE},
    [MSG_MARK_READ] = {RULE_PARTICIPANT, JOB_WRITE},
    [MSG_TYPING] = {RULE_PARTICIPANT, JOB_CLASSES},
    [MSG_HISTORY] = {RULE_PARTICIPANT, JOB_READ},
    [MSG_HEADS] = {RULE_ANYONE, JOB_READ},
    [MSG_LIST_CONVERSATIONS] = {RULE_SELF, JOB_READ},
    [MSG_CHANGES] = {RULE_SELF, JOB_READ},
    [MSG_CREATE_CONVERSATION] = {RULE_CREATOR, JOB_WRITE},
    [MSG_GET_CONVERSATION] = {RULE_PARTICIPANT, JOB_READ},
    [MSG_ADD_PARTICIPANTS] = {RULE_PARTICIPANT, JOB_WRITE},
    [MSG_REMOVE_PARTICIPANT] = {RULE_PARTICIPANT, JOB_WRITE},
    [MSG_GET_USER] = {RULE_ANY_USER, JOB_READ},
    [MSG_PUT_USER] = {RULE_ANY_USER, JOB_WRITE},
    [MSG_USER_SEEN] = {RULE_SELF, JOB_WRITE},
    [MSG_AUTH_VERIFY] = {RULE_ANYONE, JOB_AUTH},
    [MSG_AUTH_REGISTER] = {RULE_ANYONE, JOB_AUTH},
    [MSG_AUTH_LOGIN] = {RULE_ANYONE, JOB_AUTH},
    [MSG_AUTH_REFRESH] = {RULE_ANYONE, JOB_AUTH},
};

static const char not_participant[] = "not a participant";

static request_kind_t kind_of(uint16_t type) {
    return type < sizeof(kinds) / sizeof(kinds[0]) ? kinds[type] : (request_kind_t){0};
}

static rights_answer_t check_rule(broker_core_t *self, rule_t rule, const envelope_t *request) {
    ids_room_t room = ids_parse_room(request->room);
    switch (rule) {
    case RULE_ANYONE:
        return RIGHTS_ALLOWED;
    case RULE_PARTICIPANT:
        return rights_check(self->rights, request->room, request->user);
    case RULE_CREATOR:
        return room.kind == IDS_GROUP ? RIGHTS_ALLOWED
                                      : rights_check(self->rights, request->room, request->user);
    case RULE_SELF:
        if (room.kind != IDS_USER)
            return RIGHTS_INVALID;
        return str_eq(room.user, request->user) ? RIGHTS_ALLOWED : RIGHTS_FORBIDDEN;
    case RULE_ANY_USER:
        return room.kind == IDS_USER ? RIGHTS_ALLOWED : RIGHTS_INVALID;
    default:
        return RIGHTS_INVALID;
    }
}

/* ---- doing what was asked, rights being decided ---- */

static void perform_job(broker_core_t *self, peer_t *peer, const envelope_t *request,
                        int64_t now_ms) {
    job_class_t class = kind_of(request->type).class;
    if (jobs_add(self->jobs, class, peer, request, now_ms))
        return;
    self->ops->job_ended(self->ctx, class, JOB_OUTCOME_REFUSED, 0);
    core_answer_busy(self, peer, request, BUSY_WRITE_JOBS + (broker_busy_t) class);
}

/* The membership starts at once, so that the read which follows and live messages leave no gap. */
static void perform_join(broker_core_t *self, peer_t *peer, const envelope_t *request,
                         int64_t now_ms) {
    rooms_join_t join = {.room = request->room, .user = request->user, .session = request->session};
    membership_t *membership;
    bool created;
    err_t err = rooms_join(self->rooms, peer, &join, &membership, &created);
    if (err == ERR_LIMIT) {
        core_answer_busy(self, peer, request, BUSY_ROOMS);
        return;
    }
    if (err) {
        core_refuse(self, peer, request, "session is in the room as another user");
        return;
    }
    membership->join_job = jobs_add(self->jobs, JOB_READ, peer, request, now_ms);
    if (membership->join_job)
        return;
    core_leave(self, membership, now_ms);
    self->ops->job_ended(self->ctx, JOB_READ, JOB_OUTCOME_REFUSED, 0);
    core_answer_busy(self, peer, request, BUSY_READ_JOBS);
}

static void perform_typing(broker_core_t *self, peer_t *peer, const envelope_t *request,
                           int64_t now_ms) {
    proto_typing_t typing;
    if (proto_typing_decode(request->body, self->arena, &typing) != OK) {
        core_refuse(self, peer, request, "malformed TYPING");
        return;
    }
    room_t *room = rooms_find(self->rooms, request->room);
    typing_entry_t *entry = room ? typing_find(self->typing, room, peer, request->session) : NULL;
    if (!typing.on) {
        if (entry)
            core_end_typing(self, entry);
        core_answer_done(self, peer, request);
        return;
    }
    if (core_sheds_hints(self)) {
        core_answer_busy(self, peer, request, BUSY_HINT);
        return;
    }
    rooms_join_t who = {.room = request->room, .user = request->user, .session = request->session};
    if (typing_start(self->typing, peer, &who, now_ms) != OK) {
        core_answer_busy(self, peer, request, BUSY_TYPING);
        return;
    }
    fanout_cause_t cause = {.peer = peer, .session = request->session, .trace = request->trace};
    core_typing_event(self, rooms_find(self->rooms, request->room), request->user, &cause, true);
    core_answer_done(self, peer, request);
}

static void perform(broker_core_t *self, peer_t *peer, const envelope_t *request, int64_t now_ms) {
    if (request->type == MSG_JOIN)
        perform_join(self, peer, request, now_ms);
    else if (request->type == MSG_TYPING)
        perform_typing(self, peer, request, now_ms);
    else
        perform_job(self, peer, request, now_ms);
}

/* ---- deciding ---- */

/* A gateway that fills a gap for sockets it has admitted needs no user; nobody else may say so. */
static rule_t rule_of_history(broker_core_t *self, const peer_t *peer, const envelope_t *request) {
    proto_history_t history;
    if (proto_history_decode(request->body, self->arena, &history) != OK)
        return RULE_UNKNOWN;
    if (!history.trusted)
        return RULE_PARTICIPANT;
    if (peer->role != ROLE_GATEWAY || !ids_is_conversation(request->room))
        return RULE_UNKNOWN;
    return RULE_ANYONE;
}

static void wait_for_rights(broker_core_t *self, peer_t *peer, const envelope_t *request,
                            int64_t now_ms) {
    err_t err = rights_wait(self->rights, peer, request, false, now_ms);
    if (err)
        core_answer_busy(self, peer, request,
                         err == ERR_LIMIT ? BUSY_GROUP_WAITING : BUSY_READ_JOBS);
}

void core_on_request(broker_core_t *self, peer_t *peer, const envelope_t *envelope,
                     int64_t now_ms) {
    rule_t rule = kind_of(envelope->type).rule;
    if (envelope->type == MSG_HISTORY)
        rule = rule_of_history(self, peer, envelope);
    bool needs_session = envelope->type == MSG_JOIN || envelope->type == MSG_TYPING;
    if (rule == RULE_UNKNOWN || (needs_session && envelope->session == 0)) {
        core_refuse(self, peer, envelope, "malformed request");
        return;
    }
    switch (check_rule(self, rule, envelope)) {
    case RIGHTS_ALLOWED:
        perform(self, peer, envelope, now_ms);
        return;
    case RIGHTS_FORBIDDEN:
        core_answer_error(self, peer, envelope, CODE_FORBIDDEN, not_participant);
        return;
    case RIGHTS_INVALID:
        core_answer_error(self, peer, envelope, CODE_INVALID_PAYLOAD, "malformed conversation id");
        return;
    case RIGHTS_WAIT:
        wait_for_rights(self, peer, envelope, now_ms);
        return;
    }
}

bool core_load_group(void *ctx, str_t room, int64_t now_ms) {
    broker_core_t *self = ctx;
    envelope_t load = {
        .type = MSG_LOAD_GROUP, .room = room, .deadline_ms = self->config.group_load_timeout_ms};
    strbuf_clear(&self->body);
    proto_load_group_encode(&(proto_load_group_t){0}, &self->body);
    load.body = strbuf_str(&self->body);
    return jobs_add(self->jobs, JOB_READ, NULL, &load, now_ms) != 0;
}

void core_rights_decided(void *ctx, peer_t *peer, const envelope_t *request,
                         rights_decision_t decision, int64_t now_ms) {
    broker_core_t *self = ctx;
    if (request->type == MSG_REJOIN)
        core_rejoin_decided(self, peer, request, decision);
    else if (decision == RIGHTS_DECIDED_ALLOWED)
        perform(self, peer, request, now_ms);
    else if (decision == RIGHTS_DECIDED_FORBIDDEN)
        core_answer_error(self, peer, request, CODE_FORBIDDEN, not_participant);
    else if (decision == RIGHTS_DECIDED_NOT)
        core_answer_busy(self, peer, request, BUSY_MEMBERS);
}

/* ---- membership without a job ---- */

void core_on_leave(broker_core_t *self, peer_t *peer, const envelope_t *envelope, int64_t now_ms) {
    room_t *room = rooms_find(self->rooms, envelope->room);
    membership_t *membership =
        room ? rooms_member(self->rooms, room, peer, envelope->session) : NULL;
    typing_entry_t *typing = room ? typing_find(self->typing, room, peer, envelope->session) : NULL;
    envelope_t join = {.type = MSG_JOIN, .room = envelope->room, .session = envelope->session};
    /* One that still waits for its rights must not begin what ends here. */
    rights_cancel(self->rights, peer, &join, now_ms);
    if (room)
        core_hold_leave(room, peer, envelope->session);
    if (membership)
        core_leave(self, membership, now_ms);
    else if (typing)
        core_end_typing(self, typing);
    core_answer_done(self, peer, envelope);
}

void core_on_subscribe(broker_core_t *self, peer_t *peer, const envelope_t *envelope) {
    rooms_join_t join = {
        .room = envelope->room, .user = envelope->user, .session = envelope->session};
    if (check_rule(self, RULE_SELF, envelope) != RIGHTS_ALLOWED || envelope->session == 0) {
        core_refuse(self, peer, envelope, "SUBSCRIBE to a room that isn't the user's own");
        return;
    }
    membership_t *membership;
    bool created;
    if (rooms_join(self->rooms, peer, &join, &membership, &created) != OK) {
        self->ops->refused(self->ctx, peer->link, envelope, "too many rooms or memberships");
        core_answer_busy(self, peer, envelope, BUSY_ROOMS);
        return;
    }
    if (created)
        presence_socket_came(self->presence, membership->user);
    core_answer_done(self, peer, envelope);
}
