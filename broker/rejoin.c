/* Memberships that a gateway says anew after a resync.
 *
 * Those of direct conversations and users' own rooms are decided at once. A group's wait for a load
 * of its members that was asked for after the request, as somebody may have been removed while the
 * link was down. Until it comes nothing is fanned out for them; the newest message of that time is
 * held and sent once they are admitted, so that the gateway sees by its seq what it missed. Who
 * leaves in that time is remembered, as what waits still names him. */
#include "broker/broker_internal.h"

#include "broker/envelope_copy.h"

enum { HOLD_LEFT_MAX = 1000 };

/* A session that has left meanwhile. */
typedef struct {
    const peer_t *peer;
    uint64_t session;
} left_t;

/* On a room while rejoins of it wait. */
struct rejoin_hold {
    size_t waiting;
    envelope_t *newest; /* NEW_MESSAGE, owned; NULL: there was none */
    left_t *left;
    size_t left_count;
    bool is_over; /* a bound: something was not kept, the gateways must say all anew */
};

static void hold_begin(room_t *room) {
    if (!room->hold)
        room->hold = xcalloc(1, sizeof(*room->hold));
    room->hold->waiting++;
}

static void drop_newest(broker_core_t *self, rejoin_hold_t *hold) {
    if (!hold->newest)
        return;
    self->held_bytes -= envelope_copy_bytes(hold->newest);
    free(hold->newest);
    hold->newest = NULL;
}

static void hold_end(broker_core_t *self, room_t *room) {
    ASSERT(room && room->hold);
    if (--room->hold->waiting == 0) {
        drop_newest(self, room->hold);
        free(room->hold->left);
        free(room->hold);
        room->hold = NULL;
    }
    rooms_collect(self->rooms, room);
}

void core_hold_message(broker_core_t *self, room_t *room, const envelope_t *new_message) {
    rejoin_hold_t *hold = room->hold;
    size_t bytes = envelope_copy_bytes(new_message);
    if (!hold)
        return;
    drop_newest(self, hold);
    if (self->held_bytes + bytes > self->config.max_held_bytes) {
        hold->is_over = true;
        return;
    }
    hold->newest = envelope_copy_new(new_message);
    self->held_bytes += bytes;
}

static left_t *find_left(const rejoin_hold_t *hold, const peer_t *peer, uint64_t session) {
    for (size_t i = 0; hold && i < hold->left_count; i++) {
        if (hold->left[i].peer == peer && hold->left[i].session == session)
            return &hold->left[i];
    }
    return NULL;
}

void core_hold_leave(room_t *room, const peer_t *peer, uint64_t session) {
    rejoin_hold_t *hold = room->hold;
    if (!hold || find_left(hold, peer, session))
        return;
    if (hold->left_count == HOLD_LEFT_MAX) {
        hold->is_over = true;
        return;
    }
    hold->left = xrealloc(hold->left, (hold->left_count + 1) * sizeof(*hold->left));
    hold->left[hold->left_count++] = (left_t){peer, session};
}

/* What the gateway says now counts, not what it said before. */
static void hold_rejoin(room_t *room, const peer_t *peer, const proto_rejoin_t *rejoin) {
    rejoin_hold_t *hold = room->hold;
    for (size_t i = 0; hold->left_count && i < rejoin->sessions.n; i++) {
        left_t *left = find_left(hold, peer, rejoin->sessions.items[i]);
        if (left)
            *left = hold->left[--hold->left_count];
    }
}

/* May this user be in the room, as far as is known? */
static bool may_rejoin(broker_core_t *self, const ids_room_t *room, str_t name, str_t user) {
    switch (room->kind) {
    case IDS_USER:
        return str_eq(room->user, user);
    case IDS_DIRECT:
        return str_eq(room->user, user) || str_eq(room->other, user);
    case IDS_GROUP:
        return rights_cached(self->rights, name, user, false);
    default:
        return false;
    }
}

/* Registers those who may be there and lists the others. ERR_LIMIT: too many rooms or
 * memberships. */
