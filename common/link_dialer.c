#include "common/link_dialer.h"

#include "common/deadline.h"
#include "common/siphash.h"

#include <utlist.h>

enum { HELLO_MAX_MS = 2000 };

/* A request that has no answer yet. */
typedef struct pending {
    uint64_t id;
    uint64_t sent_in; /* the link (hello id) that it last went out on, 0 for none */
    bool link_bound;
    deadline_t deadline;
    dialer_reply_fn on_reply;
    void *arg;
    struct pending *prev, *next; /* in the order made */
    UT_hash_handle hh;           /* by id */
    size_t n;
    char frame[];
} pending_t;

struct dialer {
    const dialer_config_t *config;
    const dialer_ops_t *ops;
    void *ctx;
    dialer_state_t state;
    const char *lost_reason; /* set: `down` is due */
    uint64_t epoch;
    uint64_t hello_id;
    int64_t hello_at_ms;  /* when to say hello next */
    int64_t hello_gap_ms; /* doubles while hellos go out unanswered */
    int64_t heartbeat_at_ms;
    int64_t received_at_ms; /* the last sign of life */
    uint32_t count_out;
    uint32_t count_in;
    link_flow_t flow;
    uint64_t next_request_id;
    pending_t *requests; /* list, oldest first */
    pending_t *by_id;    /* id => request */
    size_t pending_bytes;
    deadline_heap_t deadlines;
    proto_arena_t *arena;
    strbuf_t scratch;
    strbuf_t body;
    link_stats_t stats;
};

dialer_t *dialer_new(const dialer_config_t *config, const dialer_ops_t *ops, void *ctx) {
    ASSERT(config->incarnation != 0);
    dialer_t *self = xcalloc(1, sizeof(*self));
    self->config = config;
    self->ops = ops;
    self->ctx = ctx;
    self->next_request_id = 1;
    self->hello_gap_ms = DIALER_HELLO_MS;
    self->arena = proto_arena_new();
    return self;
}

static size_t cost_of(size_t frame_bytes) {
    return sizeof(pending_t) + frame_bytes;
}

static void forget(dialer_t *self, pending_t *request) {
    DL_DELETE(self->requests, request);
    HASH_DELETE(hh, self->by_id, request);
    deadline_remove(&self->deadlines, &request->deadline);
    self->pending_bytes -= cost_of(request->n);
}

void dialer_free(dialer_t **self_in) {
    dialer_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    while (self->requests) {
        pending_t *request = self->requests;
        forget(self, request);
        free(request);
    }
    deadline_heap_fini(&self->deadlines);
    proto_arena_free(&self->arena);
    strbuf_fini(&self->scratch);
    strbuf_fini(&self->body);
    free(self);
}

/* Ends the request with an error, by its reply function. */
static void fail(dialer_t *self, pending_t *request, err_t err) {
    forget(self, request);
    request->on_reply(request->arg, err, NULL);
    free(request);
}

/* ---- sending ---- */

static void lose(dialer_t *self, const char *reason, int64_t now_ms) {
    if (self->state != DIALER_UP && self->state != DIALER_SYNCING)
        return;
    self->state = DIALER_HELLO;
    self->lost_reason = reason;
    self->hello_at_ms = now_ms;
    self->hello_gap_ms = DIALER_HELLO_MS;
    self->stats.resyncs++;
}

static size_t max_unread_bytes(const dialer_t *self) {
    size_t max = self->config->max_unread_bytes;
    return max ? max : LINK_UNREAD_MAX_BYTES;
}

/* Sends an encoded frame as the next one of this link. */
static bool transmit_counted(dialer_t *self, char *frame, size_t n, uint32_t deadline_ms,
                             int64_t now_ms) {
    if (link_flow_unread(&self->flow) + n > max_unread_bytes(self)) {
        lose(self, "the broker doesn't read", now_ms);
        return false;
    }
    self->flow.sent += n;
    envelope_stamp(frame, ++self->count_out, self->epoch, deadline_ms);
    if (!self->ops->transmit(self->ctx, (str_t){frame, n})) {
        lose(self, "transmission failed", now_ms);
        return false;
    }
    self->stats.sent++;
    return true;
}

