#include "gateway/socketio/eio_session.h"

enum { COALESCE_BYTES = 64 * 1024 };

static const char *const close_names[EIO_CLOSE_REASONS] = {
    [EIO_CLOSE_TRANSPORT] = "transport_close",
    [EIO_CLOSE_CLIENT] = "client_close",
    [EIO_CLOSE_PING_TIMEOUT] = "ping_timeout",
    [EIO_CLOSE_PARSE_ERROR] = "parse_error",
    [EIO_CLOSE_TOO_LARGE] = "too_large",
    [EIO_CLOSE_POLL_CONFLICT] = "poll_conflict",
    [EIO_CLOSE_QUEUE_LIMIT] = "queue_limit",
    [EIO_CLOSE_PROTOCOL_ERROR] = "protocol_error",
    [EIO_CLOSE_CONNECT_TIMEOUT] = "connect_timeout",
    [EIO_CLOSE_CLIENT_LEFT] = "client_left",
    [EIO_CLOSE_SERVER_LEFT] = "server_left",
    [EIO_CLOSE_SERVER] = "server_close",
    [EIO_CLOSE_OVERLOAD] = "overload",
    [EIO_CLOSE_SHUTDOWN] = "shutdown",
};

const char *eio_close_name(eio_close_t reason) {
    return (unsigned)reason < EIO_CLOSE_REASONS ? close_names[reason] : "unknown";
}

/* ---- the queue ---- */

static void push(eio_session_t *self, eio_packet_t *packet) {
    eio_queue_push(&self->queue, packet);
    self->server->counters.queued_bytes += eio_packet_cost(packet);
}

void eio_session_pop(eio_session_t *self) {
    self->server->counters.queued_bytes -= eio_packet_cost(eio_queue_first(&self->queue));
    eio_queue_pop(&self->queue);
}

static void count_out(eio_session_t *self, const eio_packet_t *packet) {
    self->server->counters.packets_out++;
    self->server->counters.bytes_out += eio_packet_size(packet);
}

void eio_send_packet(eio_session_t *self, eio_packet_t *packet) {
    if (self->state != EIO_STATE_OPEN)
        return;
    const eio_server_t *server = self->server;
    push(self, packet);
    if (self->queue.cost > server->options.max_queue_bytes ||
        server->counters.queued_bytes + self->queue.cost > server->options.max_total_queue_bytes)
        eio_close(self, EIO_CLOSE_QUEUE_LIMIT);
    else
        eio_server_mark_dirty(self);
}

static void send_new(eio_session_t *self, eio_packet_t *packet) {
    eio_send_packet(self, packet);
    eio_packet_unref(&packet);
}

void eio_send_text(eio_session_t *self, str_t text) {
    send_new(self, eio_packet_text(text));
}

void eio_send_binary(eio_session_t *self, str_t bytes) {
    send_new(self, eio_packet_binary(bytes));
}

/* ---- states ---- */

static uint64_t *transport_gauge(eio_session_t *self) {
    eio_counters_t *counters = &self->server->counters;
    return self->ws ? &counters->sessions_websocket : &counters->sessions_polling;
}

static void set_state(eio_session_t *self, eio_state_t state) {
    ASSERT(state > self->state);
    if (self->state == EIO_STATE_OPEN)
        (*transport_gauge(self))--;
    self->state = (uint8_t)state;
}

void eio_close(eio_session_t *self, eio_close_t reason) {
    if (self->state != EIO_STATE_OPEN)
        return;
    set_state(self, EIO_STATE_CLOSING);
    self->close_reason = (uint8_t)reason;
    self->server->counters.closes[reason]++;
    timeout_clear(&self->deadline);
    eio_server_mark_dirty(self);
}

/* Does a polling client without a held GET wait to be told? Not when it ended the session itself or
 * can't be expected back. */
static bool is_told_later(const eio_session_t *self) {
    if (HASH_COUNT(self->server->sessions) > self->server->options.max_sessions)
        return false;
    switch (self->close_reason) {
    case EIO_CLOSE_PROTOCOL_ERROR:
    case EIO_CLOSE_CONNECT_TIMEOUT:
    case EIO_CLOSE_SERVER:
    case EIO_CLOSE_OVERLOAD:
    case EIO_CLOSE_SHUTDOWN:
        return self->ws == NULL;
    default:
        return false;
    }
}

/* ---- heartbeat ---- */

