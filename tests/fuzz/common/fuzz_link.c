/* A dialer and a listener over a wire that loses, corrupts, cuts and is written to by others.
 *  - every request ends exactly once, and what waits stays within its bound;
 *  - while nobody else writes on the wire, each life of a link delivers what was sent in its order
 *    and without a hole, both ways (of requests those that are still open);
 *  - and when the wire heals, the link comes up, and a request that was made before is answered. */
#include <utlist.h>

#include "common/link_listener.h"

#define ROUTING_ID "gateway-1/4d"

enum {
    REQUESTS = 512,
    PENDING_BYTES_MAX = 2000,
    TIMEOUT_STEP_MS = 100,
    TIMEOUT_STEPS = 256,
    HEAL_STEP_MS = 100,
    FRAMES_A_TURN = 64,
};

typedef struct frame {
    struct frame *prev, *next;
    char *bytes;
    size_t n;
} frame_t;

typedef struct {
    bool is_open;
    err_t err; /* how it ended */
} request_t;

typedef struct {
    const uint8_t *data;
    size_t n;
    int64_t now_ms;
    dialer_t *dialer;
    link_listener_t *listener;
    link_listener_config_t broker;
    link_peer_t *peer;
    frame_t *to_broker, *to_client;
    bool is_cut, is_mute; /* nothing can be sent; the broker answers nothing */
    bool is_forged;       /* somebody else wrote on the wire: anything may arrive */
    request_t requests[REQUESTS];
    uint64_t request_count, last_request;
    /* Sent and delivered in this life of the link; LEAVE to the broker, EXPEL to the client. */
    uint64_t leaves, last_leave, expels, last_expel;
} world_t;

static uint8_t take(world_t *self) {
    if (self->n == 0)
        return 0;
    self->n--;
    return *self->data++;
}

/* ---- the wire ---- */

static bool put(world_t *self, frame_t **wire, str_t bytes) {
    if (self->is_cut)
        return false;
    frame_t *frame = xcalloc(1, sizeof(*frame));
    frame->bytes = str_dup(bytes);
    frame->n = bytes.n;
    DL_APPEND(*wire, frame);
    return true;
}

static void drop(frame_t **wire) {
    frame_t *frame = *wire;
    if (!frame)
        return;
    DL_DELETE(*wire, frame);
    free(frame->bytes);
    free(frame);
}

/* Delivers the oldest frame of a wire. */
static void deliver(world_t *self, frame_t **wire) {
    frame_t *frame = *wire;
    if (!frame)
        return;
    DL_DELETE(*wire, frame);
    str_t bytes = {frame->bytes, frame->n};
    link_origin_t from = {.routing_id = STR(ROUTING_ID), .roles = ROLE_CLIENTS};
    if (wire == &self->to_broker)
        link_listener_receive(self->listener, &from, bytes, self->now_ms);
    else
        dialer_receive(self->dialer, bytes, self->now_ms);
    free(frame->bytes);
    free(frame);
}

static void deliver_all(world_t *self) {
    for (int i = 0; i < FRAMES_A_TURN && (self->to_broker || self->to_client); i++) {
        deliver(self, &self->to_broker);
        deliver(self, &self->to_client);
    }
}

/* ---- the dialer's side ---- */

static bool dialer_transmit(void *ctx, str_t frame) {
    world_t *self = ctx;
    return put(self, &self->to_broker, frame);
}

static void dialer_up(void *ctx, uint64_t epoch) {
    world_t *self = ctx;
    ASSERT(epoch != 0);
    self->last_expel = self->leaves = 0;
}

static void dialer_down(void *ctx, const char *reason) {
    ASSERT(ctx && reason);
}

static void dialer_deliver(void *ctx, const envelope_t *envelope) {
    world_t *self = ctx;
    ASSERT(self->is_forged || envelope->session == self->last_expel + 1);
    self->last_expel = envelope->session;
}

static void dialer_refused(void *ctx, unsigned reason) {
    ASSERT(((world_t *)ctx)->is_forged && dialer_refusal_text(reason));
}

static const dialer_ops_t dialer_ops = {dialer_transmit, dialer_up, dialer_down, dialer_deliver,
                                        dialer_refused};
static const dialer_config_t dialer_config = {.role = ROLE_GATEWAY,
                                              .name = "gateway-1",
                                              .incarnation = 77,
                                              .broker_digest = 5,
                                              .max_pending_bytes = PENDING_BYTES_MAX};

static void on_reply(void *arg, err_t err, const envelope_t *reply) {
    request_t *request = arg;
    ASSERT(request->is_open && (err == OK) == (reply != NULL));
    *request = (request_t){false, err};
}

/* False when too many bytes wait already. */
static bool make_request(world_t *self, uint8_t options) {
    request_t *request = &self->requests[self->request_count];
    envelope_t envelope = {.type = MSG_SEND,
                           .session = ++self->request_count,
                           .room = STR("conv_1_2"),
                           .body = STR("\x80")};
    link_request_t wanted = {.envelope = &envelope,
                             .timeout_ms = TIMEOUT_STEP_MS * (1u + options),
                             .link_bound = options & 1,
                             .on_reply = on_reply,
                             .arg = request};
    request->is_open = true;
    if (dialer_request(self->dialer, &wanted, self->now_ms))
        return true;
    request->is_open = false;
    return false;
}

static void leave(world_t *self) {
    envelope_t envelope = {.type = MSG_LEAVE, .session = self->leaves + 1, .body = STR("\x80")};
    if (dialer_send(self->dialer, &envelope, self->now_ms) == OK)
        self->leaves++;
}