static void transmit_request(dialer_t *self, pending_t *request, int64_t now_ms) {
    int64_t left = request->deadline.at_ms - now_ms;
    uint32_t deadline_ms = left > 0 ? (uint32_t)left : 1;
    if (request->sent_in)
        self->stats.resent++;
    if (transmit_counted(self, request->frame, request->n, deadline_ms, now_ms))
        request->sent_in = self->hello_id;
}

static void say_hello(dialer_t *self, int64_t now_ms) {
    const dialer_config_t *config = self->config;
    proto_hello_t hello = {
        .role = config->role,
        .name = str_from(config->name),
        .incarnation = config->incarnation,
        .hello_id = ++self->hello_id,
        .broker_digest = config->broker_digest,
        .version = STR(PARLEY_VERSION),
        .write_credit = config->write_credit,
        .read_credit = config->read_credit,
    };
    strbuf_clear(&self->body);
    strbuf_clear(&self->scratch);
    proto_hello_encode(&hello, &self->body);
    envelope_encode(&(envelope_t){.type = MSG_HELLO, .body = strbuf_str(&self->body)},
                    &self->scratch);
    self->hello_at_ms = now_ms + self->hello_gap_ms;
    if (!self->ops->transmit(self->ctx, strbuf_str(&self->scratch)))
        return;
    /* A busy broker answers late, and each hello makes its answer to the one before worthless. */
    if (self->hello_gap_ms < HELLO_MAX_MS)
        self->hello_gap_ms *= 2;
}

err_t dialer_send(dialer_t *self, const envelope_t *envelope, int64_t now_ms) {
    if (self->state != DIALER_UP && self->state != DIALER_SYNCING)
        return ERR_UNAVAILABLE;
    strbuf_clear(&self->scratch);
    envelope_encode(envelope, &self->scratch);
    return transmit_counted(self, self->scratch.p, self->scratch.n, 0, now_ms) ? OK
                                                                               : ERR_UNAVAILABLE;
}

uint64_t dialer_request(dialer_t *self, const link_request_t *request, int64_t now_ms) {
    envelope_t envelope = *request->envelope;
    size_t n = ENVELOPE_HEAD_BYTES + envelope.room.n + envelope.user.n + envelope.body.n;
    const dialer_config_t *config = self->config;
    if (self->pending_bytes + cost_of(n) > config->max_pending_bytes ||
        (config->max_pending && dialer_pending(self) >= config->max_pending))
        return 0;
    pending_t *pending = xmalloc(sizeof(*pending) + n);
    *pending = (pending_t){
        .id = self->next_request_id++,
        .link_bound = request->link_bound,
        .on_reply = request->on_reply,
        .arg = request->arg,
        .n = n,
    };
    envelope.request_id = pending->id;
    envelope.flags = 0;
    strbuf_clear(&self->scratch);
    envelope_encode(&envelope, &self->scratch);
    memcpy(pending->frame, self->scratch.p, n);
    DL_APPEND(self->requests, pending);
    HASH_ADD(hh, self->by_id, id, sizeof(pending->id), pending);
    deadline_add(&self->deadlines, &pending->deadline, now_ms + request->timeout_ms);
    self->pending_bytes += cost_of(n);
    /* While syncing, other requests wait their turn behind the older ones. */
    if (self->state == DIALER_UP || (self->state == DIALER_SYNCING && pending->link_bound))
        transmit_request(self, pending, now_ms);
    return pending->id;
}

static pending_t *find_request(dialer_t *self, uint64_t id) {
    pending_t *request = NULL;
    HASH_FIND(hh, self->by_id, &id, sizeof(id), request);
    return request;
}

void dialer_cancel(dialer_t *self, uint64_t request_id) {
    pending_t *request = find_request(self, request_id);
    if (!request)
        return;
    forget(self, request);
    free(request);
}