void eio_session_send_ping(eio_session_t *self, uint64_t now_ms) {
    eio_server_t *server = self->server;
    uint32_t timeout = server->options.ping_timeout_ms;
    /* From when the ping was due, so that the client's and our clocks agree; unless we come so late
     * (the process was stopped, say) that the client could not answer in time. */
    uint64_t due = self->deadline.at_ms;
    uint64_t from = now_ms > due + timeout / 2 ? now_ms : due;
    self->awaits_pong = true;
    self->extended = false;
    timeout_set(&self->deadline, &server->pongs, from + timeout);
    eio_send_packet(self, server->ping);
}

static void handle_pong(eio_session_t *self, uint64_t now_ms) {
    if (!self->awaits_pong)
        return;
    self->awaits_pong = false;
    timeout_set(&self->deadline, &self->server->pings,
                now_ms + self->server->options.ping_interval_ms);
}

/* Any other packet shows that the client lives: it prolongs the wait, once per ping. */
static void note_life(eio_session_t *self, uint64_t now_ms) {
    if (!self->awaits_pong || self->extended)
        return;
    self->extended = true;
    timeout_set(&self->deadline, &self->server->pongs,
                now_ms + self->server->options.ping_timeout_ms);
}

/* ---- packets ---- */

static err_t handle_packet(eio_session_t *self, const eio_incoming_t *incoming, uint64_t now_ms) {
    eio_server_t *server = self->server;
    server->counters.packets_in++;
    server->counters.bytes_in += incoming->payload.n + (incoming->binary ? 0 : 1);
    if (incoming->type != EIO_PONG)
        note_life(self, now_ms);
    switch (incoming->type) {
    case EIO_MESSAGE:
        server->handlers.on_message(server->handlers.arg, self, incoming->payload,
                                    incoming->binary);
        return OK;
    case EIO_PONG:
        handle_pong(self, now_ms);
        return OK;
    case EIO_CLOSE:
        eio_close(self, EIO_CLOSE_CLIENT);
        return OK;
    case EIO_PING:
        return ERR_INVALID; /* only servers ping in this revision */
    default:
        return OK;
    }
}

err_t eio_session_poll(eio_session_t *self, void *poll) {
    if (self->ws)
        return ERR_INVALID;
    if (self->poll) {
        eio_close(self, EIO_CLOSE_POLL_CONFLICT);
        return ERR_EXISTS;
    }
    self->poll = poll;
    eio_server_mark_dirty(self);
    return OK;
}

void eio_session_poll_gone(eio_session_t *self) {
    self->poll = NULL;
    eio_close(self, EIO_CLOSE_TRANSPORT);
}

err_t eio_session_post_begin(eio_session_t *self, void *post) {
    if (self->state != EIO_STATE_OPEN)
        return ERR_CLOSED;
    if (self->ws)
        return ERR_INVALID;
    if (self->post) {
        eio_close(self, EIO_CLOSE_POLL_CONFLICT);
        return ERR_EXISTS;
    }
    self->post = post;
    return OK;
}

err_t eio_session_post_end(eio_session_t *self, str_t body, const eio_request_t *request,
                           uint64_t now_ms) {
    self->post = NULL;
    self->post_request = request;
    str_t rest = {body.p ? body.p : "", body.n};
    str_t packet;
    err_t err = OK;
    while (err == OK && self->state == EIO_STATE_OPEN && eio_payload_next(&rest, &packet)) {
        eio_incoming_t incoming;
        err = eio_decode(packet, &self->server->scratch, &incoming);
        if (err == OK)
            err = handle_packet(self, &incoming, now_ms);
    }
    self->post_request = NULL;
    if (err != OK)
        eio_close(self, EIO_CLOSE_PARSE_ERROR);
    return err;
}

void eio_session_post_gone(eio_session_t *self, eio_close_t reason) {
    self->post = NULL;
    eio_close(self, reason);
}

/* ---- upgrade ---- */

bool eio_session_can_upgrade(const eio_session_t *self) {
    return self->state == EIO_STATE_OPEN && !self->ws && !self->upgrade;
}

bool eio_session_probe(eio_session_t *self, void *ws, uint64_t now_ms) {
    if (!eio_session_can_upgrade(self))
        return false;
    eio_upgrade_t *upgrade = xcalloc(1, sizeof(*upgrade));
    upgrade->session = self;
    upgrade->ws = ws;
    self->upgrade = upgrade;
    timeout_set(&upgrade->deadline, &self->server->upgrades,
                now_ms + self->server->options.upgrade_timeout_ms);
    return true;
}

static void free_upgrade(eio_session_t *self) {
    timeout_clear(&self->upgrade->deadline);
    timeout_clear(&self->upgrade->release);
    free(self->upgrade);
    self->upgrade = NULL;
}

