/* What PostgreSQL holds, and what it guarantees of it: changes are atomic and in one order, a
 * client id is unique, seqs have no hole, members_version counts changes of members. */
#pragma once

#include "common/strbuf.h"
#include "world.h"

enum { STORE_USERS_MAX = 6, STORE_ROOMS_MAX = 4, STORE_TEXT_BYTES = 32 };

typedef struct {
    uint64_t seq;
    uint64_t order; /* among all changes of the store */
    size_t sender;
    int64_t at_ms;
    char client_id[STORE_TEXT_BYTES];
    char text[STORE_TEXT_BYTES];
    char socket_id[STORE_TEXT_BYTES]; /* of the socket whose request made it */
} store_message_t;

typedef struct {
    char id[64];
    bool is_group;
    bool exists;
    size_t creator;
    bool members[STORE_USERS_MAX];
    uint64_t members_version;
    uint64_t read_seqs[STORE_USERS_MAX];
    int64_t changed_at_ms[STORE_USERS_MAX]; /* last added or removed then; 0: never */
    /* The order of the newest change that happened before a removal was acknowledged; 0: none. */
    uint64_t removed_by[STORE_USERS_MAX];
    bool was_member[STORE_USERS_MAX];  /* ever */
    bool was_removed[STORE_USERS_MAX]; /* ever: news of it may come after he was added again */
    bool was_refused[STORE_USERS_MAX]; /* a request was answered with an error, read or lost */
    store_message_t *messages;
    size_t head; /* … of them; the highest seq */
    size_t capacity;
} store_room_t;

typedef struct {
    world_t *world;
    uint64_t order; /* counts changes */
    size_t user_count;
    bool users[STORE_USERS_MAX]; /* who is known */
    size_t room_count;
    store_room_t rooms[STORE_ROOMS_MAX];
} store_t;

void store_init(store_t *self, world_t *world, size_t users);
void store_fini(store_t *self);

/* Users are called "1", "2", …; the place of one in the lists above, users_max when unknown. */
size_t store_user_of(str_t id);
void store_append_user(strbuf_t *out, size_t user);

/* Direct conversations are there before their row is: they are made by the first message. */
store_room_t *store_add_direct(store_t *self, size_t first, size_t second);
store_room_t *store_add_group(store_t *self, unsigned number, size_t creator);
/* NULL when it isn't one of the simulation's. */
store_room_t *store_room(store_t *self, str_t id);

typedef enum {
    STORE_NEW,
    STORE_UNCHANGED,
    STORE_NO_CONVERSATION,
    STORE_NOT_PARTICIPANT,
} store_outcome_t;

typedef struct {
    str_t room, user, client_id, text, socket_id;
} store_send_t;
store_outcome_t store_send(store_t *self, const store_send_t *send, uint64_t *seq_out);
/* seq 0: the head. */
store_outcome_t store_mark_read(store_t *self, str_t room, str_t user, uint64_t seq,
                                uint64_t *mark_out);

typedef struct {
    bool forbidden;
    uint64_t version;
} store_change_t;
store_change_t store_add_member(store_t *self, str_t room, str_t caller, str_t user);
store_change_t store_remove_member(store_t *self, str_t room, str_t caller, str_t user);
/* News of what has happened so far may be lost: who waits for it isn't promised any. */
void store_forget_news(store_t *self);
/* Whoever asked for the removal knows now that it is done. */
void store_removal_acknowledged(store_t *self, store_room_t *room, size_t user);

/* A request of the user's was refused, whether or not the refusal arrives. */
void store_note_refusal(store_t *self, str_t room, str_t user);

/* May this user have the message? */
bool store_may_have(const store_room_t *room, size_t user, uint64_t seq);
const store_message_t *store_message(const store_room_t *room, uint64_t seq);
