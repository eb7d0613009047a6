#include <unistd.h>
#include <utlist.h>

#include "gateway/socketio/eio_listener.h"

enum {
    RX_BUFFER_BYTES = 1024,    /* held by every connection */
    SERVICE_BYTES = 64 * 1024, /* for the request and what follows it */
    TX_BYTES = 1024 * 1024,    /* of one lws_write() */
    CLOSE_TIMEOUT_MS = 5000,   /* for the peer to answer a close frame */
    FRAME_CLOSE = 0x88,
};

struct websocket {
    struct lws *wsi;
    eio_listener_t *listener;
    websocket_t *prev, *next;
    eio_server_t *server;
    eio_session_t *session; /* NULL: none yet, or not any more */
    eio_request_t *request; /* of a handshake, until the session has it */
    str_t headers;          /* for the 101 response; borrowed during adoption */
    strbuf_t message;       /* the fragments so far */
    size_t unsent;          /* what libwebsockets has and could not write yet */
    timeout_t deadline;
    uint32_t fragments;
    bool closing : 1; /* our close frame is out */
    bool upgrade : 1; /* came to take a session over */
};

static eio_listener_t *listener_of(struct lws *wsi) {
    return lws_context_user(lws_get_context(wsi));
}

/* libwebsockets drops it soon, whatever the peer does. Not at once: we may be in its callback. */
static void doom(websocket_t *self, uint64_t at_ms) {
    timeout_set(&self->deadline, &self->listener->dying, at_ms);
}

/* ---- what the session asks for ---- */

static void set_unsent(websocket_t *self, size_t bytes) {
    self->server->counters.queued_bytes += bytes - self->unsent;
    self->unsent = bytes;
}

/* Of the message, as far as it has come. */
static void forget_message(websocket_t *self) {
    eio_server_give(self->server, self->message.n);
    strbuf_fini(&self->message);
}

bool websocket_write(void *ws, str_t frames) {
    websocket_t *self = ws;
    if (lws_write(self->wsi, (unsigned char *)frames.p, frames.n, LWS_WRITE_RAW) < 0) {
        doom(self, 0);
        return false;
    }
    if (!lws_partial_buffered(self->wsi))
        return true;
    set_unsent(self, self->unsent + frames.n);
    return false;
}

void websocket_close(void *ws, unsigned code) {
    websocket_t *self = ws;
    self->session = NULL;
    forget_message(self);
    if (code == EIO_WS_ABORT) {
        doom(self, 0);
        return;
    }
    unsigned char frame[] = {FRAME_CLOSE, code ? 2 : 0, (unsigned char)(code >> 8),
                             (unsigned char)code};
    size_t length = code ? sizeof(frame) : 2;
    self->closing = true;
    bool sent = lws_write(self->wsi, frame, length, LWS_WRITE_RAW) >= 0;
    doom(self, sent ? listener_now(self->listener) + CLOSE_TIMEOUT_MS : 0);
}

/* ---- what libwebsockets reports ---- */

static void established(struct lws *wsi) {
    eio_listener_t *listener = listener_of(wsi);
    websocket_t *self = listener->adopting;
    uint64_t now = listener_now(listener);
    self->wsi = wsi;
    lws_set_opaque_user_data(wsi, self);
    if (!self->upgrade) {
        eio_request_t *request = self->request;
        self->request = NULL;
        self->session = eio_server_open(self->server, request, NULL, self, now);
    } else if (!self->session || !eio_session_probe(self->session, self, now)) {
        websocket_close(self, EIO_WS_NO_CODE);
    }
}

static void violation(websocket_t *self, unsigned code) {
    forget_message(self);
    eio_session_ws_violation(self->session, self, code);
}

/* Part of a message, or all of it. */
static void received(websocket_t *self, str_t part) {
    const eio_server_options_t *options = &self->server->options;
    size_t left = lws_remaining_packet_payload(self->wsi);
    bool last = left == 0 && lws_is_final_fragment(self->wsi);
    bool whole = last && self->message.n == 0;
    if (!self->session)
        return;
    if (self->message.n + part.n + left > options->max_payload) {
        violation(self, EIO_WS_TOO_LARGE);
        return;
    }
    if (left == 0 && !last && ++self->fragments > options->max_fragments) {
        violation(self, EIO_WS_VIOLATION);
        return;
    }
    if (!whole && !eio_server_take(self->server, self->message.n, part.n)) {
        violation(self, EIO_WS_TRY_LATER);
        return;
    }
    if (!whole)
        strbuf_append(&self->message, part);
    if (!last)
        return;
    str_t message = whole ? part : strbuf_str(&self->message);
    strbuf_t held = self->message;
    eio_server_give(self->server, held.n);
    self->message = (strbuf_t){0};
    self->fragments = 0;
    eio_session_receive(self->session, self, message, lws_frame_is_binary(self->wsi),
                        listener_now(self->listener));
    strbuf_fini(&held);
}