void eio_session_drop_upgrade(eio_session_t *self) {
    if (!self->upgrade)
        return;
    self->server->transport->ws_close(self->upgrade->ws, EIO_WS_NO_CODE);
    free_upgrade(self);
}

static void complete_upgrade(eio_session_t *self) {
    const eio_transport_t *transport = self->server->transport;
    if (self->poll)
        transport->poll_reply(self->poll, STR("6"));
    self->poll = NULL;
    (*transport_gauge(self))--;
    self->ws = self->upgrade->ws;
    (*transport_gauge(self))++;
    self->server->counters.upgrades++;
    free_upgrade(self);
    eio_server_mark_dirty(self);
}

void eio_session_release(eio_session_t *self) {
    self->upgrade->released = true;
    eio_server_mark_dirty(self);
}

static void receive_probe(eio_session_t *self, str_t message, bool binary, uint64_t now_ms) {
    eio_upgrade_t *upgrade = self->upgrade;
    if (!binary && !upgrade->probed && str_eq(message, STR("2probe"))) {
        eio_packet_t *answer = eio_packet_new(EIO_PONG, STR("probe"));
        upgrade->probed = true;
        self->congested = !self->server->transport->ws_write(upgrade->ws, eio_packet_frame(answer));
        eio_packet_unref(&answer);
        timeout_set(&upgrade->release, &self->server->releases, now_ms + EIO_RELEASE_DELAY_MS);
    } else if (!binary && upgrade->probed && str_eq(message, STR("5"))) {
        complete_upgrade(self);
    } else {
        eio_session_drop_upgrade(self);
    }
}

/* ---- WebSocket ---- */

void eio_session_receive(eio_session_t *self, void *ws, str_t message, bool binary,
                         uint64_t now_ms) {
    if (self->state != EIO_STATE_OPEN)
        return;
    if (self->upgrade && ws == self->upgrade->ws) {
        receive_probe(self, message, binary, now_ms);
        return;
    }
    eio_incoming_t incoming = {.type = EIO_MESSAGE, .binary = true, .payload = message};
    err_t err = binary ? OK : eio_decode(message, &self->server->scratch, &incoming);
    size_t code_points;
    if (err != OK && str_utf8_length(message, &code_points) != OK)
        self->ws_code = EIO_WS_BAD_TEXT;
    if (err == OK)
        err = handle_packet(self, &incoming, now_ms);
    if (err != OK) {
        eio_server_refused(self->server, "bad_packet", "websocket", self->request);
        eio_close(self, EIO_CLOSE_PARSE_ERROR);
    }
}

void eio_session_ws_violation(eio_session_t *self, void *ws, unsigned code) {
    if (self->upgrade && ws == self->upgrade->ws) {
        eio_session_drop_upgrade(self);
        return;
    }
    if (self->state != EIO_STATE_OPEN)
        return;
    bool no_room = code == EIO_WS_TRY_LATER;
    self->ws_code = (uint16_t)code;
    eio_server_refused(self->server, no_room ? "no_room" : "too_large", "websocket", self->request);
    eio_close(self, no_room ? EIO_CLOSE_OVERLOAD : EIO_CLOSE_TOO_LARGE);
}

void eio_session_ws_gone(eio_session_t *self, void *ws) {
    if (self->upgrade && ws == self->upgrade->ws) {
        free_upgrade(self);
        self->congested = false;
        return;
    }
    eio_close(self, EIO_CLOSE_TRANSPORT);
    self->ws_code = EIO_WS_ABORT;
    self->ws = NULL;
}

void eio_session_writable(eio_session_t *self) {
    self->congested = false;
    if (self->queue.n)
        eio_server_mark_dirty(self);
}

bool eio_session_can_send(const eio_session_t *self) {
    if (self->state != EIO_STATE_OPEN)
        return false;
    return self->ws ? !self->congested : self->poll != NULL && !self->opening;
}

/* ---- output ---- */

/* Writes one packet as it lies in memory, or several small ones together. */
static void write_some(eio_session_t *self) {
    const eio_transport_t *transport = self->server->transport;
    strbuf_t *out = &self->server->out;
    const eio_packet_t *first = eio_queue_first(&self->queue);
    str_t whole = eio_packet_frame(first);
    if (whole.p && (self->queue.n == 1 || whole.n >= COALESCE_BYTES / 2)) {
        count_out(self, first);
        self->congested = !transport->ws_write(self->ws, whole);
        eio_session_pop(self);
        return;
    }
    strbuf_clear(out);
    while (self->queue.n) {
        const eio_packet_t *packet = eio_queue_first(&self->queue);
        if (out->n && out->n + eio_packet_frame_size(packet) > COALESCE_BYTES)
            break;
        eio_packet_append_frame(packet, out);
        count_out(self, packet);
        eio_session_pop(self);
    }
    self->congested = !transport->ws_write(self->ws, strbuf_str(out));
}

