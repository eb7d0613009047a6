#include "gateway/rooms_local.h"

#include <utlist.h>

#include "common/ids.h"

enum {
    BUCKETS_AT_FIRST = 1024,
    CHAIN_LENGTH = 2, /* members per bucket before the table doubles */
};

struct rooms {
    size_t max_rooms;
    const rooms_ops_t *ops;
    void *ctx;
    room_t *by_name;
    member_t **buckets; /* (room, session) => member; chained, as a uthash handle is nearly as large
                           as the member itself */
    size_t bucket_count; /* a power of two */
    size_t member_count;
    deadline_heap_t retries;
};

rooms_t *rooms_new(size_t max_rooms, const rooms_ops_t *ops, void *ctx) {
    rooms_t *self = xcalloc(1, sizeof(*self));
    self->max_rooms = max_rooms;
    self->ops = ops;
    self->ctx = ctx;
    self->bucket_count = BUCKETS_AT_FIRST;
    self->buckets = xcalloc(self->bucket_count, sizeof(member_t *));
    return self;
}

void rooms_free(rooms_t **self_in) {
    rooms_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    ASSERT(self->member_count == 0 && HASH_COUNT(self->by_name) == 0);
    deadline_heap_fini(&self->retries);
    free(self->buckets);
    free(self);
}

/* ---- rooms ---- */

room_t *rooms_find(const rooms_t *self, str_t name) {
    room_t *room = NULL;
    HASH_FIND(hh, self->by_name, name.p, name.n, room);
    return room;
}

room_t *rooms_get(rooms_t *self, str_t name, size_t broker) {
    room_t *room = rooms_find(self, name);
    if (!room) {
        ASSERT(name.n <= IDS_ROOM_MAX);
        if (HASH_COUNT(self->by_name) >= self->max_rooms)
            return NULL;
        room = xcalloc(1, sizeof(*room) + name.n);
        room->broker = broker;
        room->name_bytes = (uint8_t)name.n;
        memcpy(room->name, name.p, name.n);
        HASH_ADD_KEYPTR(hh, self->by_name, room->name, name.n, room);
    }
    room->holds++;
    return room;
}

void rooms_hold(room_t *room) {
    room->holds++;
}

void rooms_release(rooms_t *self, room_t *room) {
    ASSERT(room->holds > 0);
    if (--room->holds > 0)
        return;
    ASSERT(!room->members && !room->interests);
    deadline_remove(&self->retries, &room->retry);
    HASH_DEL(self->by_name, room);
    free(room);
}

room_t *rooms_first(const rooms_t *self) {
    return self->by_name;
}

size_t rooms_count(const rooms_t *self) {
    return HASH_COUNT(self->by_name);
}

size_t rooms_member_count(const rooms_t *self) {
    return self->member_count;
}

/* ---- members ---- */

static member_t **bucket_of(const rooms_t *self, const room_t *room, uint64_t session_number) {
    uint64_t key[2] = {(uint64_t)(uintptr_t)room, session_number};
    uint64_t hash = siphash((str_t){(const char *)key, sizeof(key)});
    return &self->buckets[hash & (self->bucket_count - 1)];
}

static void grow_buckets(rooms_t *self) {
    member_t **old = self->buckets;
    size_t old_count = self->bucket_count;
    self->bucket_count *= 2;
    self->buckets = xcalloc(self->bucket_count, sizeof(member_t *));
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            member_t *member = old[i];
            LL_DELETE2(old[i], member, bucket_next);
            member_t **bucket = bucket_of(self, member->room, member->session->number);
            LL_PREPEND2(*bucket, member, bucket_next);
        }
    }
    free(old);
}

member_t *rooms_find_member(const rooms_t *self, const room_t *room, uint64_t session_number) {
    member_t *member = NULL;
    LL_FOREACH2(*bucket_of(self, room, session_number), member, bucket_next) {
        if (member->room == room && member->session->number == session_number)
            return member;
    }
    return NULL;
}

member_t *rooms_member_of(const rooms_t *self, str_t name, uint64_t session_number) {
    const room_t *room = rooms_find(self, name);
    return room ? rooms_find_member(self, room, session_number) : NULL;
}

member_t *rooms_add_member(rooms_t *self, room_t *room, session_t *session) {
    if (self->member_count >= self->bucket_count * CHAIN_LENGTH)
        grow_buckets(self);
    member_t *member = xcalloc(1, sizeof(*member));
    member->session = session;
    member->room = room;
    member_t **bucket = bucket_of(self, room, session->number);
    LL_PREPEND2(*bucket, member, bucket_next);
    DL_APPEND(room->members, member);
    DL_APPEND2(session->members, member, session_prev, session_next);
    room->member_count++;
    session->member_count++;
    self->member_count++;
    rooms_hold(room);
    return member;
}

void rooms_remove_member(rooms_t *self, member_t *member) {
    room_t *room = member->room;
    session_t *session = member->session;
    ASSERT(!member->joins);
    member_t **bucket = bucket_of(self, room, session->number);
    LL_DELETE2(*bucket, member, bucket_next);
    DL_DELETE(room->members, member);
    DL_DELETE2(session->members, member, session_prev, session_next);
    room->member_count--;
    session->member_count--;
    self->member_count--;
    free(member->own);
    free(member);
    rooms_release(self, room);
}

/* ---- what a member has had ---- */

static void forget_own(member_t *member, size_t count) {
    member->own_count = (uint16_t)(member->own_count - count);
    memmove(member->own, member->own + count, member->own_count * sizeof(*member->own));
    if (member->own_count == 0) {
        free(member->own);
        member->own = NULL;
        member->own_capacity = 0;
    }
}

