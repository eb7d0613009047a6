#include "common/link_listener.h"

#include "common/siphash.h"

enum {
    NAME_BYTES = 32,
    SUPERSEDED_MAX = 256, /* older lives remembered, so that one that thaws late is refused */
    RESYNC_UNKNOWN_PEER = 1,
    RESYNC_INCARNATION = 2,
    RESYNC_MISSING = 3,
    RESYNC_LEASE = 4,
    REFUSED_SUPERSEDED = 1,
    REFUSED_STALE_CONFIG = 2,
    REFUSED_UNACCEPTABLE = 3,
};

typedef struct {
    size_t n;
    char bytes[LISTENER_ROUTING_BYTES];
} routing_t;

/* No two living peers have one. Unused bytes are zero. */
typedef struct {
    role_t role;
    char name[NAME_BYTES + 1];
} identity_t;

struct link_peer {
    routing_t routing;
    identity_t identity;
    uint16_t write_credit;
    uint16_t read_credit;
    uint64_t incarnation;
    uint32_t count_out;
    uint32_t count_in;
    link_flow_t flow;
    int64_t received_at_ms;
    const char *lost_reason; /* set: nothing passes any more, `down` is due at the next tick */
    void *data;
    UT_hash_handle hh;          /* by routing id */
    UT_hash_handle hh_identity; /* by role and instance name */
};

struct link_listener {
    const link_listener_config_t *config;
    const link_listener_ops_t *ops;
    void *ctx;
    link_peer_t *by_routing;  /* routing id => peer */
    link_peer_t *by_identity; /* role and instance name => its living peer */
    routing_t superseded[SUPERSEDED_MAX];
    size_t superseded_next;
    int64_t heartbeat_at_ms; /* the next round … */
    int64_t heartbeat_ms;    /* … and the last one */
    proto_arena_t *arena;
    strbuf_t scratch;
    strbuf_t body;
    link_stats_t stats;
};

link_listener_t *link_listener_new(const link_listener_config_t *config,
                                   const link_listener_ops_t *ops, void *ctx) {
    ASSERT(config->incarnation != 0);
    link_listener_t *self = xcalloc(1, sizeof(*self));
    self->config = config;
    self->ops = ops;
    self->ctx = ctx;
    self->arena = proto_arena_new();
    return self;
}

static void unlink_peer(link_listener_t *self, link_peer_t *peer) {
    HASH_DELETE(hh, self->by_routing, peer);
    HASH_DELETE(hh_identity, self->by_identity, peer);
}

void link_listener_free(link_listener_t **self_in) {
    link_listener_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    link_peer_t *peer = NULL, *next = NULL;
    HASH_ITER(hh, self->by_routing, peer, next) {
        unlink_peer(self, peer);
        free(peer);
    }
    proto_arena_free(&self->arena);
    strbuf_fini(&self->scratch);
    strbuf_fini(&self->body);
    free(self);
}

static link_peer_t *find_by_routing(link_listener_t *self, str_t routing_id) {
    link_peer_t *peer = NULL;
    HASH_FIND(hh, self->by_routing, routing_id.p, routing_id.n, peer);
    return peer;
}

static void remove_peer(link_listener_t *self, link_peer_t *peer, const char *reason) {
    unlink_peer(self, peer);
    self->stats.resyncs++;
    self->ops->down(self->ctx, peer, reason);
    free(peer);
}

/* ---- control messages: not counted ---- */

static void send_control(link_listener_t *self, str_t routing_id, uint16_t type,
                         uint64_t receiver) {
    strbuf_clear(&self->scratch);
    envelope_encode(
        &(envelope_t){.type = type, .receiver = receiver, .body = strbuf_str(&self->body)},
        &self->scratch);
    (void)!self->ops->transmit(self->ctx, routing_id, strbuf_str(&self->scratch));
}

static void send_resync(link_listener_t *self, str_t routing_id, unsigned reason) {
    strbuf_clear(&self->body);
    proto_resync_encode(&(proto_resync_t){.reason = reason}, &self->body);
    send_control(self, routing_id, MSG_RESYNC, 0);
}

static void send_refused(link_listener_t *self, str_t routing_id, unsigned reason,
                         const proto_hello_t *hello) {
    strbuf_clear(&self->body);
    proto_refused_encode(
        &(proto_refused_t){.reason = reason, .hello_id = hello ? hello->hello_id : 0}, &self->body);
    send_control(self, routing_id, MSG_REFUSED, hello ? hello->incarnation : 0);
}

