/* Who is typing where. An indicator ends by itself TYPING_TIMEOUT after its last refresh; all have
 * the same time, so they stand in one line by age. */
#pragma once

#include "broker/rooms.h"

struct typing_entry {
    struct {
        room_t *room;
        peer_t *peer;
        uint64_t session;
    } key;
    user_t *user;
    int64_t until_ms;
    UT_hash_handle hh;                     /* (room, peer, session) => entry */
    typing_entry_t *prev, *next;           /* all, oldest refresh first */
    typing_entry_t *room_prev, *room_next; /* room->typing */
    typing_entry_t *peer_prev, *peer_next; /* peer->typing */
};

typedef struct {
    size_t max_entries;
    int64_t timeout_ms;
} typing_limits_t;

typedef struct typing typing_t;

/* `users` and `rooms` are borrowed. */
typing_t *typing_new(const typing_limits_t *limits, users_t *users, rooms_t *rooms);
/* Asserts that nobody types. */
void typing_free(typing_t **self);

/* Starts or refreshes an indicator. ERR_LIMIT: there are too many indicators or rooms. ERR_EXISTS:
 * the session types there as another user. */
err_t typing_start(typing_t *self, peer_t *peer, const rooms_join_t *who,
                   int64_t now_ms) MUST_CHECK;
/* NULL when that session doesn't type there. */
typing_entry_t *typing_find(const typing_t *self, const room_t *room, const peer_t *peer,
                            uint64_t session);
/* An indicator of that user in the room, by any session; NULL for none. */
typing_entry_t *typing_of_user(const room_t *room, const user_t *user);
/* Whether its user types in the room in this session alone. */
bool typing_is_last_of_user(const typing_entry_t *entry);
/* An indicator whose time is over, NULL when there is none (any more). */
typing_entry_t *typing_expired(const typing_t *self, int64_t now_ms);
/* Ends an indicator; its room goes when nothing else keeps it. */
void typing_end(typing_t *self, typing_entry_t *entry);

size_t typing_count(const typing_t *self);
