/* Who is online: counts each user's sockets over all gateways and tells the gateways that watch.
 *
 * A user is offline `grace_ms` after the last socket went, and never before `settle_ms` after the
 * broker's start: until then gateways are still telling what they have. A user who is watched and
 * unknown in that time counts as offline without a time last seen; if no socket comes, that is said
 * again at its end, as a gateway may still hold the state from before. */
#pragma once

#include "broker/users.h"
#include "common/deadline.h"

typedef struct peer peer_t;
typedef struct watch watch_t;

/* One gateway's interest in one user. */
struct watch {
    user_presence_t *presence;
    peer_t *peer;
    watch_t *prev, *next;           /* in presence->watches */
    watch_t *peer_prev, *peer_next; /* in peer->watches */
    bool is_owed;                   /* the gateway wasn't told of the last change */
    watch_t *owed_prev, *owed_next; /* in self->owed */
};

/* What gateways are told. */
typedef struct {
    bool online;
    int64_t last_seen_ms; /* Unix; 0: not known here */
} presence_state_t;

typedef struct {
    int64_t grace_ms;
    int64_t settle_ms;
    size_t max_watches_per_gateway;
    size_t max_unwritten; /* users whose time last seen waits to be stored; the oldest is dropped */
} presence_limits_t;

/* A watched user came or went. False: the watcher can't be told now; presence_pay() tries again. */
typedef bool (*presence_changed_fn)(void *ctx, peer_t *watcher, const user_t *user,
                                    presence_state_t state);

typedef struct presence presence_t;

/* `users` is borrowed. now_ms: the broker's start. */
presence_t *presence_new(const presence_limits_t *limits, users_t *users, int64_t now_ms);
/* Asserts that no socket and no watch is left; drops what waits to be stored. */
void presence_free(presence_t **self);
void presence_on_change(presence_t *self, presence_changed_fn changed, void *ctx);

/* A socket of the user is there, or has gone (unix_ms: when). */
void presence_socket_came(presence_t *self, user_t *user);
void presence_socket_went(presence_t *self, user_t *user, int64_t now_ms, int64_t unix_ms);

/* Subscribes a gateway to a user and says the present state; a second time does no harm.
 * ERR_LIMIT: the gateway watches too many. */
err_t presence_watch(presence_t *self, peer_t *peer, str_t user, int64_t now_ms,
                     presence_state_t *state_out) MUST_CHECK;
void presence_unwatch(presence_t *self, peer_t *peer, str_t user);
void presence_unwatch_all(presence_t *self, peer_t *peer);

/* Says who is offline by now. */
void presence_tick(presence_t *self, int64_t now_ms);
/* Tells up to `max` of the watchers that could not be told before how things stand now. */
void presence_pay(presence_t *self, size_t max);

/* Takes up to `max` users out of those whose time last seen waits to be stored: calls `take` with
 * each, oldest first. */
typedef void (*presence_take_fn)(void *ctx, str_t user, int64_t last_seen_ms);
void presence_take_unwritten(presence_t *self, size_t max, presence_take_fn take, void *ctx);

size_t presence_online(const presence_t *self);
size_t presence_watches(const presence_t *self);
size_t presence_unwritten(const presence_t *self);
size_t presence_owed(const presence_t *self);      /* watches whose watcher wasn't told */
uint64_t presence_dropped(const presence_t *self); /* times last seen that were never stored */