static void send_welcome(link_listener_t *self, const link_peer_t *peer, uint64_t hello_id) {
    proto_welcome_t welcome = {
        .name = str_from(self->config->name),
        .incarnation = self->config->incarnation,
        .hello_id = hello_id,
        .lease_ms = LINK_LEASE_MS,
    };
    strbuf_clear(&self->body);
    proto_welcome_encode(&welcome, &self->body);
    send_control(self, (str_t){peer->routing.bytes, peer->routing.n}, MSG_WELCOME,
                 peer->incarnation);
}

/* ---- hello ---- */

static bool is_superseded(const link_listener_t *self, str_t routing_id) {
    for (size_t i = 0; i < SUPERSEDED_MAX; i++) {
        const routing_t *routing = &self->superseded[i];
        if (str_eq((str_t){routing->bytes, routing->n}, routing_id))
            return true;
    }
    return false;
}

/* Another process with this instance name is there: the later hello wins. */
static void supersede(link_listener_t *self, link_peer_t *older) {
    str_t routing_id = {older->routing.bytes, older->routing.n};
    strbuf_clear(&self->body);
    proto_refused_encode(&(proto_refused_t){.reason = REFUSED_SUPERSEDED}, &self->body);
    send_control(self, routing_id, MSG_REFUSED, older->incarnation);
    self->superseded[self->superseded_next] = older->routing;
    self->superseded_next = (self->superseded_next + 1) % SUPERSEDED_MAX;
    remove_peer(self, older, "a later process has its name");
}

static bool name_is_legal(str_t name) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return name.n > 0 && name.n <= NAME_BYTES;
}

/* Why this hello can't be accepted, NULL when it can. */
static const char *refusal(const link_listener_t *self, const link_origin_t *from,
                           const proto_hello_t *hello, unsigned *reason_out) {
    *reason_out = REFUSED_UNACCEPTABLE;
    bool one_role = hello->role && (hello->role & (hello->role - 1)) == 0;
    if (!one_role || !(hello->role & ROLE_CLIENTS))
        return "hello with a bad role";
    if (!(hello->role & from->roles))
        return "hello with a role that its key is not for";
    if (!name_is_legal(hello->name) || hello->incarnation == 0)
        return "hello with a bad name or incarnation";
    if (hello->broker_digest != self->config->broker_digest) {
        *reason_out = REFUSED_STALE_CONFIG;
        return "hello with another list of brokers";
    }
    if (is_superseded(self, from->routing_id)) {
        *reason_out = REFUSED_SUPERSEDED;
        return "hello of a process whose name a later one has";
    }
    if (HASH_COUNT(self->by_routing) >= LISTENER_MAX_PEERS)
        return "hello, but there are too many peers";
    return NULL;
}

/* Of a hello whose role and name are legal. */
static identity_t identity_of(const proto_hello_t *hello) {
    identity_t identity;
    memset(&identity, 0, sizeof(identity));
    identity.role = (role_t)hello->role;
    memcpy(identity.name, hello->name.p, hello->name.n);
    return identity;
}

static link_peer_t *new_peer(link_listener_t *self, str_t routing_id, const proto_hello_t *hello,
                             int64_t now_ms) {
    link_peer_t *peer = xcalloc(1, sizeof(*peer));
    peer->routing.n = routing_id.n;
    memcpy(peer->routing.bytes, routing_id.p, routing_id.n);
    peer->identity = identity_of(hello);
    peer->incarnation = hello->incarnation;
    peer->write_credit = (uint16_t)hello->write_credit;
    peer->read_credit = (uint16_t)hello->read_credit;
    peer->received_at_ms = now_ms;
    HASH_ADD(hh, self->by_routing, routing.bytes, peer->routing.n, peer);
    HASH_ADD(hh_identity, self->by_identity, identity, sizeof(peer->identity), peer);
    return peer;
}