void dialer_goodbye(dialer_t *self, int64_t now_ms) {
    strbuf_clear(&self->body);
    proto_goodbye_encode(&(proto_goodbye_t){0}, &self->body);
    (void)!dialer_send(self, &(envelope_t){.type = MSG_GOODBYE, .body = strbuf_str(&self->body)},
                       now_ms);
}

/* ---- receiving ---- */

/* Repeats what has no answer, oldest first. Requests made meanwhile join the end of the list. */
static void resend_all(dialer_t *self, int64_t now_ms) {
    pending_t *request = NULL;
    DL_FOREACH(self->requests, request) {
        if (request->sent_in != self->hello_id)
            transmit_request(self, request, now_ms);
        if (self->state != DIALER_SYNCING)
            return;
    }
    self->state = DIALER_UP;
}

/* Ends what was bound to the link that is gone, and tells the service. */
static void finish_losing(dialer_t *self) {
    if (!self->lost_reason)
        return;
    const char *reason = self->lost_reason;
    self->lost_reason = NULL;
    for (bool again = true; again;) {
        pending_t *request = NULL;
        again = false;
        DL_FOREACH(self->requests, request) {
            if (request->link_bound) {
                fail(self, request, ERR_CLOSED);
                again = true; /* the reply function may have changed the list */
                break;
            }
        }
    }
    self->ops->down(self->ctx, reason);
}

static void on_welcome(dialer_t *self, const envelope_t *envelope, int64_t now_ms) {
    proto_welcome_t welcome;
    if (proto_welcome_decode(envelope->body, self->arena, &welcome) != OK) {
        self->stats.malformed++;
        return;
    }
    if (self->state != DIALER_HELLO || welcome.hello_id != self->hello_id)
        return;
    finish_losing(self);
    self->state = DIALER_SYNCING;
    self->epoch = welcome.incarnation;
    self->count_in = self->count_out = 0;
    self->flow = (link_flow_t){0};
    self->received_at_ms = now_ms;
    self->heartbeat_at_ms = now_ms + LINK_HEARTBEAT_MS;
    self->hello_gap_ms = DIALER_HELLO_MS;
    self->ops->up(self->ctx, self->epoch);
    if (self->state == DIALER_SYNCING)
        resend_all(self, now_ms);
}

const char *dialer_refusal_text(unsigned reason) {
    static const char *const texts[] = {"unknown", "a later process has this INSTANCE",
                                        "BROKERS differs from the broker's", "bad role or version"};
    return texts[reason < sizeof(texts) / sizeof(texts[0]) ? reason : 0];
}

static void on_refused(dialer_t *self, const envelope_t *envelope) {
    proto_refused_t refused;
    if (proto_refused_decode(envelope->body, self->arena, &refused) != OK) {
        self->stats.malformed++;
        return;
    }
    bool answers_hello = self->state == DIALER_HELLO && refused.hello_id == self->hello_id;
    if (!answers_hello &&
        (refused.hello_id != 0 || envelope->receiver != self->config->incarnation))
        return;
    self->state = DIALER_REFUSED;
    self->ops->refused(self->ctx, (unsigned)refused.reason);
}

/* An answer to one of our requests; false when it isn't one. */
static bool on_reply(dialer_t *self, const envelope_t *envelope) {
    if (!(envelope->flags & ENVELOPE_REPLY))
        return false;
    pending_t *request = find_request(self, envelope->request_id);
    if (request) {
        forget(self, request);
        request->on_reply(request->arg, OK, envelope);
        free(request);
    }
    return true;
}

static void send_heartbeat(dialer_t *self, int64_t now_ms) {
    proto_heartbeat_t heartbeat = {.present = UINT64_C(1) << 1, .read_bytes = self->flow.read};
    self->heartbeat_at_ms = now_ms + LINK_HEARTBEAT_MS;
    self->flow.read_told = self->flow.read;
    strbuf_clear(&self->body);
    proto_heartbeat_encode(&heartbeat, &self->body);
    (void)!dialer_send(self, &(envelope_t){.type = MSG_HEARTBEAT, .body = strbuf_str(&self->body)},
                       now_ms);
}

