#include "gateway/presence_local.h"

#include <utlist.h>

#include "common/ids.h"

/* Users on their way into a WATCH or UNWATCH of one broker. */
typedef struct {
    str_t users[PRESENCE_BATCH];
    size_t n;
} batch_t;

typedef void batch_send_fn(void *ctx, size_t broker, const proto_texts_t *users);

struct presence {
    size_t brokers;
    size_t max_interests, interests;
    const presence_ops_t *ops;
    void *ctx;
    watch_t *by_id;
    batch_t batch;
};

presence_t *presence_new(size_t brokers, size_t max_interests, const presence_ops_t *ops,
                         void *ctx) {
    presence_t *self = xcalloc(1, sizeof(*self));
    self->brokers = brokers;
    self->max_interests = max_interests;
    self->ops = ops;
    self->ctx = ctx;
    return self;
}

void presence_free(presence_t **self_in) {
    presence_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    ASSERT(HASH_COUNT(self->by_id) == 0);
    free(self);
}

static watch_t *find(const presence_t *self, str_t user) {
    watch_t *watch = NULL;
    HASH_FIND(hh, self->by_id, user.p, user.n, watch);
    return watch;
}

size_t presence_count(const presence_t *self) {
    return HASH_COUNT(self->by_id);
}

size_t presence_interests(const presence_t *self) {
    return self->interests;
}

/* ---- asking in batches ---- */

static void flush_batch(presence_t *self, size_t broker, batch_send_fn *send) {
    proto_texts_t users = {.items = self->batch.users, .n = self->batch.n};
    if (users.n)
        send(self->ctx, broker, &users);
    self->batch.n = 0;
}

static void add_to_batch(presence_t *self, const watch_t *watch, batch_send_fn *send) {
    self->batch.users[self->batch.n++] = watch_id(watch);
    if (self->batch.n == PRESENCE_BATCH)
        flush_batch(self, watch->broker, send);
}

void presence_watch_again(presence_t *self, size_t broker) {
    for (watch_t *watch = self->by_id; watch; watch = watch->hh.next) {
        if (watch->broker == broker)
            add_to_batch(self, watch, self->ops->watch);
    }
    flush_batch(self, broker, self->ops->watch);
}

/* ---- interests ---- */

static watch_t *get_watch(presence_t *self, str_t user) {
    watch_t *watch = find(self, user);
    if (watch)
        return watch;
    ASSERT(user.n <= IDS_USER_MAX);
    watch = xcalloc(1, sizeof(*watch) + user.n);
    watch->broker = self->ops->broker_of_user(self->ctx, user);
    watch->id_bytes = (uint8_t)user.n;
    memcpy(watch->id, user.p, user.n);
    HASH_ADD_KEYPTR(hh, self->by_id, watch->id, user.n, watch);
    return watch;
}

static void free_watch(presence_t *self, watch_t *watch) {
    /* The analyser doesn't know that the table holds the watch.
     * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    HASH_DEL(self->by_id, watch);
    free(watch);
}

/* Asks for those of the room's participants that nobody followed before. */
static void watch_new(presence_t *self, const room_t *room) {
    for (size_t broker = 0; broker < self->brokers; broker++) {
        for (size_t i = 0; i < room->interest_count; i++) {
            const interest_t *interest = &room->interests[i];
            bool first = interest->watch->interests == interest && !interest->next;
            if (first && interest->watch->broker == broker && !interest->watch->known)
                add_to_batch(self, interest->watch, self->ops->watch);
        }
        flush_batch(self, broker, self->ops->watch);
    }
}

/* Drops the interests, and the watches that nobody else has. */
static void drop(presence_t *self, interest_t *interests, size_t count) {
    self->interests -= count;
    for (size_t i = 0; i < count; i++)
        DL_DELETE(interests[i].watch->interests, &interests[i]);
    for (size_t broker = 0; broker < self->brokers; broker++) {
        for (size_t i = 0; i < count; i++) {
            const watch_t *watch = interests[i].watch;
            if (!watch->interests && watch->broker == broker)
                add_to_batch(self, watch, self->ops->unwatch);
        }
        flush_batch(self, broker, self->ops->unwatch);
    }
    for (size_t i = 0; i < count; i++) {
        if (!interests[i].watch->interests)
            free_watch(self, interests[i].watch);
    }
    free(interests);
}

/* Adds an interest to the room's new array, unless the user is in it already (the list of a watch
 * ends with what was added last). */
static void add_interest(room_t *room, watch_t *watch) {
    const interest_t *last = watch->interests ? watch->interests->prev : NULL;
    if (last >= room->interests && last < room->interests + room->interest_count)
        return;
    ASSERT(room->interests);
    interest_t *interest = &room->interests[room->interest_count++];
    interest->room = room;
    interest->watch = watch;
    room->unknown += !watch->known;
    DL_APPEND(watch->interests, interest);
}

void presence_set_participants(presence_t *self, room_t *room, const proto_texts_t *users) {
    interest_t *before = room->interests;
    size_t before_count = room->interest_count;
    if (self->interests - before_count + users->n > self->max_interests) {
        presence_forget_room(self, room);
        return;
    }
    room->interests = users->n ? xcalloc(users->n, sizeof(*room->interests)) : NULL;
    room->interest_count = 0;
    room->unknown = 0;
    for (size_t i = 0; i < users->n; i++)
        add_interest(room, get_watch(self, users->items[i]));
    self->interests += room->interest_count;
    watch_new(self, room);
    drop(self, before, before_count);
}

void presence_forget_room(presence_t *self, room_t *room) {
    drop(self, room->interests, room->interest_count);
    room->interests = NULL;
    room->interest_count = 0;
    room->unknown = 0;
}

/* ---- what is known ---- */

static void become_known(presence_t *self, watch_t *watch) {
    interest_t *interest = NULL;
    watch->known = true;
    DL_FOREACH(watch->interests, interest) {
        if (--interest->room->unknown == 0)
            self->ops->known(self->ctx, interest->room);
    }
}

void presence_update(presence_t *self, str_t user, user_presence_t state) {
    watch_t *watch = find(self, user);
    if (!watch)
        return;
    bool changed = watch->state.online != state.online;
    watch->state = state;
    /* Those that have been told "offline" for want of knowledge learn of it; joins that wait for
     * it have it in their answer. */
    if (changed)
        self->ops->changed(self->ctx, watch);
    if (!watch->known)
        become_known(self, watch);
}

user_presence_t presence_of(const presence_t *self, str_t user) {
    const watch_t *watch = find(self, user);
    return watch ? watch->state : (user_presence_t){0};
}