static void on_hello(link_listener_t *self, const link_origin_t *from, const envelope_t *envelope,
                     int64_t now_ms) {
    str_t routing_id = from->routing_id;
    proto_hello_t hello;
    if (proto_hello_decode(envelope->body, self->arena, &hello) != OK) {
        self->stats.malformed++;
        self->ops->refused(self->ctx, routing_id, "hello that can't be read");
        return;
    }
    unsigned reason;
    const char *why = refusal(self, from, &hello, &reason);
    if (why) {
        self->ops->refused(self->ctx, routing_id, why);
        send_refused(self, routing_id, reason, &hello);
        return;
    }
    link_peer_t *same = find_by_routing(self, routing_id);
    if (same)
        remove_peer(self, same, "said hello anew");
    link_peer_t *older = NULL;
    identity_t identity = identity_of(&hello);
    HASH_FIND(hh_identity, self->by_identity, &identity, sizeof(identity), older);
    if (older)
        supersede(self, older);
    link_peer_t *peer = new_peer(self, routing_id, &hello, now_ms);
    send_welcome(self, peer, hello.hello_id);
    self->ops->up(self->ctx, peer);
}

/* ---- counted envelopes ---- */

/* Ends a link and asks for a new hello. */
static void break_link(link_listener_t *self, link_peer_t *peer, unsigned reason, const char *why) {
    self->stats.dropped++;
    send_resync(self, (str_t){peer->routing.bytes, peer->routing.n}, reason);
    remove_peer(self, peer, why);
}

static void send_heartbeat(link_listener_t *self, link_peer_t *peer, int64_t now_ms) {
    proto_heartbeat_t heartbeat = {.present = UINT64_C(1) << 1, .read_bytes = peer->flow.read};
    peer->flow.read_told = peer->flow.read;
    strbuf_clear(&self->body);
    proto_heartbeat_encode(&heartbeat, &self->body);
    envelope_t envelope = {.type = MSG_HEARTBEAT, .body = strbuf_str(&self->body)};
    (void)!link_listener_send(self, peer, &envelope, now_ms);
}

static void on_heartbeat(link_listener_t *self, link_peer_t *peer, const envelope_t *envelope) {
    proto_heartbeat_t heartbeat;
    if (proto_heartbeat_decode(envelope->body, self->arena, &heartbeat) != OK)
        self->stats.malformed++;
    else
        link_flow_told(&peer->flow,
                       PROTO_HAS(&heartbeat, 1) ? heartbeat.read_bytes : peer->flow.sent);
}

static void on_counted(link_listener_t *self, link_peer_t *peer, const envelope_t *envelope,
                       size_t bytes, int64_t now_ms) {
    str_t routing_id = {peer->routing.bytes, peer->routing.n};
    if (envelope->receiver != self->config->incarnation) {
        break_link(self, peer, RESYNC_INCARNATION, "meant another life of this broker");
        return;
    }
    if (now_ms - peer->received_at_ms > LINK_LEASE_MS) {
        break_link(self, peer, RESYNC_LEASE, "lease ended");
        return;
    }
    if (envelope->count != peer->count_in + 1) {
        break_link(self, peer, RESYNC_MISSING, "envelopes are missing");
        return;
    }
    peer->count_in++;
    peer->received_at_ms = now_ms;
    self->stats.received++;
    if (link_flow_read(&peer->flow, bytes))
        send_heartbeat(self, peer, now_ms);
    if (envelope->type == MSG_HEARTBEAT)
        on_heartbeat(self, peer, envelope);
    else if (envelope->type == MSG_GOODBYE)
        remove_peer(self, peer, "said goodbye");
    else if (proto_allowed(envelope->type, peer->identity.role, ROLE_BROKER))
        self->ops->deliver(self->ctx, peer, envelope);
    else if (proto_name(envelope->type))
        self->ops->refused(self->ctx, routing_id, "message that this role may not send");
}

/* A key that was taken back while its connection lives. */
static void refuse_key(link_listener_t *self, const link_origin_t *from) {
    link_peer_t *peer = find_by_routing(self, from->routing_id);
    self->ops->refused(self->ctx, from->routing_id, "a key that is not accepted any more");
    if (peer)
        remove_peer(self, peer, "its key is not accepted any more");
}

