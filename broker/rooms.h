/* Which session, on which gateway, is in which room.
 *
 * One record for each room, one for each gateway that has members in it (what a fan-out walks), and
 * one small one for each membership. All are linked into each other, so that joining, leaving and a
 * gateway's end cost no search. */
#pragma once

#include "broker/users.h"
#include "common/ids.h"
#include "proto/envelope.h"

typedef struct peer peer_t;
typedef struct room room_t;
typedef struct room_gateway room_gateway_t;
typedef struct membership membership_t;
typedef struct typing_entry typing_entry_t;
typedef struct rejoin_hold rejoin_hold_t;

struct membership {
    membership_t *next_in_bucket; /* (room, peer, session) => membership */
    membership_t *prev, *next;    /* in gateway->members */
    room_gateway_t *gateway;
    user_t *user;
    uint64_t session;
    uint64_t join_job; /* the job of the latest JOIN, 0 after REJOIN and SUBSCRIBE */
};

/* One gateway's members of one room; there is at least one. */
struct room_gateway {
    room_t *room;
    peer_t *peer;
    membership_t *members;
    room_gateway_t *prev, *next;           /* in room->gateways */
    room_gateway_t *peer_prev, *peer_next; /* in peer->rooms */
};

/* Lives while it has members, typing indicators or waiting rejoins; rooms_collect(). */
struct room {
    UT_hash_handle hh; /* name => room */
    room_gateway_t *gateways;
    typing_entry_t *typing;
    rejoin_hold_t *hold; /* rejoins of this room wait for its group's members; rejoin.c */
    uint64_t fanned_out; /* highest seq fanned out since the room is here */
    ids_kind_t kind;
    uint8_t name_bytes;
    char name[];
};

typedef struct {
    size_t max_rooms;
    size_t max_memberships_per_gateway;
} rooms_limits_t;

typedef struct rooms rooms_t;

/* `users` is borrowed. */
rooms_t *rooms_new(const rooms_limits_t *limits, users_t *users);
/* Asserts that everybody has left. */
void rooms_free(rooms_t **self);

room_t *rooms_find(const rooms_t *self, str_t name);
/* The room, made when there is none; NULL when there are max_rooms. Whoever makes one and puts
 * nothing in it calls rooms_collect(). */
room_t *rooms_get(rooms_t *self, str_t name);
/* Frees the room when nothing keeps it. */
void rooms_collect(rooms_t *self, room_t *room);

typedef struct {
    str_t room;
    str_t user;
    uint64_t session;
} rooms_join_t;

/* Puts a session into a room; *membership_out is the one it has now or had already (*created_out
 * says which). ERR_LIMIT: too many rooms or memberships of this gateway. ERR_EXISTS: the session is
 * there as another user. */
err_t rooms_join(rooms_t *self, peer_t *peer, const rooms_join_t *join,
                 membership_t **membership_out, bool *created_out) MUST_CHECK;
/* Ends a membership, and its room when it was the last. */
void rooms_leave(rooms_t *self, membership_t *membership);
/* NULL when the session isn't in the room. */
membership_t *rooms_member(const rooms_t *self, const room_t *room, const peer_t *peer,
                           uint64_t session);

size_t rooms_count(const rooms_t *self);
size_t rooms_memberships(const rooms_t *self);
/* Appends a line per room and membership, in the order they came, for tests. */
void rooms_dump(const rooms_t *self, strbuf_t *out);

static inline str_t room_name(const room_t *room) {
    return (str_t){room->name, room->name_bytes};
}
