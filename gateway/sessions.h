/* Who is connected to this gateway: sessions (one for each socket), their users, and how many
 * connections each address has. */
#pragma once

#include "common/deadline.h"
#include "common/siphash.h"
#include "common/trace_sampler.h"
#include "gateway/rates.h"

typedef struct session session_t;
typedef struct user user_t;
typedef struct address address_t;
typedef struct member member_t;
typedef struct call call_t;
typedef struct recovery recovery_t;

enum {
    SESSIONS_NAME_BYTES = 256, /* of a user's name, as the schema bounds it */
    SESSIONS_ROLE_BYTES = 64,
    SESSIONS_SID_BYTES = 20,
    SESSIONS_NEWS_MAX = 16, /* conversations of which a user's newest change is remembered */
};

/* The newest change of a user's membership that his sockets were told of. */
typedef struct {
    uint64_t conversation; /* digest; 0: none */
    uint64_t version;
} sessions_news_t;

/* One socket. Lives from sessions_add to sessions_remove. */
struct session {
    uint64_t number; /* unique within this process, never used again */
    user_t *user;
    void *socket; /* the transport's handle; opaque here. NULL: it isn't let in yet */
    char sid[SESSIONS_SID_BYTES]; /* public id of the socket, and of those it was before */
    address_t *address;
    trace_context_t context; /* of the connection */
    deadline_t deadline;     /* its token's end; once draining, its turn to be closed */
    int64_t expires_at_ms;   /* of its token, Unix */
    rate_buckets_t rates;
    member_t *members; /* its rooms; rooms_local.h */
    uint32_t member_count;
    uint32_t request_count; /* events not answered yet */
    call_t *calls;          /* … those that wait for the bus; core_calls.h */
    uint64_t told;          /* the presence change it was told last */
    uint64_t removed_from;  /* digest of the room it was expelled from last, 0 once that is told */
    bool closing;           /* its transport is being closed: nothing it says counts any more */
    bool position_due;      /* the client has to be told its position before the turn ends … */
    session_t *due_prev, *due_next; /* … then in core->positions_due */
    recovery_t *recovery;           /* it is being recovered; core_recovery.c */
    uint64_t changes_ms; /* Unix, of the newest change of membership told; for its offset */
    uint64_t *replayed;  /* digests of the changes told when it was recovered */
    size_t replayed_count;
    uint64_t replayed_until_ms;       /* the database's time when they were read, Unix */
    session_t *user_prev, *user_next; /* in user->sessions */
    session_t *prev, *next;           /* of all */
};

/* A user with at least one session here. */
struct user {
    UT_hash_handle hh; /* id => user */
    session_t *sessions;
    size_t session_count;
    size_t broker; /* of its own room */
    rate_buckets_t rates;
    char *name; /* as the latest token says; NUL-terminated */
    char *role;
    sessions_news_t *news; /* SESSIONS_NEWS_MAX of them; NULL: told of none */
    size_t news_next;      /* the place of the next */
    bool seen_pending;     /* a USER_SEEN is unanswered … */
    bool seen_stale;       /* … and must be repeated: name or role have changed since */
    uint8_t id_bytes;
    char id[];
};

typedef struct {
    size_t max_per_user;    /* 0: any number */
    size_t max_per_address; /* 0: any number */
} sessions_limits_t;

typedef struct sessions sessions_t;

sessions_t *sessions_new(const sessions_limits_t *limits);
/* Asserts that every session is gone and every address given back. */
void sessions_free(sessions_t **self);

static inline str_t session_sid(const session_t *session) {
    return (str_t){session->sid, SESSIONS_SID_BYTES};
}

static inline str_t user_id_of(const user_t *user) {
    return (str_t){user->id, user->id_bytes};
}

user_t *sessions_find_user(const sessions_t *self, str_t id);
size_t sessions_count(const sessions_t *self);
size_t sessions_user_count(const sessions_t *self);
/* All sessions, oldest first, by ->next; all users by ->hh.next. */
session_t *sessions_first(const sessions_t *self);
user_t *sessions_first_user(const sessions_t *self);

/* Counts one connection from an address; the caller gives it back, or to a session. NULL: it has
 * as many as it may. */
address_t *sessions_take_address(sessions_t *self, str_t address);
void sessions_give_back_address(sessions_t *self, address_t **address);

typedef struct {
    str_t user_id; /* at most IDS_USER_MAX bytes */
    str_t name;
    str_t role;
} sessions_identity_t;

/* A new session with the next number. Takes over *address (and clears it). Sets the user's name and
 * role; *changed_out: the user is new here or they differ from before. NULL: the user has as many
 * sessions as it may; nothing is taken. */
session_t *sessions_add(sessions_t *self, const sessions_identity_t *identity, address_t **address,
                        bool *changed_out);
/* Ends it and gives its address back. Its rooms, calls and deadline must be gone. A user's last
 * session takes the user with it. */
void sessions_remove(sessions_t *self, session_t *session);
/* Sets name and role anew; whether they changed. */
bool sessions_rename(user_t *user, const sessions_identity_t *identity);

/* The version of the newest change of the user's membership in a conversation that was told here,
 * 0: none of late. */
uint64_t sessions_news(const user_t *user, str_t conversation);
/* Whether a change is newer than that: then it counts as told now. Remembers it in place of that of
 * the conversation noted longest ago, if need be. */
bool sessions_is_news(user_t *user, str_t conversation, uint64_t version);