void link_listener_receive(link_listener_t *self, const link_origin_t *from, str_t frame,
                           int64_t now_ms) {
    envelope_t envelope;
    str_t routing_id = from->routing_id;
    if (routing_id.n == 0 || routing_id.n > LISTENER_ROUTING_BYTES ||
        envelope_decode(frame, &envelope) != OK) {
        self->stats.malformed++;
        self->ops->refused(self->ctx, routing_id, "bytes that are no envelope");
        return;
    }
    if (!from->roles) {
        refuse_key(self, from);
        return;
    }
    link_peer_t *peer = find_by_routing(self, routing_id);
    if (peer && !(peer->identity.role & from->roles)) {
        self->ops->refused(self->ctx, routing_id, "the routing id of a peer of another role");
    } else if (envelope.type == MSG_HELLO) {
        on_hello(self, from, &envelope, now_ms);
    } else if (peer && !peer->lost_reason) {
        on_counted(self, peer, &envelope, frame.n, now_ms);
    } else {
        self->stats.dropped++;
        send_resync(self, routing_id, RESYNC_UNKNOWN_PEER);
    }
}

err_t link_listener_send(link_listener_t *self, link_peer_t *peer, const envelope_t *envelope,
                         int64_t now_ms) {
    (void)now_ms;
    if (peer->lost_reason)
        return ERR_UNAVAILABLE;
    strbuf_clear(&self->scratch);
    envelope_encode(envelope, &self->scratch);
    size_t max = self->config->max_unread_bytes;
    if (link_flow_unread(&peer->flow) + self->scratch.n > (max ? max : LINK_UNREAD_MAX_BYTES)) {
        peer->lost_reason = "it doesn't read";
        return ERR_UNAVAILABLE;
    }
    peer->flow.sent += self->scratch.n;
    envelope_stamp(self->scratch.p, ++peer->count_out, peer->incarnation, envelope->deadline_ms);
    str_t routing_id = {peer->routing.bytes, peer->routing.n};
    if (!self->ops->transmit(self->ctx, routing_id, strbuf_str(&self->scratch))) {
        peer->lost_reason = "its queue is full or it is gone";
        return ERR_UNAVAILABLE;
    }
    self->stats.sent++;
    return OK;
}

void link_listener_probe(link_listener_t *self, int64_t now_ms) {
    int64_t probe_ms = now_ms + LISTENER_PROBE_MS;
    if (probe_ms < self->heartbeat_ms + LISTENER_PROBE_GAP_MS)
        probe_ms = self->heartbeat_ms + LISTENER_PROBE_GAP_MS;
    if (probe_ms < self->heartbeat_at_ms)
        self->heartbeat_at_ms = probe_ms;
}

void link_listener_tick(link_listener_t *self, int64_t now_ms) {
    bool heartbeat = now_ms >= self->heartbeat_at_ms;
    if (heartbeat) {
        self->heartbeat_ms = now_ms;
        self->heartbeat_at_ms = now_ms + LINK_HEARTBEAT_MS;
    }
    link_peer_t *peer = NULL, *next = NULL;
    HASH_ITER(hh, self->by_routing, peer, next) {
        if (!peer->lost_reason && now_ms - peer->received_at_ms > LINK_LEASE_MS)
            peer->lost_reason = "lease ended";
        else if (heartbeat)
            send_heartbeat(self, peer, now_ms);
        if (peer->lost_reason)
            remove_peer(self, peer, peer->lost_reason);
    }
}

/* ---- looking in ---- */

role_t link_peer_role(const link_peer_t *peer) {
    return peer->identity.role;
}

const char *link_peer_name(const link_peer_t *peer) {
    return peer->identity.name;
}

uint64_t link_peer_incarnation(const link_peer_t *peer) {
    return peer->incarnation;
}

uint16_t link_peer_write_credit(const link_peer_t *peer) {
    return peer->write_credit;
}

uint16_t link_peer_read_credit(const link_peer_t *peer) {
    return peer->read_credit;
}

bool link_peer_is_behind(const link_peer_t *peer) {
    return link_flow_is_behind(&peer->flow);
}

void link_peer_set_data(link_peer_t *peer, void *data) {
    peer->data = data;
}

void *link_peer_data(const link_peer_t *peer) {
    return peer->data;
}

size_t link_listener_peers(const link_listener_t *self) {
    return HASH_COUNT(self->by_routing);
}

size_t link_listener_unread_bytes(const link_listener_t *self, role_t role) {
    size_t most = 0;
    for (const link_peer_t *peer = self->by_routing; peer; peer = peer->hh.next) {
        size_t unread = link_flow_unread(&peer->flow);
        if (peer->identity.role == role && unread > most)
            most = unread;
    }
    return most;
}

const link_stats_t *link_listener_stats(const link_listener_t *self) {
    return &self->stats;
}
