/* What the files of the gateway's core share; nobody else includes it. */
#pragma once

#include "common/ids.h"
#include "gateway/events.h"
#include "gateway/gateway_core.h"
#include "gateway/gateway_metrics.h"
#include "gateway/presence_local.h"
#include "gateway/recovery_offset.h"
#include "gateway/replies.h"

typedef struct core_connect core_connect_t;
typedef struct core_request core_request_t;
typedef struct core_room_request core_room_request_t;

/* A request that a broker has not answered yet; the first member of each kind's own struct. */
struct core_request {
    gateway_core_t *core;
    size_t broker;
    uint64_t id;                 /* at the bus; 0: not asked, or answered */
    core_request_t *prev, *next; /* in core->requests, while asked */
};

/* A request about rooms, each of them held until it is answered. */
struct core_room_request {
    core_request_t request;
    core_room_request_t *prev, *next; /* in core->room_requests */
    uint8_t user_bytes;               /* REJOIN of a user's own room: whose */
    char user[IDS_USER_MAX];
    size_t room_count;
    room_t *rooms[];
};

/* A link to a broker. */
typedef struct {
    gateway_core_t *core;
    size_t broker;
    bool up;
    size_t writes;        /* messages and read marks that are not answered */
    bool users_stale;     /* a REJOIN of a user's own room failed: all of them again */
    unsigned rounds_left; /* times that heads are still to be compared */
    uint32_t pause_ms;    /* before the next try when one failed; 0: none did */
    deadline_t next_round;
} core_link_t;

struct gateway_core {
    gateway_core_config_t config;
    const gateway_ops_t *ops;
    void *ctx;
    sessions_t *sessions;
    rooms_t *rooms;
    presence_t *presence;
    core_link_t links[BROKERS_MAX];
    core_request_t *requests; /* unanswered ones */
    core_room_request_t *room_requests;
    core_connect_t *connects; /* tokens being checked */
    size_t connect_count;
    recovery_t *recoveries;     /* sessions being recovered */
    recovery_t *recoveries_due; /* … of which all is known: ended by the next flush */
    session_t *positions_due;
    join_t *joins_due;                        /* answered by the next flush */
    uint64_t left[GATEWAY_RECOVERY_LEFT_MAX]; /* digests of sids, a ring */
    size_t left_next;
    strbuf_t offset;
    size_t request_count;
    uint64_t last_client_id;
    char client_id[EVENTS_CLIENT_ID_MAX];
    uint64_t last_told; /* numbers presence changes */
    char *generation;   /* of the database; NULL: not known yet */
    bool draining;
    room_t **ready; /* rooms, each held, whose participants' presence became known */
    size_t ready_count, ready_capacity;
    size_t waiting_bytes; /* of joins' answers that wait for presence */
    deadline_heap_t session_deadlines;
    deadline_heap_t link_deadlines;
    deadline_heap_t join_deadlines;
    deadline_heap_t recovery_deadlines;
    proto_arena_t *arena;      /* of the envelope being handled */
    proto_arena_t *join_arena; /* of a join's answer, which may be composed meanwhile */
    strbuf_t body;             /* of the envelope being made */
    strbuf_t text;             /* JSON being made */
    strbuf_t participants;
    strbuf_t name; /* a room's */
};

/* ---- gateway_core.c ---- */

static inline int64_t core_now(const gateway_core_t *self) {
    return self->ops->now_ms(self->ctx);
}

static inline void core_count(gateway_core_t *self, metric_t metric, size_t series) {
    metrics_increment(self->config.metrics, metric, series);
}

/* Sends an event to one socket. */
void core_emit(gateway_core_t *self, session_t *session, str_t event, str_t args);
/* The same for one that is replayed to who misses it: it carries the session's offset. */
void core_emit_lasting(gateway_core_t *self, session_t *session, str_t event, str_t args);
void core_send_lasting(gateway_core_t *self, session_t *session, void *packet);
void core_close(gateway_core_t *self, session_t *session, gateway_close_t reason);
/* The name user_{id}, in self->name until the next call. */
str_t core_user_room(gateway_core_t *self, str_t user_id);
/* An envelope of `type` for `room` with self->body, on behalf of the session's user. */
envelope_t core_envelope(const gateway_core_t *self, uint16_t type, str_t room,
                         const session_t *session);