static void free_websocket(websocket_t *self) {
    timeout_clear(&self->deadline);
    DL_DELETE(self->listener->websockets, self);
    self->listener->connections--;
    set_unsent(self, 0);
    forget_message(self);
    eio_request_free(&self->request);
    free(self);
}

static void gone(websocket_t *self) {
    if (self->session)
        eio_session_ws_gone(self->session, self);
    lws_set_opaque_user_data(self->wsi, NULL);
    if (self->listener->adopting == self)
        self->listener->adopting = NULL;
    free_websocket(self);
}

static int add_headers(struct lws *wsi, struct lws_process_html_args *args) {
    const websocket_t *self = listener_of(wsi)->adopting;
    if ((size_t)args->max_len < self->headers.n)
        return 1;
    if (self->headers.n)
        memcpy(args->p, self->headers.p, self->headers.n);
    args->p += self->headers.n;
    return 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t n) {
    websocket_t *self = wsi ? lws_get_opaque_user_data(wsi) : NULL;
    (void)user;
    switch (reason) {
    case LWS_CALLBACK_ADD_HEADERS:
        return add_headers(wsi, in);
    case LWS_CALLBACK_ESTABLISHED:
        established(wsi);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        if (self)
            received(self, (str_t){in, n});
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        if (self)
            set_unsent(self, 0);
        if (self && self->session)
            eio_session_writable(self->session);
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return self && self->closing ? -1 : 0;
    case LWS_CALLBACK_CLOSED:
        if (self)
            gone(self);
        return 0;
    default:
        return 0;
    }
}

/* ---- life ---- */

static const struct lws_protocols protocols[] = {
    {.name = "socketio",
     .callback = on_event,
     .rx_buffer_size = RX_BUFFER_BYTES,
     .tx_packet_size = TX_BYTES},
    {0},
};

/* All zero: no timer of its own for every connection; the heartbeat does that. */
static const lws_retry_bo_t no_checks = {0};

err_t websocket_init(eio_listener_t *listener) {
    void *loops[] = {listener->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .options = LWS_SERVER_OPTION_LIBUV,
        .foreign_loops = loops,
        .protocols = protocols,
        .retry_and_idle_policy = &no_checks,
        .pt_serv_buf_size = SERVICE_BYTES,
        .user = listener,
        .vhost_name = "socketio",
    };
    lws_set_log_level(0, NULL);
    listener->lws = lws_create_context(&info);
    if (!listener->lws)
        return ERR_IO;
    listener->vhost = lws_get_vhost_by_name(listener->lws, info.vhost_name);
    ASSERT(listener->vhost);
    return OK;
}

/* libwebsockets reads a request of our own making: only the key is the client's. */
static void compose_request(strbuf_t *to, const websocket_start_t *start) {
    strbuf_printf(to,
                  "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Key: %.*s\r\n\r\n",
                  STR_ARG(start->key));
    strbuf_append(to, start->rest);
}

void websocket_adopt(eio_listener_t *listener, const websocket_start_t *start) {
    websocket_t *self = xcalloc(1, sizeof(*self));
    self->listener = listener;
    self->server = start->server;
    self->upgrade = start->session != NULL;
    self->session = start->session;
    self->headers = start->headers;
    self->request = start->request;
    DL_APPEND(listener->websockets, self);
    listener->connections++;
    strbuf_t request = {0};
    compose_request(&request, start);
    listener->adopting = self;
    struct lws *wsi =
        lws_adopt_socket_vhost_readbuf(listener->vhost, start->fd, request.p, request.n);
    bool alive = listener->adopting == self;
    listener->adopting = NULL;
    strbuf_fini(&request);
    if (!alive)
        return;
    if (!self->wsi) { /* no handshake took place: no event will come */
        if (wsi)
            lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
        free_websocket(self);
        return;
    }
    self->headers = (str_t){0};
    eio_request_free(&self->request);
    if (start->rest.n)
        lws_cancel_service(listener->lws); /* makes it look at what it has read already */
}

void websocket_expire(eio_listener_t *listener) {
    timeout_t *due;
    while ((due = timeout_pop_due(&listener->dying, listener_now(listener)))) {
        websocket_t *self = (websocket_t *)((char *)due - offsetof(websocket_t, deadline));
        lws_set_timeout(self->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
    }
}

void websocket_stop(eio_listener_t *listener) {
    websocket_t *self, *next;
    DL_FOREACH_SAFE(listener->websockets, self, next) {
        lws_set_timeout(self->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
    }
    lws_context_destroy(listener->lws);
}