static err_t admit(broker_core_t *self, peer_t *peer, str_t name, const proto_rejoin_t *rejoin,
                   proto_u64s_t *refused_out) {
    ids_room_t room = ids_parse_room(name);
    const room_t *there = rooms_find(self->rooms, name);
    uint64_t *refused = xmalloc((rejoin->sessions.n + 1) * sizeof(uint64_t));
    *refused_out = (proto_u64s_t){.items = refused};
    for (size_t i = 0; i < rejoin->sessions.n; i++) {
        rooms_join_t join = {
            .room = name, .user = rejoin->users.items[i], .session = rejoin->sessions.items[i]};
        membership_t *membership;
        bool created;
        err_t err = ERR_EXISTS;
        if (there && find_left(there->hold, peer, join.session))
            continue;
        if (join.session && may_rejoin(self, &room, name, join.user))
            err = rooms_join(self->rooms, peer, &join, &membership, &created);
        if (err == ERR_LIMIT)
            return err;
        if (err)
            refused[refused_out->n++] = join.session;
        else if (created && room.kind == IDS_USER)
            presence_socket_came(self->presence, membership->user);
    }
    return OK;
}

/* Admits and answers; false when nobody was admitted. */
static bool admit_and_answer(broker_core_t *self, peer_t *peer, const envelope_t *request,
                             const proto_rejoin_t *rejoin) {
    proto_u64s_t refused;
    err_t err = admit(self, peer, request->room, rejoin, &refused);
    bool any = !err && refused.n < rejoin->sessions.n;
    if (err) {
        core_answer_busy(self, peer, request, BUSY_ROOMS);
    } else {
        self->stats.rejoins_refused += refused.n;
        strbuf_clear(&self->body);
        proto_rejoined_encode(&(proto_rejoined_t){.refused = refused}, &self->body);
        core_answer(self, peer, request, MSG_REJOINED, strbuf_str(&self->body));
    }
    free((void *)refused.items);
    return any;
}

static bool decode_rejoin(broker_core_t *self, const envelope_t *request, proto_rejoin_t *out) {
    return proto_rejoin_decode(request->body, self->arena, out) == OK &&
           out->sessions.n == out->users.n && core_are_users(&out->users);
}

void core_on_rejoin(broker_core_t *self, peer_t *peer, const envelope_t *envelope, int64_t now_ms) {
    proto_rejoin_t rejoin;
    ids_kind_t kind = ids_parse_room(envelope->room).kind;
    if (kind == IDS_INVALID || !decode_rejoin(self, envelope, &rejoin)) {
        core_refuse(self, peer, envelope, "malformed REJOIN");
        return;
    }
    if (kind != IDS_GROUP) {
        bool any = admit_and_answer(self, peer, envelope, &rejoin);
        if (any && kind == IDS_USER)
            user_events_rejoined(self->user_events, peer, envelope->room);
        return;
    }
    room_t *room = rooms_get(self->rooms, envelope->room);
    if (!room) {
        core_answer_busy(self, peer, envelope, BUSY_ROOMS);
        return;
    }
    hold_begin(room);
    hold_rejoin(room, peer, &rejoin);
    if (rights_wait(self->rights, peer, envelope, true, now_ms) != OK)
        core_rejoin_decided(self, peer, envelope, RIGHTS_DECIDED_NOT);
}

/* Without a fresh load in time (DECIDED_NOT) the cached list decides: every change since it was
 * made has come by here. Without one nothing is known, not even of a change that came before this
 * rejoin: the gateway keeps its members silent and asks again. */
void core_rejoin_decided(broker_core_t *self, peer_t *peer, const envelope_t *request,
                         rights_decision_t decision) {
    room_t *room = rooms_find(self->rooms, request->room);
    proto_rejoin_t rejoin;
    bool unknown = decision == RIGHTS_DECIDED_NOT && !rights_knows(self->rights, request->room);
    if (decision == RIGHTS_DECIDED_GONE) {
        hold_end(self, room);
        return;
    }
    if (unknown || room->hold->is_over) {
        core_answer_busy(self, peer, request, BUSY_MEMBERS);
    } else {
        ASSERT(decode_rejoin(self, request, &rejoin));
        bool any = admit_and_answer(self, peer, request, &rejoin);
        if (any && room->hold->newest)
            core_send(self, peer, room->hold->newest);
    }
    hold_end(self, room);
}