/* The broker for requests that belong to no room: the first that is up. */
size_t core_any_broker(const gateway_core_t *self);

typedef struct {
    size_t broker;
    uint32_t timeout_ms;
    bool link_bound;
    const envelope_t *envelope;
    dialer_reply_fn on_reply; /* its arg is the request; calls core_request_end() first */
} core_asking_t;
/* Makes the request. False when the bus takes no more: on_reply will not be called. */
bool core_request(gateway_core_t *self, core_request_t *request, const core_asking_t *asking);
/* It was answered. */
void core_request_end(core_request_t *request);
/* Makes the bus forget it, if it is unanswered. */
void core_request_cancel(core_request_t *request);

/* A failed request, as the client is told. `message` is the core's or static. */
typedef struct {
    code_t code;
    str_t message;
    uint64_t retry_after_ms;
} core_failure_t;

/* True if the request ended well, with an answer of type `type`; else *failure_out says how it
 * failed (its message lives as long as `reply`). */
bool core_reply_ok(gateway_core_t *self, err_t err, const envelope_t *reply, uint16_t type,
                   core_failure_t *failure_out);
core_failure_t core_failure(code_t code, const char *message);
/* `unavailable`, counted by the bound that was reached. */
core_failure_t core_busy(gateway_core_t *self, busy_reason_t reason);
/* Checks the database's generation; closes everybody's transport when it has changed. */
void core_check_generation(gateway_core_t *self, str_t generation);

/* ---- core_calls.c ---- */

/* An event that waits for its answer. */
typedef struct {
    session_t *session; /* NULL: it has gone */
    event_kind_t kind;
    str_t name; /* the event's, as the client called it */
    gateway_ack_t *ack;
} core_question_t;
/* Answers with these arguments, if there is a callback. Clears the ack. */
void core_answer(gateway_core_t *self, const core_question_t *question, str_t args);
/* Answers with an error, or emits `error` if there is no callback. Clears the ack. */
void core_fail(gateway_core_t *self, const core_question_t *question,
               const core_failure_t *failure);
/* The session has gone: its unanswered calls lose it. */
void core_calls_abandon(gateway_core_t *self, session_t *session);
/* rooms_ops_t.claim */
bool core_calls_claim(void *ctx, member_t *member, const room_message_t *message);

/* ---- core_join.c ---- */

void core_join_event(gateway_core_t *self, session_t *session, const event_payload_t *payload,
                     gateway_ack_t *ack);
void core_leave_event(gateway_core_t *self, session_t *session, const event_payload_t *payload,
                      gateway_ack_t *ack);
/* The member leaves: its unanswered joins fail so, the broker is told, the membership ends. */
void core_leave(gateway_core_t *self, member_t *member, const core_failure_t *why);
/* Answers the joins that waited for the presence of rooms that have become ready. */
void core_join_finish_ready(gateway_core_t *self);
/* presence_ops_t.known */
void core_join_presence_known(void *ctx, room_t *room);
void core_join_tick(gateway_core_t *self, int64_t now_ms);
/* Whether one of the member's joins waits for its broker. */
bool core_join_is_asked(const member_t *member);
/* Answers what the last turn brought; sessions' positions must go out in between. */
void core_join_flush(gateway_core_t *self);

/* A join that recovers a membership: nobody asked, and nobody is answered. False: it can't be. */
bool core_join_recover(gateway_core_t *self, session_t *session, const recovery_room_t *room);
/* The broker's answer to it, a CONVERSATION's body; valid until the member's next change. */
str_t core_join_recovered(const member_t *member);
/* Its messages have been passed on: the member turns live. */
void core_join_settle(member_t *member, const proto_conversation_t *conversation);

/* ---- core_delivery.c ---- */

extern const rooms_ops_t core_rooms_ops;
extern const presence_ops_t core_presence_ops;

core_room_request_t *core_room_request_new(gateway_core_t *self, room_t *const *rooms, size_t n);
/* It was answered or not made: lets go of the rooms and frees it. */
void core_room_request_end(core_room_request_t *request);

/* A message for whom it is the next one. */
void core_pass_message(gateway_core_t *self, room_t *room, room_message_t *message);