static void on_heartbeat(dialer_t *self, const envelope_t *envelope) {
    proto_heartbeat_t heartbeat;
    if (proto_heartbeat_decode(envelope->body, self->arena, &heartbeat) != OK)
        self->stats.malformed++;
    else
        link_flow_told(&self->flow,
                       PROTO_HAS(&heartbeat, 1) ? heartbeat.read_bytes : self->flow.sent);
}

static void on_counted(dialer_t *self, const envelope_t *envelope, size_t bytes, int64_t now_ms) {
    if (envelope->receiver != self->config->incarnation) {
        self->stats.dropped++;
        return;
    }
    if (envelope->count != self->count_in + 1) {
        self->stats.dropped++;
        lose(self, "envelopes are missing", now_ms);
        return;
    }
    self->count_in++;
    self->received_at_ms = now_ms;
    self->stats.received++;
    if (link_flow_read(&self->flow, bytes))
        send_heartbeat(self, now_ms);
    if (envelope->type == MSG_HEARTBEAT)
        on_heartbeat(self, envelope);
    else if (on_reply(self, envelope))
        return;
    else if (proto_allowed(envelope->type, ROLE_BROKER, self->config->role))
        self->ops->deliver(self->ctx, envelope);
}

static void check_lease(dialer_t *self, int64_t now_ms) {
    if ((self->state == DIALER_UP || self->state == DIALER_SYNCING) &&
        now_ms - self->received_at_ms > LINK_LEASE_MS)
        lose(self, "lease ended", now_ms);
}

void dialer_receive(dialer_t *self, str_t frame, int64_t now_ms) {
    envelope_t envelope;
    if (envelope_decode(frame, &envelope) != OK) {
        self->stats.malformed++;
        return;
    }
    check_lease(self, now_ms);
    if (envelope.type == MSG_WELCOME)
        on_welcome(self, &envelope, now_ms);
    else if (envelope.type == MSG_REFUSED)
        on_refused(self, &envelope);
    else if (self->state != DIALER_UP)
        self->stats.dropped++;
    else if (envelope.type == MSG_RESYNC)
        lose(self, "broker asks for resync", now_ms);
    else
        on_counted(self, &envelope, frame.n, now_ms);
}

/* ---- time ---- */

void dialer_tick(dialer_t *self, int64_t now_ms) {
    check_lease(self, now_ms);
    finish_losing(self);
    if (self->state == DIALER_HELLO && now_ms >= self->hello_at_ms)
        say_hello(self, now_ms);
    if (self->state == DIALER_UP && now_ms >= self->heartbeat_at_ms)
        send_heartbeat(self, now_ms);
    deadline_t *due;
    while ((due = deadline_pop_due(&self->deadlines, now_ms)))
        fail(self, DEADLINE_OWNER(due, pending_t, deadline), ERR_TIMEOUT);
}

void dialer_lost(dialer_t *self, const char *reason, int64_t now_ms) {
    lose(self, reason, now_ms);
}

/* ---- looking in ---- */

dialer_state_t dialer_state(const dialer_t *self) {
    return self->state;
}

uint64_t dialer_epoch(const dialer_t *self) {
    return self->epoch;
}

size_t dialer_pending(const dialer_t *self) {
    return HASH_COUNT(self->by_id);
}

size_t dialer_pending_bytes(const dialer_t *self) {
    return self->pending_bytes;
}

size_t dialer_unread_bytes(const dialer_t *self) {
    return link_flow_unread(&self->flow);
}

bool dialer_is_crowded(const dialer_t *self) {
    const dialer_config_t *config = self->config;
    return self->pending_bytes > config->max_pending_bytes / 2 ||
           (config->max_pending && dialer_pending(self) > config->max_pending / 2);
}

bool dialer_is_behind(const dialer_t *self) {
    return link_flow_is_behind(&self->flow);
}

const link_stats_t *dialer_stats(const dialer_t *self) {
    return &self->stats;
}
