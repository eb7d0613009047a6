#include "broker/presence.h"

#include <utlist.h>

#include "broker/peers.h"

typedef enum {
    PRESENCE_OFFLINE,
    PRESENCE_ONLINE,    /* has sockets */
    PRESENCE_LEAVING,   /* the last socket went, the grace time runs: still online to others */
    PRESENCE_UNSETTLED, /* asked for before the broker has heard of all sockets; maybe offline */
} presence_status_t;

struct user_presence {
    user_t *user; /* held */
    presence_status_t status;
    uint32_t sockets;
    bool is_unwritten;
    int64_t last_seen_ms;
    deadline_t deadline; /* LEAVING, UNSETTLED: offline then */
    watch_t *watches;
    user_presence_t *prev, *next; /* in self->unwritten */
};

struct presence {
    presence_limits_t limits;
    users_t *users;
    presence_changed_fn changed;
    void *ctx;
    int64_t settled_at_ms;
    deadline_heap_t deadlines;
    user_presence_t *unwritten; /* oldest first */
    size_t unwritten_count;
    size_t online;
    size_t watches;
    watch_t *owed; /* the longest owed first */
    size_t owed_count;
    size_t records;
    uint64_t dropped;
};

presence_t *presence_new(const presence_limits_t *limits, users_t *users, int64_t now_ms) {
    presence_t *self = xcalloc(1, sizeof(*self));
    self->limits = *limits;
    self->users = users;
    self->settled_at_ms = now_ms + limits->settle_ms;
    return self;
}

void presence_on_change(presence_t *self, presence_changed_fn changed, void *ctx) {
    self->changed = changed;
    self->ctx = ctx;
}

/* ---- records ---- */

static user_presence_t *get_record(presence_t *self, user_t *user) {
    if (user->presence)
        return user->presence;
    user_presence_t *record = xcalloc(1, sizeof(*record));
    record->user = users_hold(self->users, user_id(user));
    user->presence = record;
    self->records++;
    return record;
}

static bool is_online(const user_presence_t *record) {
    return record->status == PRESENCE_ONLINE || record->status == PRESENCE_LEAVING;
}

static presence_state_t state_of(const user_presence_t *record) {
    return (presence_state_t){.online = is_online(record), .last_seen_ms = record->last_seen_ms};
}

/* Frees a record that says nothing. */
static void collect(presence_t *self, user_presence_t *record) {
    if (record->status != PRESENCE_OFFLINE || record->watches || record->is_unwritten)
        return;
    ASSERT(record->sockets == 0 && !deadline_is_set(&record->deadline));
    user_t *user = record->user;
    user->presence = NULL;
    self->records--;
    free(record);
    users_release(self->users, user);
}

/* ---- telling ---- */

static void set_owed(presence_t *self, watch_t *watch, bool is_owed) {
    if (watch->is_owed)
        DL_DELETE2(self->owed, watch, owed_prev, owed_next);
    self->owed_count += (size_t)is_owed - (size_t)watch->is_owed;
    watch->is_owed = is_owed;
    if (is_owed)
        DL_APPEND2(self->owed, watch, owed_prev, owed_next);
}

static void tell(presence_t *self, watch_t *watch) {
    const user_presence_t *record = watch->presence;
    set_owed(self, watch, !self->changed(self->ctx, watch->peer, record->user, state_of(record)));
}

static void tell_watchers(presence_t *self, const user_presence_t *record) {
    watch_t *watch = NULL;
    DL_FOREACH(record->watches, watch) {
        tell(self, watch);
    }
}

void presence_pay(presence_t *self, size_t max) {
    for (size_t left = self->owed_count < max ? self->owed_count : max; left > 0; left--)
        tell(self, self->owed);
}

/* ---- what becomes of a user ---- */

static void set_status(presence_t *self, user_presence_t *record, presence_status_t status) {
    bool was_online = is_online(record);
    bool was_unsettled = record->status == PRESENCE_UNSETTLED;
    record->status = status;
    if (status == PRESENCE_OFFLINE || status == PRESENCE_ONLINE)
        deadline_remove(&self->deadlines, &record->deadline);
    self->online += (size_t)is_online(record) - (size_t)was_online;
    if (is_online(record) != was_online || (was_unsettled && status == PRESENCE_OFFLINE))
        tell_watchers(self, record);
}

/* ---- times last seen that wait to be stored ---- */

static void forget_unwritten(presence_t *self, user_presence_t *record) {
    DL_DELETE(self->unwritten, record);
    record->is_unwritten = false;
    self->unwritten_count--;
}

static void remember_unwritten(presence_t *self, user_presence_t *record) {
    if (record->is_unwritten)
        forget_unwritten(self, record);
    if (self->unwritten_count >= self->limits.max_unwritten) {
        user_presence_t *oldest = self->unwritten;
        self->dropped++;
        if (!oldest)
            return;
        forget_unwritten(self, oldest);
        collect(self, oldest);
    }
    record->is_unwritten = true;
    DL_APPEND(self->unwritten, record);
    self->unwritten_count++;
}