/* ---- the broker's side ---- */

static bool listener_transmit(void *ctx, str_t to, str_t frame) {
    world_t *self = ctx;
    return !str_eq(to, STR(ROUTING_ID)) || put(self, &self->to_client, frame);
}

static void listener_up(void *ctx, link_peer_t *peer) {
    world_t *self = ctx;
    self->peer = peer;
    self->last_request = self->last_leave = self->expels = 0;
}

static void listener_down(void *ctx, link_peer_t *peer, const char *reason) {
    world_t *self = ctx;
    ASSERT(peer && reason);
    if (self->peer == peer)
        self->peer = NULL;
}

static void listener_deliver(void *ctx, link_peer_t *peer, const envelope_t *envelope) {
    world_t *self = ctx;
    if (envelope->type == MSG_LEAVE) {
        ASSERT(self->is_forged || envelope->session == self->last_leave + 1);
        self->last_leave = envelope->session;
        return;
    }
    ASSERT(self->is_forged || envelope->session > self->last_request);
    self->last_request = envelope->session;
    envelope_t reply = {.type = MSG_DONE,
                        .flags = ENVELOPE_REPLY,
                        .request_id = envelope->request_id,
                        .body = STR("\x80")};
    if (!self->is_mute)
        (void)!link_listener_send(self->listener, peer, &reply, self->now_ms);
}

static void listener_refused(void *ctx, str_t from, const char *what) {
    ASSERT(((world_t *)ctx)->is_forged && from.n && what);
}

static const link_listener_ops_t listener_ops = {listener_transmit, listener_up, listener_down,
                                                 listener_deliver, listener_refused};

static void expel(world_t *self) {
    envelope_t envelope = {.type = MSG_EXPEL, .session = ++self->expels, .body = STR("\x80")};
    if (self->peer)
        (void)!link_listener_send(self->listener, self->peer, &envelope, self->now_ms);
}

/* Another life of the broker: what was on the wires is gone with the connection. */
static void restart_broker(world_t *self) {
    link_listener_free(&self->listener);
    self->peer = NULL;
    self->broker.incarnation++;
    self->listener = link_listener_new(&self->broker, &listener_ops, self);
    while (self->to_broker)
        drop(&self->to_broker);
    while (self->to_client)
        drop(&self->to_client);
}

/* ---- what happens ---- */

static void inject(world_t *self) {
    frame_t **wire = take(self) & 1 ? &self->to_broker : &self->to_client;
    size_t n = take(self);
    n = n < self->n ? n : self->n;
    if (put(self, wire, (str_t){(const char *)self->data, n}))
        self->is_forged = true;
    self->data += n;
    self->n -= n;
}

static void corrupt(world_t *self) {
    frame_t *frame = take(self) & 1 ? self->to_broker : self->to_client;
    size_t at = take(self);
    if (!frame || frame->n == 0)
        return;
    frame->bytes[at % frame->n] ^= (char)take(self);
    self->is_forged = true;
}

static void pass_time(world_t *self, int64_t ms) {
    self->now_ms += ms;
    dialer_tick(self->dialer, self->now_ms);
    link_listener_tick(self->listener, self->now_ms);
}

static void step(world_t *self) {
    switch (take(self) % 14) {
    case 0:
    case 1:
        make_request(self, take(self));
        break;
    case 2:
        deliver(self, &self->to_broker);
        break;
    case 3:
        deliver(self, &self->to_client);
        break;
    case 4:
        deliver_all(self);
        break;
    case 5:
        drop(take(self) & 1 ? &self->to_broker : &self->to_client);
        break;
    case 6:
        pass_time(self, take(self) * 16);
        break;
    case 7:
        self->is_cut = !self->is_cut;
        break;
    case 8:
        inject(self);
        break;
    case 9:
        corrupt(self);
        break;
    case 10:
        restart_broker(self);
        break;
    case 11:
        expel(self);
        break;
    case 12:
        leave(self);
        break;
    default:
        self->is_mute = !self->is_mute;
        break;
    }
}

/* The wire heals: the link comes up, and every request ends. */
static void finish(world_t *self) {
    self->is_cut = true;
    request_t *last = &self->requests[self->request_count];
    bool is_made = make_request(self, TIMEOUT_STEPS - 2); /* even: goes on in the next life */
    self->is_cut = self->is_mute = false;
    for (int i = 0; i < TIMEOUT_STEPS * TIMEOUT_STEP_MS / HEAL_STEP_MS + 10; i++) {
        deliver_all(self);
        pass_time(self, HEAL_STEP_MS);
    }
    for (size_t i = 0; i < self->request_count; i++)
        ASSERT(!self->requests[i].is_open);
    ASSERT(self->is_forged || !is_made || last->err == OK);
    ASSERT(dialer_pending(self->dialer) == 0);
    ASSERT(self->is_forged || dialer_state(self->dialer) == DIALER_UP);
    dialer_free(&self->dialer);
    restart_broker(self);
    link_listener_free(&self->listener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    world_t *self = xcalloc(1, sizeof(*self));
    self->data = data;
    self->n = n;
    self->now_ms = 1000;
    self->broker =
        (link_listener_config_t){.name = "broker-1", .incarnation = 900, .broker_digest = 5};
    self->dialer = dialer_new(&dialer_config, &dialer_ops, self);
    self->listener = link_listener_new(&self->broker, &listener_ops, self);
    while (self->n && self->request_count < REQUESTS - 1) {
        step(self);
        ASSERT(dialer_pending_bytes(self->dialer) <= PENDING_BYTES_MAX);
    }
    finish(self);
    free(self);
    return 0;
}
