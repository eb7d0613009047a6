#include "broker/typing.h"

#include <utlist.h>

#include "broker/peers.h"

struct typing {
    typing_limits_t limits;
    users_t *users;
    rooms_t *rooms;
    typing_entry_t *by_key; /* (room, peer, session) => entry */
    typing_entry_t *by_age; /* oldest refresh first */
};

typing_t *typing_new(const typing_limits_t *limits, users_t *users, rooms_t *rooms) {
    typing_t *self = xcalloc(1, sizeof(*self));
    self->limits = *limits;
    self->users = users;
    self->rooms = rooms;
    return self;
}

void typing_free(typing_t **self) {
    ASSERT(!*self || (!(*self)->by_age && HASH_COUNT((*self)->by_key) == 0));
    free(*self);
    *self = NULL;
}

typing_entry_t *typing_find(const typing_t *self, const room_t *room, const peer_t *peer,
                            uint64_t session) {
    typing_entry_t *entry = NULL;
    typing_entry_t wanted = {
        .key = {.room = (room_t *)room, .peer = (peer_t *)peer, .session = session}};
    HASH_FIND(hh, self->by_key, &wanted.key, sizeof(wanted.key), entry);
    return entry;
}

static typing_entry_t *add_entry(typing_t *self, room_t *room, peer_t *peer,
                                 const rooms_join_t *who) {
    typing_entry_t *entry = xcalloc(1, sizeof(*entry));
    entry->key.room = room;
    entry->key.peer = peer;
    entry->key.session = who->session;
    entry->user = users_hold(self->users, who->user);
    HASH_ADD(hh, self->by_key, key, sizeof(entry->key), entry);
    DL_APPEND2(room->typing, entry, room_prev, room_next);
    DL_APPEND2(peer->typing, entry, peer_prev, peer_next);
    return entry;
}

err_t typing_start(typing_t *self, peer_t *peer, const rooms_join_t *who, int64_t now_ms) {
    room_t *room = rooms_find(self->rooms, who->room);
    typing_entry_t *entry = room ? typing_find(self, room, peer, who->session) : NULL;
    if (entry) {
        if (!str_eq(user_id(entry->user), who->user))
            return ERR_EXISTS;
        DL_DELETE(self->by_age, entry);
    } else {
        if (HASH_COUNT(self->by_key) >= self->limits.max_entries)
            return ERR_LIMIT;
        room = rooms_get(self->rooms, who->room);
        if (!room)
            return ERR_LIMIT;
        entry = add_entry(self, room, peer, who);
    }
    entry->until_ms = now_ms + self->limits.timeout_ms;
    DL_APPEND(self->by_age, entry);
    return OK;
}

typing_entry_t *typing_of_user(const room_t *room, const user_t *user) {
    typing_entry_t *entry = room->typing;
    while (entry && entry->user != user)
        entry = entry->room_next;
    return entry;
}

bool typing_is_last_of_user(const typing_entry_t *entry) {
    const typing_entry_t *each = entry->key.room->typing;
    while (each && (each == entry || each->user != entry->user))
        each = each->room_next;
    return !each;
}

typing_entry_t *typing_expired(const typing_t *self, int64_t now_ms) {
    return self->by_age && self->by_age->until_ms <= now_ms ? self->by_age : NULL;
}

void typing_end(typing_t *self, typing_entry_t *entry) {
    room_t *room = entry->key.room;
    HASH_DELETE(hh, self->by_key, entry);
    DL_DELETE(self->by_age, entry);
    DL_DELETE2(room->typing, entry, room_prev, room_next);
    DL_DELETE2(entry->key.peer->typing, entry, peer_prev, peer_next);
    users_release(self->users, entry->user);
    free(entry);
    rooms_collect(self->rooms, room);
}

size_t typing_count(const typing_t *self) {
    return HASH_COUNT(self->by_key);
}
