#include "broker/rooms.h"

#include <utlist.h>

#include "broker/peers.h"

enum {
    BUCKETS_AT_FIRST = 1024,
    CHAIN_LENGTH = 2, /* memberships per bucket before the table doubles */
};

struct rooms {
    rooms_limits_t limits;
    users_t *users;
    room_t *by_name;        /* name => room */
    membership_t **buckets; /* (room, peer, session) => membership; chained, as a uthash handle is
                               larger than the membership itself */
    size_t bucket_count;    /* a power of two */
    size_t memberships;
};

rooms_t *rooms_new(const rooms_limits_t *limits, users_t *users) {
    rooms_t *self = xcalloc(1, sizeof(*self));
    self->limits = *limits;
    self->users = users;
    self->bucket_count = BUCKETS_AT_FIRST;
    self->buckets = xcalloc(self->bucket_count, sizeof(membership_t *));
    return self;
}

void rooms_free(rooms_t **self_in) {
    rooms_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    ASSERT(self->memberships == 0 && HASH_COUNT(self->by_name) == 0);
    free(self->buckets);
    free(self);
}

/* ---- rooms ---- */

room_t *rooms_find(const rooms_t *self, str_t name) {
    room_t *room = NULL;
    HASH_FIND(hh, self->by_name, name.p, name.n, room);
    return room;
}

room_t *rooms_get(rooms_t *self, str_t name) {
    room_t *room = rooms_find(self, name);
    if (room)
        return room;
    if (HASH_COUNT(self->by_name) >= self->limits.max_rooms)
        return NULL;
    ASSERT(name.n <= ENVELOPE_ROOM_BYTES);
    room = xmalloc(sizeof(*room) + name.n);
    *room = (room_t){.kind = ids_parse_room(name).kind, .name_bytes = (uint8_t)name.n};
    memcpy(room->name, name.p, name.n);
    HASH_ADD_KEYPTR(hh, self->by_name, room->name, name.n, room);
    return room;
}

void rooms_collect(rooms_t *self, room_t *room) {
    if (room->gateways || room->typing || room->hold)
        return;
    HASH_DELETE(hh, self->by_name, room);
    free(room);
}

/* ---- the membership table ---- */

static size_t bucket_of(const rooms_t *self, const room_t *room, const peer_t *peer,
                        uint64_t session) {
    uint64_t key[] = {(uintptr_t)room, (uintptr_t)peer, session};
    return siphash((str_t){(const char *)key, sizeof(key)}) & (self->bucket_count - 1);
}

static membership_t **bucket_of_membership(rooms_t *self, const membership_t *membership) {
    const room_gateway_t *gateway = membership->gateway;
    return &self->buckets[bucket_of(self, gateway->room, gateway->peer, membership->session)];
}

static void table_add(rooms_t *self, membership_t *membership) {
    membership_t **bucket = bucket_of_membership(self, membership);
    membership->next_in_bucket = *bucket;
    *bucket = membership;
}

static void table_grow(rooms_t *self) {
    membership_t **old = self->buckets;
    size_t old_count = self->bucket_count;
    self->bucket_count *= 2;
    self->buckets = xcalloc(self->bucket_count, sizeof(membership_t *));
    for (size_t i = 0; i < old_count; i++) {
        for (membership_t *each = old[i], *next; each; each = next) {
            next = each->next_in_bucket;
            table_add(self, each);
        }
    }
    free(old);
}

static void table_remove(rooms_t *self, membership_t *membership) {
    membership_t **at = bucket_of_membership(self, membership);
    while (*at != membership)
        at = &(*at)->next_in_bucket;
    *at = membership->next_in_bucket;
}

membership_t *rooms_member(const rooms_t *self, const room_t *room, const peer_t *peer,
                           uint64_t session) {
    membership_t *each = self->buckets[bucket_of(self, room, peer, session)];
    while (each && !(each->session == session && each->gateway->room == room &&
                     each->gateway->peer == peer))
        each = each->next_in_bucket;
    return each;
}

/* ---- joining and leaving ---- */

static room_gateway_t *get_gateway(room_t *room, peer_t *peer) {
    room_gateway_t *gateway = NULL;
    DL_SEARCH_SCALAR(room->gateways, gateway, peer, peer);
    if (gateway)
        return gateway;
    gateway = xcalloc(1, sizeof(*gateway));
    gateway->room = room;
    gateway->peer = peer;
    DL_APPEND(room->gateways, gateway);
    DL_APPEND2(peer->rooms, gateway, peer_prev, peer_next);
    return gateway;
}

static membership_t *add_membership(rooms_t *self, room_t *room, peer_t *peer,
                                    const rooms_join_t *join) {
    membership_t *membership = xcalloc(1, sizeof(*membership));
    membership->gateway = get_gateway(room, peer);
    membership->user = users_hold(self->users, join->user);
    membership->session = join->session;
    DL_APPEND(membership->gateway->members, membership);
    if (self->memberships >= self->bucket_count * CHAIN_LENGTH)
        table_grow(self);
    table_add(self, membership);
    self->memberships++;
    peer->memberships++;
    return membership;
}

err_t rooms_join(rooms_t *self, peer_t *peer, const rooms_join_t *join,
                 membership_t **membership_out, bool *created_out) {
    room_t *room = rooms_find(self, join->room);
    membership_t *there = room ? rooms_member(self, room, peer, join->session) : NULL;
    *created_out = !there;
    if (there) {
        *membership_out = there;
        return str_eq(user_id(there->user), join->user) ? OK : ERR_EXISTS;
    }
    if (peer->memberships >= self->limits.max_memberships_per_gateway)
        return ERR_LIMIT;
    room = rooms_get(self, join->room);
    if (!room)
        return ERR_LIMIT;
    *membership_out = add_membership(self, room, peer, join);
    return OK;
}

void rooms_leave(rooms_t *self, membership_t *membership) {
    room_gateway_t *gateway = membership->gateway;
    room_t *room = gateway->room;
    table_remove(self, membership);
    self->memberships--;
    gateway->peer->memberships--;
    DL_DELETE(gateway->members, membership);
    users_release(self->users, membership->user);
    free(membership);
    if (gateway->members)
        return;
    DL_DELETE(room->gateways, gateway);
    DL_DELETE2(gateway->peer->rooms, gateway, peer_prev, peer_next);
    free(gateway);
    rooms_collect(self, room);
}

/* ---- looking in ---- */

size_t rooms_count(const rooms_t *self) {
    return HASH_COUNT(self->by_name);
}

size_t rooms_memberships(const rooms_t *self) {
    return self->memberships;
}

void rooms_dump(const rooms_t *self, strbuf_t *out) {
    for (const room_t *room = self->by_name; room; room = room->hh.next) {
        strbuf_printf(out, "%.*s fanned_out=%llu\n", STR_ARG(room_name(room)),
                      (unsigned long long)room->fanned_out);
        const room_gateway_t *gateway = NULL;
        const membership_t *each = NULL;
        DL_FOREACH(room->gateways, gateway) {
            DL_FOREACH(gateway->members, each) {
                strbuf_printf(out, "  %.*s session=%llu\n", STR_ARG(user_id(each->user)),
                              (unsigned long long)each->session);
            }
        }
    }
}
