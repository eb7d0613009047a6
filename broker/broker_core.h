/* The broker: rooms, rights, typing, presence and work queues behind one set of events. Pure:
 * peers, envelopes and time in, effects out through broker_core_ops_t.
 *
 * Reading order: broker_core.c (events, and what a peer's end means), requests.c (what gateways and
 * rest ask), results.c (what workers answer), rejoin.c (memberships after a resync), watching.c
 * (presence). The modules below know nothing of each other's rules. */
#pragma once

#include "broker/jobs.h"
#include "broker/peers.h"
#include "broker/presence.h"
#include "broker/rights.h"
#include "broker/rooms.h"
#include "broker/typing.h"
#include "broker/user_events.h"

typedef enum {
    JOB_OUTCOME_OK,
    JOB_OUTCOME_ERROR,   /* the worker answered with an error */
    JOB_OUTCOME_EXPIRED, /* the deadline passed */
    JOB_OUTCOME_REFUSED, /* the queue was full */
    JOB_OUTCOMES,
} job_outcome_t;

typedef struct {
    /* Sends to a peer. When that fails the peer's link is over: broker_core_peer_down() follows
     * later, never from within. */
    void (*send)(void *ctx, void *link, const envelope_t *envelope);
    /* A job has ended, for statistics. */
    void (*job_ended)(void *ctx, job_class_t class, job_outcome_t outcome, int64_t took_ms);
    /* A peer's envelope was not acceptable, for the log; `what` is static text. */
    void (*refused)(void *ctx, void *link, const envelope_t *envelope, const char *what);
    /* The peer is behind with reading: it gets no hints. */
    bool (*is_behind)(void *ctx, void *link);
} broker_core_ops_t;

/* Why the broker answers `unavailable`: the bound that was reached, or the time that was over. */
#define BROKER_BUSY_REASONS(X)                                                                     \
    X(WRITE_JOBS, "write_jobs") /* in the order of job_class_t */                                  \
    X(READ_JOBS, "read_jobs")                                                                      \
    X(AUTH_JOBS, "auth_jobs")                                                                      \
    X(DEADLINE, "deadline")           /* no worker has answered in time */                         \
    X(GROUP_WAITING, "group_waiting") /* requests that wait for member lists */                    \
    X(MEMBERS, "members_unknown")     /* a member list could not be loaded */                      \
    X(ROOMS, "rooms")                 /* rooms, or memberships of one gateway */                   \
    X(WATCHES, "watches")             /* users that one gateway watches */                         \
    X(TYPING, "typing")               /* indicators */                                             \
    X(HINT, "hint")                   /* typing, while writes queue up */
typedef enum {
#define X(NAME, name) BUSY_##NAME,
    BROKER_BUSY_REASONS(X)
#undef X
        BUSY_REASONS
} broker_busy_t;

typedef struct {
    uint64_t epoch; /* the broker's incarnation */
    rooms_limits_t rooms;
    typing_limits_t typing;
    presence_limits_t presence;
    rights_limits_t rights;
    jobs_limits_t jobs;
    user_events_limits_t user_events;
    uint32_t group_load_timeout_ms;
    uint32_t retry_after_ms; /* said with `unavailable` */
    size_t max_held_bytes;   /* of messages kept for rejoins that wait */
} broker_core_config_t;

typedef struct {
    uint64_t fanouts;                   /* events fanned out */
    uint64_t fanout_envelopes;          /* … and envelopes sent for them, one a gateway */
    uint64_t rights_refused;            /* requests answered forbidden */
    uint64_t invalid;                   /* requests answered invalid_payload */
    uint64_t unavailable[BUSY_REASONS]; /* requests answered unavailable */
    uint64_t hints_shed;                /* envelopes about typing that were left out */
    uint64_t facts;                     /* facts confirmed to workers */
    uint64_t rejoins_refused;           /* sessions that may no longer be in a room */
    uint64_t last_seen_lost;            /* batches of times last seen that were not stored */
} broker_core_stats_t;

typedef struct {
    role_t role;
    void *link; /* handed back with every effect */
    uint16_t write_credit;
    uint16_t read_credit;
} broker_core_peer_t;

typedef struct broker_core broker_core_t;

/* `ops` is borrowed. */
broker_core_t *broker_core_new(const broker_core_config_t *config, const broker_core_ops_t *ops,
                               void *ctx, int64_t now_ms, int64_t unix_ms);
/* Takes all remaining peers down without effects, then asserts that nothing is left of them. */
void broker_core_free(broker_core_t **self);

/* A peer is there; it says all of its state anew. The result lives until broker_core_peer_down().
 */
peer_t *broker_core_peer_up(broker_core_t *self, const broker_core_peer_t *peer, int64_t now_ms);
void broker_core_peer_down(broker_core_t *self, peer_t *peer, int64_t now_ms);
/* An envelope from a peer whose role may send it (messages.def). */
void broker_core_deliver(broker_core_t *self, peer_t *peer, const envelope_t *envelope,
                         int64_t now_ms);
/* Runs what is due; call at least every 100 ms. */
void broker_core_tick(broker_core_t *self, int64_t now_ms, int64_t unix_ms);

/* ---- for metrics and tests ---- */
const broker_core_stats_t *broker_core_stats(const broker_core_t *self);
const peers_t *broker_core_peers(const broker_core_t *self);
const rooms_t *broker_core_rooms(const broker_core_t *self);
const typing_t *broker_core_typing(const broker_core_t *self);
const presence_t *broker_core_presence(const broker_core_t *self);
const rights_t *broker_core_rights(const broker_core_t *self);
const jobs_t *broker_core_jobs(const broker_core_t *self);
const user_events_t *broker_core_user_events(const broker_core_t *self);
const users_t *broker_core_users(const broker_core_t *self);
size_t broker_core_held_bytes(const broker_core_t *self); /* bounded by max_held_bytes */
