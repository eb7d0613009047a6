#include "gateway/socketio/eio_session.h"

#include "gateway/socketio/base64.h"

enum { SID_RANDOM_BYTES = 18 };

#define DEFAULT(field, value)                                                                      \
    do {                                                                                           \
        if (!(field))                                                                              \
            (field) = (value);                                                                     \
    } while (0)

static void fill_defaults(eio_server_options_t *options) {
    DEFAULT(options->path, "/socket.io/");
    DEFAULT(options->transports, EIO_POLLING | EIO_WEBSOCKET);
    DEFAULT(options->ping_interval_ms, 25000);
    DEFAULT(options->ping_timeout_ms, 20000);
    DEFAULT(options->upgrade_timeout_ms, 10000);
    DEFAULT(options->closing_timeout_ms, 30000);
    DEFAULT(options->max_payload, 1000000);
    DEFAULT(options->max_fragments, 1024);
    DEFAULT(options->max_queue_bytes, 4 * 1024 * 1024);
    DEFAULT(options->max_total_queue_bytes, UINT64_C(512) << 20);
    DEFAULT(options->max_total_input_bytes, UINT64_C(256) << 20);
    DEFAULT(options->max_sessions, 100000);
    DEFAULT(options->sid_prefix, "");
}

eio_server_t *eio_server_create(const eio_server_options_t *options, const eio_handlers_t *handlers,
                                const eio_transport_t *transport) {
    eio_server_t *self = xcalloc(1, sizeof(*self));
    self->options = *options;
    fill_defaults(&self->options);
    self->handlers = *handlers;
    self->transport = transport;
    self->ping = eio_packet_new(EIO_PING, (str_t){0});
    return self;
}

void eio_server_destroy(eio_server_t **server) {
    eio_server_t *self = *server;
    *server = NULL;
    if (!self)
        return;
    eio_session_t *session, *next;
    HASH_ITER(hh, self->sessions, session, next) {
        ASSERT(session->state == EIO_STATE_LINGERING);
        eio_server_remove(session);
    }
    ASSERT(!self->dirty && self->counters.queued_bytes == 0 && self->counters.input_bytes == 0);
    eio_packet_unref(&self->ping);
    strbuf_fini(&self->out);
    strbuf_fini(&self->scratch);
    free(self);
}

void eio_server_drain(eio_server_t *self) {
    self->draining = true;
}

const eio_counters_t *eio_server_counters(const eio_server_t *self) {
    return &self->counters;
}

/* A session that lingers is only there to say so. */
static bool drop_lingering(eio_server_t *self) {
    timeout_t *first = self->lingering.head;
    eio_session_t *session =
        first ? (eio_session_t *)((char *)first - offsetof(eio_session_t, deadline)) : NULL;
    if (!session || session->poll || session->dirty)
        return false;
    eio_server_remove(session);
    return true;
}

bool eio_server_evict(eio_server_t *self) {
    bool evicted = self->layer.evict && self->layer.evict(self->layer.arg);
    self->counters.evicted += evicted;
    return evicted;
}

bool eio_server_has_room(eio_server_t *self) {
    if (self->draining)
        return false;
    return HASH_COUNT(self->sessions) < self->options.max_sessions || drop_lingering(self) ||
           eio_server_evict(self);
}

bool eio_server_take(eio_server_t *self, size_t own, size_t more) {
    if (self->counters.input_bytes + own + more > self->options.max_total_input_bytes) {
        self->counters.refused_input++;
        return false;
    }
    self->counters.input_bytes += more;
    return true;
}

void eio_server_give(eio_server_t *self, size_t bytes) {
    ASSERT(self->counters.input_bytes >= bytes);
    self->counters.input_bytes -= bytes;
}

eio_session_t *eio_server_find(const eio_server_t *self, str_t sid) {
    eio_session_t *session = NULL;
    if (sid.n)
        HASH_FIND(hh, self->sessions, sid.p, sid.n, session);
    return session && session->state == EIO_STATE_CLOSING ? NULL : session;
}

/* Appends "<prefix>.<random>". */
static void append_sid(eio_server_t *self, strbuf_t *to) {
    unsigned char bytes[SID_RANDOM_BYTES];
    self->transport->random(bytes, sizeof(bytes));
    if (self->options.sid_prefix[0])
        strbuf_printf(to, "%s.", self->options.sid_prefix);
    base64url_append(to, (str_t){(const char *)bytes, sizeof(bytes)});
}

static eio_session_t *new_session(eio_server_t *self) {
    strbuf_t sid = {0};
    eio_session_t *existing;
    do {
        strbuf_clear(&sid);
        append_sid(self, &sid);
        HASH_FIND(hh, self->sessions, sid.p, sid.n, existing);
    } while (existing);
    ASSERT(sid.n <= UINT8_MAX);
    eio_session_t *session = xcalloc(1, sizeof(*session) + sid.n);
    session->server = self;
    session->sid_length = (uint8_t)sid.n;
    memcpy(session->sid, sid.p, sid.n);
    HASH_ADD_KEYPTR(hh, self->sessions, session->sid, sid.n, session);
    strbuf_fini(&sid);
    return session;
}

