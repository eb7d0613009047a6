/* Who may do something in a conversation. For a direct one its id says it; for a group the member
 * list does, which is loaded from a persist-worker when it is first needed and then kept:
 *  - Every change of a group carries its members_version; a cached list only moves forward.
 *  - A load that was asked for before a change was heard of is thrown away and asked for again.
 *  - A cached or loaded yes counts at once. A no counts only from a load asked for after the
 * request came: who was just added isn't refused, and a stranger can't tell by the time it takes
 * whether a group is cached, or exists.
 *  - Requests of one group that wait for a load are decided in the order they came.
 * Lists are dropped, least recently used first, to stay within a bound in bytes. */
#pragma once

#include "proto/envelope.h"

typedef struct peer peer_t;
typedef struct rights rights_t;

typedef enum {
    RIGHTS_ALLOWED,
    RIGHTS_FORBIDDEN,
    RIGHTS_INVALID, /* no conversation is spelled like this */
    RIGHTS_WAIT,    /* a group: rights_wait() */
} rights_answer_t;

/* How waiting ended. */
typedef enum {
    RIGHTS_DECIDED_ALLOWED, /* for one that waited for a fresh load: it is here */
    RIGHTS_DECIDED_FORBIDDEN,
    RIGHTS_DECIDED_NOT,  /* the list could not be loaded, or the request's deadline passed */
    RIGHTS_DECIDED_GONE, /* the peer that asked is gone; nobody is to be answered */
} rights_decision_t;

typedef struct {
    /* Asks for the member list of a group; rights_loaded() or rights_load_failed() follows, never
     * from within. False: it can't be asked for now. */
    bool (*load)(void *ctx, str_t room, int64_t now_ms);
    /* `request` (a copy, the time it waited taken from its deadline) no longer waits. Must not call
     * rights_wait(). */
    void (*decided)(void *ctx, peer_t *peer, const envelope_t *request, rights_decision_t decision,
                    int64_t now_ms);
} rights_ops_t;

typedef struct {
    size_t max_cache_bytes;
    size_t max_waiting_per_room;
    size_t max_waiting_bytes; /* of all requests that wait */
} rights_limits_t;

rights_t *rights_new(const rights_limits_t *limits, const rights_ops_t *ops, void *ctx);
/* Asserts that nothing waits. */
void rights_free(rights_t **self);

/* May the user act in this conversation? */
rights_answer_t rights_check(rights_t *self, str_t room, str_t user);
/* What the cache says now, without a word on how old it is: `unknown` when it holds no list. */
bool rights_cached(const rights_t *self, str_t room, str_t user, bool unknown);
/* Whether the cache holds a list of this group. */
bool rights_knows(const rights_t *self, str_t room);

/* Lets a request for a group (its head's room) wait until it is decided. `fresh`: not by user, but
 * until a load that is asked for from now on. ERR_LIMIT: too much waits already.
 * ERR_UNAVAILABLE: the list can't be asked for. */
err_t rights_wait(rights_t *self, peer_t *peer, const envelope_t *request, bool fresh,
                  int64_t now_ms) MUST_CHECK;

typedef struct {
    uint64_t version; /* members_version; 0: there is no such group */
    const str_t *members;
    size_t n;
} rights_list_t;

void rights_loaded(rights_t *self, str_t room, const rights_list_t *list, int64_t now_ms);
void rights_load_failed(rights_t *self, str_t room, int64_t now_ms);

typedef struct {
    uint64_t version;
    const str_t *added;
    size_t added_n;
    const str_t *removed;
    size_t removed_n;
} rights_change_t;

void rights_changed(rights_t *self, str_t room, const rights_change_t *change);

/* Drops what waits for this peer. */
void rights_peer_down(rights_t *self, const peer_t *peer, int64_t now_ms);
/* Drops what waits for this peer with the type, room and session of `like`. */
void rights_cancel(rights_t *self, const peer_t *peer, const envelope_t *like, int64_t now_ms);

size_t rights_groups(const rights_t *self); /* records, cached or loading */
size_t rights_cache_bytes(const rights_t *self);
size_t rights_waiting(const rights_t *self);
size_t rights_waiting_bytes(const rights_t *self);