/* Raises `last`, then over each own message that follows. */
static void advance(member_t *member, uint64_t seq) {
    size_t passed = 0;
    if (seq > member->last)
        member->last = seq;
    while (passed < member->own_count && member->own[passed] <= member->last + 1) {
        if (member->own[passed] > member->last)
            member->last = member->own[passed];
        passed++;
    }
    if (passed)
        forget_own(member, passed);
}

static bool is_own(const member_t *member, uint64_t seq) {
    for (size_t i = 0; i < member->own_count; i++) {
        if (member->own[i] == seq)
            return true;
    }
    return false;
}

static void remember_own(member_t *member, uint64_t seq) {
    if (is_own(member, seq))
        return;
    if (member->own_count == member->own_capacity) {
        member->own_capacity = (uint16_t)(member->own_capacity ? member->own_capacity * 2 : 4);
        member->own = xrealloc(member->own, member->own_capacity * sizeof(*member->own));
    }
    size_t at = member->own_count++;
    for (; at > 0 && member->own[at - 1] > seq; at--)
        member->own[at] = member->own[at - 1];
    member->own[at] = seq;
}

void rooms_own(rooms_t *self, member_t *member, uint64_t seq) {
    if (!member->placed || seq > member->last) {
        if (member->own_count >= ROOMS_OWN_MAX) {
            self->ops->overflow(self->ctx, member);
            return;
        }
        remember_own(member, seq);
    }
    if (member->placed)
        advance(member, member->last);
}

void rooms_place(member_t *member, uint64_t seq) {
    member->placed = true;
    advance(member, seq);
}

void rooms_joined(member_t *member, const room_joined_t *joined) {
    uint64_t had = joined->has_after && !joined->reset ? joined->after : joined->head;
    if (joined->last_returned > had)
        had = joined->last_returned;
    /* One that has its place goes on there, unless this answer took it further. What it has had it
     * has had in any case. */
    if ((!member->placed || (joined->has_after && !joined->reset)) && had > member->last)
        member->last = had;
    member->placed = true;
    advance(member, member->last);
    /* The others hear of what was stored by the link, behind this answer. */
    if (joined->head > member->last && joined->head > member->room->heard)
        member->room->heard = joined->head;
}

void rooms_forget_heard(rooms_t *self) {
    for (room_t *room = self->by_name; room; room = room->hh.next)
        room->heard = 0;
}

/* ---- messages ---- */

/* Returns whether the member is live and lags behind. */
static bool pass_on(rooms_t *self, member_t *member, room_message_t *message) {
    if (!member_is_live(member))
        return false;
    if (message->seq == member->last + 1) {
        bool claimed = self->ops->claim(self->ctx, member, message);
        advance(member, message->seq);
        if (!claimed)
            self->ops->deliver(self->ctx, member, message);
    }
    return member->last < member->room->heard;
}

void rooms_message(rooms_t *self, room_t *room, room_message_t *message) {
    member_t *member = NULL;
    bool behind = false;
    if (message->seq > room->heard)
        room->heard = message->seq;
    DL_FOREACH(room->members, member) {
        behind |= pass_on(self, member, message);
    }
    if (behind)
        rooms_check(self, room);
}

void rooms_heard(rooms_t *self, room_t *room, uint64_t seq) {
    if (seq > room->heard)
        room->heard = seq;
    rooms_check(self, room);
}

/* ---- what is missing ---- */

/* The lowest `last` of the live members that lag behind; false when none does. */
static bool lowest_behind(const room_t *room, uint64_t *after_out) {
    const member_t *member = NULL;
    bool found = false;
    DL_FOREACH(room->members, member) {
        if (!member_is_live(member) || member->last >= room->heard)
            continue;
        if (!found || member->last < *after_out)
            *after_out = member->last;
        found = true;
    }
    return found;
}

void rooms_check(rooms_t *self, room_t *room) {
    uint64_t after = 0;
    if (room->fetching || deadline_is_set(&room->retry) || !lowest_behind(room, &after))
        return;
    room->fetching = true;
    room->fetched_after = after;
    self->ops->fetch(self->ctx, room, after);
}

void rooms_fetched(rooms_t *self, room_t *room, uint64_t head) {
    uint64_t after = 0;
    room->fetching = false;
    if (head > room->heard)
        room->heard = head;
    bool behind = lowest_behind(room, &after);
    if (behind && after == room->fetched_after) {
        rooms_retry_later(self, room);
        return;
    }
    room->retry_ms = 0;
    rooms_check(self, room);
}

void rooms_fetch_failed(rooms_t *self, room_t *room) {
    room->fetching = false;
    rooms_retry_later(self, room);
}

void rooms_retry_later(rooms_t *self, room_t *room) {
    uint32_t pause_ms = room->retry_ms ? room->retry_ms : ROOMS_RETRY_FIRST_MS;
    room->retry_ms = pause_ms * 2 > ROOMS_RETRY_MAX_MS ? ROOMS_RETRY_MAX_MS : pause_ms * 2;
    deadline_add(&self->retries, &room->retry, self->ops->now_ms(self->ctx) + pause_ms);
}

void rooms_resume(rooms_t *self, room_t *room) {
    deadline_remove(&self->retries, &room->retry);
    rooms_check(self, room);
}

room_t *rooms_due(rooms_t *self, int64_t now_ms) {
    deadline_t *due = deadline_pop_due(&self->retries, now_ms);
    return due ? DEADLINE_OWNER(due, room_t, retry) : NULL;
}