/* An event for the live members of a room. */
typedef struct {
    str_t event;
    str_t args;
    uint64_t except;  /* a session's number, 0: none */
    uint64_t read_ms; /* of a read mark that the event tells of, 0: of none */
    event_out_t metric;
    trace_t trace;
    bool is_hint; /* left out for those who don't read fast enough */
} core_fan_out_t;
void core_fan_out(gateway_core_t *self, const room_t *room, const core_fan_out_t *what);
/* The present presence of all who share a conversation with the session, as far as it is known. */
void core_presence_tell_all(gateway_core_t *self, session_t *session);
/* conversation_removed */
void core_emit_removed(gateway_core_t *self, session_t *session, const room_t *room);

/* ---- core_link.c ---- */

void core_link_tick(gateway_core_t *self, int64_t now_ms);
/* Tells the room's broker of its members here; they get nothing until it has confirmed them. */
void core_link_rejoin(gateway_core_t *self, room_t *room);

/* ---- core_membership.c: EXPEL and USER_EVENT ---- */

err_t core_on_expel(gateway_core_t *self, const envelope_t *envelope);
err_t core_on_user_event(gateway_core_t *self, const envelope_t *envelope);

/* ---- core_connect.c ---- */

typedef struct {
    str_t token;
    trace_t trace;
    dialer_reply_fn on_reply;
} core_verification_t;
/* Asks an auth-worker whose token this is; answered by IDENTITY. As core_request(). */
bool core_connect_verify(gateway_core_t *self, core_request_t *request,
                         const core_verification_t *verification);
/* The session's user has a newer token, as `reply` (IDENTITY) says. CODE_OK, or why it doesn't
 * count. */
core_failure_t core_connect_refreshed(gateway_core_t *self, session_t *session,
                                      const envelope_t *reply);
/* Answers those that wait to be let in: try again elsewhere. */
void core_connect_refuse_all(gateway_core_t *self);
/* Has the socket of `connect` let in with a new session id. False: the client has gone. */
bool core_connect_accept(gateway_core_t *self, session_t *session, void *connect);
/* The client tries again by itself. */
void core_connect_turn_away(gateway_core_t *self, void *connect);

/* ---- core_recovery.c ---- */

/* What a client showed of the session that it wants to go on with. */
typedef struct {
    str_t pid;
    recovery_identity_t identity; /* borrows from …_check()'s `plain` */
    recovery_offset_t offset;
} recovery_claim_t;
/* Whether the session of claim->pid may go on, as far as can be told at once. */
bool core_recovery_check(gateway_core_t *self, str_t user_id, str_t offset, strbuf_t *plain,
                         recovery_claim_t *claim);
/* Takes over the session, which has no socket yet, and `connect`. */
void core_recovery_start(gateway_core_t *self, session_t *session, void *connect,
                         const recovery_claim_t *claim);
/* One of its joins was answered well, with `reply`. */
void core_recovery_joined(recovery_t *recovery, const proto_conversation_t *conversation,
                          size_t bytes);
/* … with an error. */
void core_recovery_refused(recovery_t *recovery, code_t code);
/* An unanswered join was given up. */
void core_recovery_unasked(recovery_t *recovery);
/* Something changed that was read already. */
void core_recovery_changed(recovery_t *recovery, bool membership);
/* The session is to be closed before it was let in. */
void core_recovery_abort(recovery_t *recovery);
/* Forgets about it, and closes its connect. */
void core_recovery_drop(recovery_t *recovery);
void core_recovery_tick(gateway_core_t *self, int64_t now_ms);
void core_recovery_flush(gateway_core_t *self);

/* ---- core_replay.c ---- */

/* All of its joins are answered. */
void core_replay(gateway_core_t *self, session_t *session, const recovery_offset_t *offset,
                 const proto_changed_t *changed);
/* Whether the session was told of this change then. */
bool core_replay_has_told(const session_t *session, const proto_user_event_t *event);

/* ---- core_position.c ---- */

/* Has the client told its position before the turn ends. */
void core_position_due(gateway_core_t *self, session_t *session);
/* Tells it now, if that is due. */
void core_position_tell(gateway_core_t *self, session_t *session);
void core_position_flush(gateway_core_t *self);
/* The session goes. */
void core_position_forget(gateway_core_t *self, session_t *session);
/* The session's offset as JSON, in self->offset until the next call; empty without recovery. */
str_t core_offset(gateway_core_t *self, const session_t *session);