void presence_take_unwritten(presence_t *self, size_t max, presence_take_fn take, void *ctx) {
    while (self->unwritten && max-- > 0) {
        user_presence_t *record = self->unwritten;
        take(ctx, user_id(record->user), record->last_seen_ms);
        forget_unwritten(self, record);
        collect(self, record);
    }
}

/* ---- sockets ---- */

void presence_socket_came(presence_t *self, user_t *user) {
    user_presence_t *record = get_record(self, user);
    record->sockets++;
    set_status(self, record, PRESENCE_ONLINE);
}

void presence_socket_went(presence_t *self, user_t *user, int64_t now_ms, int64_t unix_ms) {
    user_presence_t *record = user->presence;
    ASSERT(record && record->sockets > 0);
    if (--record->sockets > 0)
        return;
    record->last_seen_ms = unix_ms;
    int64_t at_ms = now_ms + self->limits.grace_ms;
    if (at_ms < self->settled_at_ms)
        at_ms = self->settled_at_ms;
    deadline_add(&self->deadlines, &record->deadline, at_ms);
    set_status(self, record, PRESENCE_LEAVING);
}

void presence_tick(presence_t *self, int64_t now_ms) {
    deadline_t *due;
    while ((due = deadline_pop_due(&self->deadlines, now_ms))) {
        user_presence_t *record = DEADLINE_OWNER(due, user_presence_t, deadline);
        if (record->status == PRESENCE_LEAVING)
            remember_unwritten(self, record);
        set_status(self, record, PRESENCE_OFFLINE);
        collect(self, record);
    }
}

/* ---- watches ---- */

static watch_t *find_watch(const user_presence_t *record, const peer_t *peer) {
    watch_t *watch = NULL;
    DL_SEARCH_SCALAR(record->watches, watch, peer, peer);
    return watch;
}

err_t presence_watch(presence_t *self, peer_t *peer, str_t user_name, int64_t now_ms,
                     presence_state_t *state_out) {
    user_t *user = users_find(self->users, user_name);
    watch_t *watch = user && user->presence ? find_watch(user->presence, peer) : NULL;
    if (!watch) {
        if (peer->watch_count >= self->limits.max_watches_per_gateway)
            return ERR_LIMIT;
        user = users_hold(self->users, user_name);
        watch = xcalloc(1, sizeof(*watch));
        watch->presence = get_record(self, user);
        watch->peer = peer;
        DL_APPEND(watch->presence->watches, watch);
        DL_APPEND2(peer->watches, watch, peer_prev, peer_next);
        peer->watch_count++;
        self->watches++;
        users_release(self->users, user);
    }
    user_presence_t *record = watch->presence;
    if (record->status == PRESENCE_OFFLINE && now_ms < self->settled_at_ms) {
        deadline_add(&self->deadlines, &record->deadline, self->settled_at_ms);
        set_status(self, record, PRESENCE_UNSETTLED);
    }
    *state_out = state_of(record);
    return OK;
}

static void end_watch(presence_t *self, watch_t *watch) {
    user_presence_t *record = watch->presence;
    DL_DELETE(record->watches, watch);
    DL_DELETE2(watch->peer->watches, watch, peer_prev, peer_next);
    set_owed(self, watch, false);
    watch->peer->watch_count--;
    self->watches--;
    free(watch);
    if (record->status == PRESENCE_UNSETTLED && !record->watches)
        set_status(self, record, PRESENCE_OFFLINE);
    collect(self, record);
}

void presence_unwatch(presence_t *self, peer_t *peer, str_t user_name) {
    user_t *user = users_find(self->users, user_name);
    watch_t *watch = user && user->presence ? find_watch(user->presence, peer) : NULL;
    if (watch)
        end_watch(self, watch);
}

void presence_unwatch_all(presence_t *self, peer_t *peer) {
    for (watch_t *watch = peer->watches, *next = NULL; watch; watch = next) {
        next = watch->peer_next;
        end_watch(self, watch);
    }
}

/* ---- the end, and looking in ---- */

void presence_free(presence_t **self_in) {
    presence_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    ASSERT(self->watches == 0);
    presence_tick(self, INT64_MAX);
    while (self->unwritten) {
        user_presence_t *record = self->unwritten;
        forget_unwritten(self, record);
        collect(self, record);
    }
    ASSERT(self->online == 0 && self->records == 0);
    deadline_heap_fini(&self->deadlines);
    free(self);
}

size_t presence_online(const presence_t *self) {
    return self->online;
}

size_t presence_watches(const presence_t *self) {
    return self->watches;
}

size_t presence_unwritten(const presence_t *self) {
    return self->unwritten_count;
}

size_t presence_owed(const presence_t *self) {
    return self->owed_count;
}

uint64_t presence_dropped(const presence_t *self) {
    return self->dropped;
}
