/* The conversations that sockets of this gateway have joined, and what each of them has had.
 *
 * For each membership (socket in a conversation) `last` is the highest seq passed on; the promise
 * is that every seq above the one it joined at is passed on once, in order, without a hole. A
 * message that isn't the next one for a member is not passed on: the room remembers how far it
 * has heard, and reads what is missing from the database for all members that lag behind.
 *
 * A member's own message counts as had when its acknowledgement went out. While a JOIN is
 * unanswered, or its rights are not confirmed after a link came up anew, a member gets nothing. */
#pragma once

#include "common/deadline.h"
#include "gateway/sessions.h"

typedef struct room room_t;
typedef struct rooms rooms_t;
typedef struct join join_t;
typedef struct interest interest_t;

enum {
    ROOMS_OWN_MAX = 1024, /* acknowledged messages of its own that a lagging member may have */
    ROOMS_RETRY_FIRST_MS = 100,
    ROOMS_RETRY_MAX_MS = 5000,
};

/* One socket in one conversation. */
struct member {
    session_t *session;
    room_t *room;
    uint64_t last;         /* the highest seq passed on */
    uint64_t *own;         /* own acknowledged seqs above `last`, rising */
    join_t *joins;         /* JOINs whose acknowledgement hasn't gone out; core_join.h */
    member_t *prev, *next; /* in room->members */
    member_t *session_prev, *session_next; /* in session->members */
    member_t *bucket_next;                 /* (room, session) => member */
    uint64_t read_ms;                      /* Unix, of the newest read mark passed on */
    uint32_t last_join;                    /* numbers its joins */
    uint32_t placed_by;                    /* the number of the one answered last */
    uint16_t own_count, own_capacity;
    bool placed;      /* `last` means something: a JOIN was answered */
    bool unconfirmed; /* REJOIN is unanswered */
    bool recovered;   /* marks up to read_ms were replayed, and none has come since */
    bool removal_due; /* its user was removed: told when the membership ends */
};

/* Lives while it has members or somebody holds it (rooms_hold). */
struct room {
    UT_hash_handle hh; /* name => room */
    size_t broker;
    member_t *members;
    size_t member_count;
    uint64_t heard; /* the highest seq known to exist */
    size_t holds;   /* rooms_hold() */
    size_t rejoins; /* REJOIN requests unanswered */
    bool rejoin_failed;
    bool passed_by; /* the broker may not know the members: what it told meanwhile is unheard */
    bool fetching;  /* HISTORY is asked for */
    uint64_t fetched_after; /* … of seqs above this */
    uint32_t retry_ms;      /* the next pause before trying again, 0 after a success */
    deadline_t retry;
    interest_t *interests; /* its participants; presence_local.h */
    size_t interest_count;
    size_t unknown;           /* of them: presence not known yet */
    join_t *waiting;          /* joins answered that wait for it; core_join.c */
    uint64_t members_version; /* of the group, when the interests were set */
    uint8_t name_bytes;
    char name[];
};

/* A message on its way to members. `cache` is the callee's, NULL at first: the encoded packet. */
typedef struct {
    uint64_t seq;
    str_t sender; /* empty: not known without looking into the text */
    str_t text;   /* JSON */
    void *cache;
    size_t delivered; /* the callee's: to so many members */
    trace_t trace;
} room_message_t;

/* The effects. None of them may add or remove members. */
typedef struct {
    /* Passes the message on to this member, whose `last` says so already. */
    void (*deliver)(void *ctx, member_t *member, room_message_t *message);
    /* The message may be one that this member has sent and that isn't answered yet: if so, answers
     * it now and returns true; then it isn't delivered. */
    bool (*claim)(void *ctx, member_t *member, const room_message_t *message);
    /* Asks for the messages past `after`. Ends in rooms_history() or rooms_fetch_failed(). */
    void (*fetch)(void *ctx, room_t *room, uint64_t after);
    /* The member lags behind while acknowledging more than ROOMS_OWN_MAX: it must go. */
    void (*overflow)(void *ctx, member_t *member);
    int64_t (*now_ms)(void *ctx);
} rooms_ops_t;

rooms_t *rooms_new(size_t max_rooms, const rooms_ops_t *ops, void *ctx);
/* Asserts that all rooms are gone. */
void rooms_free(rooms_t **self);

static inline str_t room_name(const room_t *room) {
    return (str_t){room->name, room->name_bytes};
}

room_t *rooms_find(const rooms_t *self, str_t name);
/* The room of that name, made if need be, with a hold on it: rooms_release() ends it. NULL at the
 * limit. `broker` is the one it lives on. */
room_t *rooms_get(rooms_t *self, str_t name, size_t broker);
void rooms_hold(room_t *room);
void rooms_release(rooms_t *self, room_t *room);
/* All rooms, by ->hh.next. */
room_t *rooms_first(const rooms_t *self);
size_t rooms_count(const rooms_t *self);
size_t rooms_member_count(const rooms_t *self);

member_t *rooms_find_member(const rooms_t *self, const room_t *room, uint64_t session_number);
/* The same by the room's name; NULL too when there is no such room here. */
member_t *rooms_member_of(const rooms_t *self, str_t name, uint64_t session_number);
/* A new member, which has had nothing and isn't placed. Not one already. */
member_t *rooms_add_member(rooms_t *self, room_t *room, session_t *session);
/* Takes it out. Its joins must be gone. The room goes with its last member. */
void rooms_remove_member(rooms_t *self, member_t *member);

/* Whether messages are passed on to it now. */
static inline bool member_is_live(const member_t *member) {
    return member->placed && !member->joins && !member->unconfirmed;
}

/* The answer of a JOIN, as far as delivery is concerned. */
typedef struct {
    bool has_after;
    uint64_t after;
    uint64_t head;          /* the highest seq stored */
    uint64_t last_returned; /* the last seq in the answer, 0: none */
    bool reset;             /* `after` was beyond the head */
} room_joined_t;

/* The client has had everything up to `seq`. */
void rooms_place(member_t *member, uint64_t seq);
/* The client has got this answer: what comes live follows it. */
void rooms_joined(member_t *member, const room_joined_t *joined);
/* The member's own message was acknowledged with this seq. That nothing is missing before it shows
 * when the message itself comes, right behind. */
void rooms_own(rooms_t *self, member_t *member, uint64_t seq);
/* A message that was just committed. */
void rooms_message(rooms_t *self, room_t *room, room_message_t *message);
/* The answer to a fetch: call rooms_message() for each message, oldest first, then this. */
void rooms_fetched(rooms_t *self, room_t *room, uint64_t head);
void rooms_fetch_failed(rooms_t *self, room_t *room);
/* `seq` is known to exist. */
void rooms_heard(rooms_t *self, room_t *room, uint64_t seq);
/* The database is another one: what was heard means nothing. */
void rooms_forget_heard(rooms_t *self);
/* Fetches if a live member lags behind and nothing is under way. Call it when a member turned
 * live. */
void rooms_check(rooms_t *self, room_t *room);

/* Has the room looked at again after a pause, which doubles until a fetch succeeds. */
void rooms_retry_later(rooms_t *self, room_t *room);
/* Members of the room turned live: ends a pause and checks. */
void rooms_resume(rooms_t *self, room_t *room);
/* A room whose pause is over, or NULL. */
room_t *rooms_due(rooms_t *self, int64_t now_ms);
