/* What one client has seen of one conversation, and whether that is what it was promised: each
 * message once, in order, without a hole. */
#pragma once

#include "store.h"

enum { VIEW_OWN_MAX = 64 };

typedef enum { TOLD_NOTHING, TOLD_ADDED, TOLD_REMOVED } view_told_t;

typedef struct {
    bool wanted;      /* the client would be in the room */
    bool joined;      /* its present socket is, as far as the client knows */
    bool may_hear;    /* its present socket was once: something may still come */
    bool unsure;      /* a join of its present socket failed: it may be in the room, or not */
    bool loose;       /* … and then one without `after` went well: where it goes on isn't known */
    view_told_t told; /* the latest that its present socket was told of its user's membership */
    int64_t forbidden_at_ms;    /* a request of its present socket was, last; 0: none */
    bool has_last;              /* it has been joined before, and follows on from `last` */
    uint64_t last;              /* everything up to here was seen */
    uint64_t own[VIEW_OWN_MAX]; /* acknowledged messages of its present socket above `last` */
    size_t own_count;
} view_t;

/* Whose view it is, for checks and for what is told of their failure. */
typedef struct {
    world_t *world;
    const store_room_t *room;
    size_t user;
    const char *client;
} view_owner_t;

/* A new socket: nothing is joined. */
void view_reset(view_t *self);
/* An ok join: `after` (as asked for; has_after) was followed by seqs first to first + n − 1. */
typedef struct {
    bool has_after;
    uint64_t after;
    uint64_t head;
    size_t n;
} view_joined_t;
void view_joined(view_t *self, const view_owner_t *owner, const view_joined_t *joined);
/* A join was answered with an error. */
void view_refused(view_t *self);
/* A new_message. */
void view_message(view_t *self, const view_owner_t *owner, uint64_t seq);
/* The client's own message was acknowledged. */
void view_own(view_t *self, const view_owner_t *owner, uint64_t seq);
