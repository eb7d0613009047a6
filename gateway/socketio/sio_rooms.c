#include <utlist.h>

#include "gateway/socketio/sio_internal.h"

/* One socket in one room, linked into both. */
typedef struct {
    const void *room, *socket;
} membership_key_t;

typedef struct room room_t;

struct sio_membership {
    membership_key_t key;
    UT_hash_handle hh;
    room_t *room;
    sio_socket_t *socket;
    sio_membership_t *prev_in_room, *next_in_room;
    sio_membership_t *prev_of_socket, *next_of_socket;
};

struct room {
    UT_hash_handle hh;
    sio_membership_t *members; /* linked by next_in_room */
    size_t n;
    size_t name_length;
    char name[];
};

struct sio_rooms {
    uint64_t key[2];
    room_t *by_name;                 /* name => room; a room without members doesn't exist */
    sio_membership_t *by_membership; /* (room, socket) => membership */
};

/* ---- SipHash-1-3 (Aumasson, Bernstein): clients may choose rooms' names ---- */

typedef struct {
    uint64_t a, b, c, d;
} sip_t;

static uint64_t rotate(uint64_t x, int by) {
    return x << by | x >> (64 - by);
}

static void sip_round(sip_t *v) {
    v->a += v->b;
    v->b = rotate(v->b, 13) ^ v->a;
    v->a = rotate(v->a, 32);
    v->c += v->d;
    v->d = rotate(v->d, 16) ^ v->c;
    v->a += v->d;
    v->d = rotate(v->d, 21) ^ v->a;
    v->c += v->b;
    v->b = rotate(v->b, 17) ^ v->c;
    v->c = rotate(v->c, 32);
}

static void sip_word(sip_t *v, uint64_t word) {
    v->d ^= word;
    sip_round(v);
    v->a ^= word;
}

static uint64_t load_word(const char *p) {
    uint64_t word = 0;
    memcpy(&word, p, sizeof(word));
    return word;
}

static unsigned hash_bytes(const sio_rooms_t *self, str_t bytes) {
    sip_t v = {self->key[0] ^ 0x736f6d6570736575, self->key[1] ^ 0x646f72616e646f6d,
               self->key[0] ^ 0x6c7967656e657261, self->key[1] ^ 0x7465646279746573};
    size_t i = 0;
    for (; i + 8 <= bytes.n; i += 8)
        sip_word(&v, load_word(bytes.p + i));
    uint64_t last = (uint64_t)bytes.n << 56;
    for (int shift = 0; i < bytes.n; i++, shift += 8)
        last |= (uint64_t)(unsigned char)bytes.p[i] << shift;
    sip_word(&v, last);
    v.c ^= 0xff;
    sip_round(&v);
    sip_round(&v);
    sip_round(&v);
    return (unsigned)(v.a ^ v.b ^ v.c ^ v.d);
}

/* ---- rooms ---- */

sio_rooms_t *sio_rooms_new(const unsigned char key[16]) {
    sio_rooms_t *self = xcalloc(1, sizeof(*self));
    memcpy(self->key, key, sizeof(self->key));
    return self;
}

void sio_rooms_free(sio_rooms_t **rooms) {
    ASSERT(!(*rooms)->by_name && !(*rooms)->by_membership);
    free(*rooms);
    *rooms = NULL;
}

static room_t *find_room(const sio_rooms_t *self, str_t name) {
    room_t *room;
    unsigned hash = hash_bytes(self, name);
    HASH_FIND_BYHASHVALUE(hh, self->by_name, name.p, name.n, hash, room);
    return room;
}

static room_t *new_room(sio_rooms_t *self, str_t name) {
    room_t *room = xcalloc(1, sizeof(*room) + name.n);
    unsigned hash = hash_bytes(self, name);
    room->name_length = name.n;
    if (name.n)
        memcpy(room->name, name.p, name.n);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, self->by_name, room->name, name.n, hash, room);
    return room;
}

static sio_membership_t *find_membership(const sio_rooms_t *self, const room_t *room,
                                         const sio_socket_t *socket) {
    membership_key_t key = {room, socket};
    sio_membership_t *membership = NULL;
    unsigned hash = hash_bytes(self, (str_t){(const char *)&key, sizeof(key)});
    if (room)
        HASH_FIND_BYHASHVALUE(hh, self->by_membership, &key, sizeof(key), hash, membership);
    return membership;
}

static void end_membership(sio_rooms_t *self, sio_membership_t *membership) {
    room_t *room = membership->room;
    HASH_DEL(self->by_membership, membership);
    DL_DELETE2(room->members, membership, prev_in_room, next_in_room);
    DL_DELETE2(membership->socket->memberships, membership, prev_of_socket, next_of_socket);
    free(membership);
    if (--room->n == 0) {
        HASH_DEL(self->by_name, room);
        free(room);
    }
}

void sio_join(sio_socket_t *socket, str_t name) {
    sio_rooms_t *self = socket->nsp->rooms;
    room_t *room = find_room(self, name);
    if (!sio_socket_connected(socket) || find_membership(self, room, socket))
        return;
    if (!room)
        room = new_room(self, name);
    sio_membership_t *membership = xcalloc(1, sizeof(*membership));
    membership->key = (membership_key_t){room, socket};
    membership->room = room;
    membership->socket = socket;
    room->n++;
    unsigned hash =
        hash_bytes(self, (str_t){(const char *)&membership->key, sizeof(membership_key_t)});
    HASH_ADD_BYHASHVALUE(hh, self->by_membership, key, sizeof(membership_key_t), hash, membership);
    DL_APPEND2(room->members, membership, prev_in_room, next_in_room);
    DL_APPEND2(socket->memberships, membership, prev_of_socket, next_of_socket);
}

void sio_leave(sio_socket_t *socket, str_t name) {
    sio_rooms_t *self = socket->nsp->rooms;
    sio_membership_t *membership = find_membership(self, find_room(self, name), socket);
    if (membership)
        end_membership(self, membership);
}

void sio_rooms_leave_all(sio_socket_t *socket) {
    sio_membership_t *membership, *next;
    DL_FOREACH_SAFE2(socket->memberships, membership, next, next_of_socket) {
        end_membership(socket->nsp->rooms, membership);
    }
}

bool sio_in_room(const sio_socket_t *socket, str_t name) {
    const sio_rooms_t *self = socket->nsp->rooms;
    return find_membership(self, find_room(self, name), socket) != NULL;
}

size_t sio_room_size(const sio_namespace_t *nsp, str_t name) {
    const room_t *room = find_room(nsp->rooms, name);
    return room ? room->n : 0;
}

void sio_room_send(const sio_namespace_t *nsp, str_t name, sio_packet_t *packet,
                   const sio_socket_t *except) {
    const room_t *room = find_room(nsp->rooms, name);
    const sio_membership_t *member;
    if (!room)
        return;
    DL_FOREACH2(room->members, member, next_in_room) {
        if (member->socket != except)
            sio_send(member->socket, packet);
    }
}
