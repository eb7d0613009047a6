/* What the parts of the broker's core share; nobody else includes it. */
#pragma once

#include "broker/broker_core.h"
#include "broker/fanout.h"

struct broker_core {
    broker_core_config_t config;
    const broker_core_ops_t *ops;
    void *ctx;
    int64_t unix_offset_ms; /* wall clock − monotonic clock, as of the last tick */
    users_t *users;
    rooms_t *rooms;
    peers_t *peers;
    typing_t *typing;
    presence_t *presence;
    rights_t *rights;
    jobs_t *jobs;
    user_events_t *user_events;
    fanout_sink_t sink;
    fanout_sink_t hint_sink; /* leaves out who is behind */
    proto_arena_t *arena;    /* of the message being handled */
    strbuf_t body;           /* of the envelope being sent */
    uint64_t last_seen_job;  /* the LAST_SEEN under way, 0 for none */
    int64_t last_seen_due_ms;
    size_t held_bytes; /* of rejoin_hold_t.newest */
    broker_core_stats_t stats;
};

/* ---- sending (broker_core.c) ---- */

/* Nothing is sent to a peer that is going down. */
void core_send(broker_core_t *self, peer_t *peer, const envelope_t *envelope);
/* Answers a request, if it wants an answer, with its room, user, session and trace. */
void core_answer(broker_core_t *self, peer_t *peer, const envelope_t *request, uint16_t type,
                 str_t body);
void core_answer_done(broker_core_t *self, peer_t *peer, const envelope_t *request);
/* Answers with ERROR and counts it. `message` is static text that clients see. */
void core_answer_error(broker_core_t *self, peer_t *peer, const envelope_t *request, code_t code,
                       const char *message);
/* The same with `unavailable` and a time to try again. */
void core_answer_busy(broker_core_t *self, peer_t *peer, const envelope_t *request,
                      broker_busy_t reason);
/* Writes fill more than half of their queue: hints are left out, so that messages have the rest. */
bool core_sheds_hints(const broker_core_t *self);
/* The peer sent what makes no sense: answers invalid_payload and reports it for the log. */
void core_refuse(broker_core_t *self, peer_t *peer, const envelope_t *request, const char *what);
/* Whether all of them are spelled as user ids are. */
bool core_are_users(const proto_texts_t *users);
/* Fans out, and counts it. */
void core_fanout(broker_core_t *self, const room_t *room, const envelope_t *envelope,
                 const fanout_cause_t *cause);

/* ---- membership and typing (broker_core.c) ---- */

/* Ends a membership with all that depends on it. */
void core_leave(broker_core_t *self, membership_t *membership, int64_t now_ms);
/* Says TYPING_EVENT to the room. */
void core_typing_event(broker_core_t *self, const room_t *room, str_t user,
                       const fanout_cause_t *cause, bool on);
/* Ends an indicator and says so, unless the user types there in another session too. */
void core_end_typing(broker_core_t *self, typing_entry_t *entry);

/* ---- requests.c ---- */
void core_on_request(broker_core_t *self, peer_t *peer, const envelope_t *envelope, int64_t now_ms);
void core_on_leave(broker_core_t *self, peer_t *peer, const envelope_t *envelope, int64_t now_ms);
void core_on_subscribe(broker_core_t *self, peer_t *peer, const envelope_t *envelope);
/* rights_ops_t */
bool core_load_group(void *ctx, str_t room, int64_t now_ms);
void core_rights_decided(void *ctx, peer_t *peer, const envelope_t *request,
                         rights_decision_t decision, int64_t now_ms);

/* ---- rejoin.c ---- */
void core_on_rejoin(broker_core_t *self, peer_t *peer, const envelope_t *envelope, int64_t now_ms);
void core_rejoin_decided(broker_core_t *self, peer_t *peer, const envelope_t *request,
                         rights_decision_t decision);
/* Keeps a message that is fanned out for the gateways whose rejoin of the room still waits. */
void core_hold_message(broker_core_t *self, room_t *room, const envelope_t *new_message);
/* A session has left the room: a rejoin that waits must not put it back. */
void core_hold_leave(room_t *room, const peer_t *peer, uint64_t session);

/* ---- results.c ---- */
void core_on_reply(broker_core_t *self, peer_t *worker, const envelope_t *envelope, int64_t now_ms);
void core_on_stored(broker_core_t *self, peer_t *worker, const envelope_t *envelope,
                    int64_t now_ms);
void core_on_read_marked(broker_core_t *self, peer_t *worker, const envelope_t *envelope,
                         int64_t now_ms);
void core_on_members_changed(broker_core_t *self, peer_t *worker, const envelope_t *envelope,
                             int64_t now_ms);
void core_on_user_event(broker_core_t *self, peer_t *worker, const envelope_t *envelope,
                        int64_t now_ms);
/* jobs_ops_t */
void core_job_expired(void *ctx, const job_t *job, int64_t now_ms);

/* ---- watching.c ---- */
void core_on_watch(broker_core_t *self, peer_t *peer, const envelope_t *envelope, int64_t now_ms);
void core_on_unwatch(broker_core_t *self, peer_t *peer, const envelope_t *envelope);
/* presence_changed_fn */
bool core_presence_changed(void *ctx, peer_t *watcher, const user_t *user, presence_state_t state);
/* Gives a batch of times last seen to a worker, at most one batch a second and one at a time. */
void core_store_last_seen(broker_core_t *self, int64_t now_ms);