static void queue_open_packet(eio_session_t *session) {
    const eio_server_options_t *options = &session->server->options;
    bool upgradable = !session->ws && (options->transports & EIO_WEBSOCKET);
    strbuf_t json = {0};
    strbuf_append(&json, STR("{\"sid\":"));
    strbuf_append_json_string(&json, eio_session_sid(session));
    strbuf_printf(&json,
                  ",\"upgrades\":[%s],\"pingInterval\":%u,\"pingTimeout\":%u,\"maxPayload\":%u}",
                  upgradable ? "\"websocket\"" : "", options->ping_interval_ms,
                  options->ping_timeout_ms, options->max_payload);
    eio_packet_t *packet = eio_packet_new(EIO_OPEN, strbuf_str(&json));
    eio_send_packet(session, packet);
    eio_packet_unref(&packet);
    strbuf_fini(&json);
}

eio_session_t *eio_server_open(eio_server_t *self, eio_request_t *request, void *poll, void *ws,
                               uint64_t now_ms) {
    eio_session_t *session = new_session(self);
    session->request = request;
    session->poll = poll;
    session->ws = ws;
    session->opening = ws == NULL;
    self->counters.handshakes++;
    (*(ws ? &self->counters.sessions_websocket : &self->counters.sessions_polling))++;
    timeout_set(&session->deadline, &self->pings, now_ms + self->options.ping_interval_ms);
    queue_open_packet(session);
    self->handlers.on_open(self->handlers.arg, session);
    return session;
}

void eio_server_refused(eio_server_t *self, const char *event, const char *detail,
                        const eio_request_t *request) {
    self->counters.refused++;
    if (self->options.on_refused)
        self->options.on_refused(self->options.arg, event, detail, request);
}

void eio_server_mark_dirty(eio_session_t *session) {
    eio_server_t *self = session->server;
    if (session->dirty)
        return;
    session->dirty = true;
    session->next_dirty = NULL;
    *(self->dirty ? &self->last_dirty->next_dirty : &self->dirty) = session;
    self->last_dirty = session;
}

void eio_server_flush(eio_server_t *self, uint64_t now_ms) {
    bool layer_worked;
    do {
        layer_worked = self->layer.flush && self->layer.flush(self->layer.arg, now_ms);
        while (self->dirty) {
            eio_session_t *session = self->dirty;
            self->dirty = session->next_dirty;
            session->dirty = false;
            eio_session_flush(session, now_ms);
        }
    } while (layer_worked);
}

void eio_server_remove(eio_session_t *session) {
    ASSERT(!session->dirty && !session->poll && !session->ws && !session->upgrade);
    timeout_clear(&session->deadline);
    while (session->queue.n)
        eio_session_pop(session);
    eio_request_free(&session->request);
    HASH_DEL(session->server->sessions, session);
    free(session);
}

static eio_session_t *session_of(timeout_t *deadline) {
    return (eio_session_t *)((char *)deadline - offsetof(eio_session_t, deadline));
}

void eio_server_advance(eio_server_t *self, uint64_t now_ms) {
    timeout_t *due;
    while ((due = timeout_pop_due(&self->pings, now_ms)))
        eio_session_send_ping(session_of(due), now_ms);
    while ((due = timeout_pop_due(&self->pongs, now_ms)))
        eio_close(session_of(due), EIO_CLOSE_PING_TIMEOUT);
    while ((due = timeout_pop_due(&self->upgrades, now_ms)))
        eio_session_drop_upgrade(((eio_upgrade_t *)due)->session);
    while ((due = timeout_pop_due(&self->releases, now_ms)))
        eio_session_release(
            ((eio_upgrade_t *)((char *)due - offsetof(eio_upgrade_t, release)))->session);
    while ((due = timeout_pop_due(&self->lingering, now_ms))) {
        if (!session_of(due)->poll) /* else the next flush ends it */
            eio_server_remove(session_of(due));
    }
    if (self->layer.advance)
        self->layer.advance(self->layer.arg, now_ms);
}

uint64_t eio_server_next_deadline(const eio_server_t *self) {
    const timeout_list_t *lists[] = {&self->pings, &self->pongs, &self->upgrades, &self->releases,
                                     &self->lingering};
    uint64_t next =
        self->layer.next_deadline ? self->layer.next_deadline(self->layer.arg) : TIMEOUT_NONE;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        uint64_t first = timeout_first(lists[i]);
        next = first < next ? first : next;
    }
    return next;
}

void eio_server_close_all(eio_server_t *self, eio_close_t reason) {
    eio_session_t *session, *next;
    HASH_ITER(hh, self->sessions, session, next) {
        eio_close(session, reason);
    }
}
