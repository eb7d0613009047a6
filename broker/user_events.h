/* Events for all sockets of one user that must not be lost: somebody added him to a conversation,
 * or removed him.
 *
 * Such an event is told to each gateway with sockets of the user. Once all have confirmed it, the
 * worker that it came from is answered, who tells it to the broker's next life else; but never
 * while the broker may not know of all sockets, which is for settle_ms from its start, and from
 * each gateway's end. Events of the last keep_ms are told again to gateways that say anew what
 * sockets they have, as they may have been frozen or cut off. So a gateway may be told twice, and
 * in another order than things happened: it goes by the event's version. */
#pragma once

#include "broker/peers.h"

enum { USER_EVENTS_KEEP_MS = 60000 }; /* clients give a silent gateway up after some 45 s */

typedef struct {
    size_t max_events; /* over it the oldest that all have confirmed go, … */
    size_t max_bytes;  /* … and without any, new ones are told and not kept */
    int64_t settle_ms;
    int64_t keep_ms;
} user_events_limits_t;

typedef struct {
    /* Sends the event to a gateway; as a request if it has an id. */
    void (*send)(void *ctx, peer_t *gateway, const envelope_t *event);
    /* Everybody has it: the worker need not repeat it. */
    void (*done)(void *ctx, peer_t *worker, const envelope_t *event);
} user_events_ops_t;

typedef struct user_events user_events_t;

/* `ops` is borrowed. now_ms: the broker's start. */
user_events_t *user_events_new(const user_events_limits_t *limits, const user_events_ops_t *ops,
                               void *ctx, int64_t now_ms);
void user_events_free(user_events_t **self);

/* A worker tells an event, as a request. `room` is the user's own, NULL: nobody is in it. */
void user_events_add(user_events_t *self, peer_t *worker, const envelope_t *event,
                     const room_t *room, int64_t now_ms);
/* The gateway has said anew which sockets of this user's it has. */
void user_events_rejoined(user_events_t *self, peer_t *gateway, str_t room);
/* The gateway has answered the request of this id. */
void user_events_confirmed(user_events_t *self, const peer_t *gateway, uint64_t id, int64_t now_ms);
void user_events_peer_down(user_events_t *self, const peer_t *peer, int64_t now_ms);
/* Answers workers, and forgets what is old. */
void user_events_tick(user_events_t *self, int64_t now_ms);

size_t user_events_count(const user_events_t *self);
size_t user_events_bytes(const user_events_t *self);
size_t user_events_unanswered(const user_events_t *self); /* of them: the worker still has them */
uint64_t user_events_unkept(const user_events_t *self);   /* told and not kept */