/* Collects what is queued (only the open packet, if that is still to go) as a payload. */
static strbuf_t *take_payload(eio_session_t *self) {
    strbuf_t *out = &self->server->out;
    strbuf_clear(out);
    while (self->queue.n) {
        count_out(self, eio_queue_first(&self->queue));
        eio_packet_append_to_payload(eio_queue_first(&self->queue), out);
        eio_session_pop(self);
        if (self->opening)
            break;
    }
    self->opening = false;
    return out;
}

static void reply_to_poll(eio_session_t *self, str_t body) {
    void *poll = self->poll;
    self->poll = NULL;
    self->server->transport->poll_reply(poll, body);
}

static void flush_open(eio_session_t *self) {
    if (self->ws) {
        while (self->queue.n && !self->congested)
            write_some(self);
    } else if (self->poll && self->queue.n) {
        reply_to_poll(self, strbuf_str(take_payload(self)));
    } else if (self->poll && self->upgrade && self->upgrade->released) {
        reply_to_poll(self, STR("6"));
    }
}

/* The last words to a polling client. */
static void end_poll(eio_session_t *self) {
    if (self->close_reason == EIO_CLOSE_CLIENT) {
        reply_to_poll(self, STR("6"));
        return;
    }
    if (self->close_reason == EIO_CLOSE_QUEUE_LIMIT) {
        reply_to_poll(self, STR("1"));
        return;
    }
    strbuf_t *payload = take_payload(self);
    if (payload->n)
        strbuf_append_char(payload, EIO_SEPARATOR);
    strbuf_append_char(payload, EIO_CLOSE);
    reply_to_poll(self, strbuf_str(payload));
}

static void end_websocket(eio_session_t *self) {
    bool abort = self->close_reason == EIO_CLOSE_QUEUE_LIMIT;
    while (self->queue.n && !abort)
        write_some(self);
    self->server->transport->ws_close(self->ws, abort ? EIO_WS_ABORT : self->ws_code);
    self->ws = NULL;
}

static void linger(eio_session_t *self, uint64_t now_ms) {
    eio_packet_t *noop = eio_packet_new(EIO_NOOP, (str_t){0});
    if (self->queue.n == 0)
        push(self, noop);
    eio_packet_unref(&noop);
    set_state(self, EIO_STATE_LINGERING);
    timeout_set(&self->deadline, &self->server->lingering,
                now_ms + self->server->options.closing_timeout_ms);
}

static void flush_closing(eio_session_t *self, uint64_t now_ms) {
    eio_server_t *server = self->server;
    bool told_later = is_told_later(self) && !self->poll && self->ws_code != EIO_WS_ABORT;
    eio_session_drop_upgrade(self);
    if (self->poll)
        end_poll(self);
    if (self->ws)
        end_websocket(self);
    if (self->post)
        server->transport->post_forget(self->post);
    self->post = NULL;
    if (told_later)
        linger(self, now_ms);
    server->handlers.on_close(server->handlers.arg, self, (eio_close_t)self->close_reason);
    self->data = NULL;
    if (!told_later)
        eio_server_remove(self);
}

void eio_session_flush(eio_session_t *self, uint64_t now_ms) {
    if (self->state == EIO_STATE_OPEN) {
        flush_open(self);
    } else if (self->state == EIO_STATE_CLOSING) {
        flush_closing(self, now_ms);
    } else if (self->poll) {
        end_poll(self);
        eio_server_remove(self);
    }
}

/* ---- what is known of it ---- */

void eio_session_set_data(eio_session_t *self, void *data) {
    self->data = data;
}

void *eio_session_data(const eio_session_t *self) {
    return self->data;
}

str_t eio_session_sid(const eio_session_t *self) {
    return (str_t){self->sid, self->sid_length};
}

const eio_request_t *eio_session_request(const eio_session_t *self) {
    return self->request;
}

const eio_request_t *eio_session_post(const eio_session_t *self) {
    return self->post_request;
}

bool eio_session_on_websocket(const eio_session_t *self) {
    return self->ws != NULL;
}

bool eio_session_is_crowded(const eio_session_t *self) {
    return self->queue.cost > self->server->options.max_queue_bytes / 2;
}

size_t eio_session_queued(const eio_session_t *self) {
    return self->queue.cost;
}
