#include "gateway/socketio/eio_listener.h"
#include "gateway/socketio/sio_internal.h"

#include <sys/random.h>
#include <utlist.h>

enum {
    DEFAULT_HEADER_BYTES = 8192,
    MAX_HEADER_BYTES = 32 * 1024,
    DEFAULT_CONNECTIONS = 60000,
    DEFAULT_IDLE_SECONDS = 75,
    DEFAULT_RECEIVE_MS = 30000,
    DEFAULT_SOCKET_BUFFER_BYTES = 256 * 1024,
    BACKLOG = 1024,
};

static const char *const default_headers[] = {
    "authorization",     "cookie",      "host",       "origin",
    "referer",           "traceparent", "user-agent", "x-forwarded-for",
    "x-forwarded-proto", NULL};

static void fill_random(unsigned char *to, size_t n) {
    ssize_t got = getrandom(to, n, 0);
    ASSERT(got == (ssize_t)n);
}

static const eio_transport_t transport = {
    .poll_reply = http_conn_poll_reply,
    .post_forget = http_conn_post_forget,
    .ws_write = websocket_write,
    .ws_close = websocket_close,
    .random = fill_random,
};

uint64_t listener_now(const eio_listener_t *self) {
    return uv_now(self->loop);
}

/* ---- turns of the loop ---- */

static uint64_t next_deadline(const eio_listener_t *self) {
    const timeout_list_t *lists[] = {&self->idle, &self->receiving, &self->sending, &self->leaving,
                                     &self->dying};
    uint64_t next = TIMEOUT_NONE;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        uint64_t first = timeout_first(lists[i]);
        next = first < next ? first : next;
    }
    for (const eio_server_t *server = self->servers; server; server = server->next) {
        uint64_t first = eio_server_next_deadline(server);
        next = first < next ? first : next;
    }
    return next;
}

static void advance(eio_listener_t *self) {
    http_conn_expire(self);
    websocket_expire(self);
    for (eio_server_t *server = self->servers; server; server = server->next)
        eio_server_advance(server, listener_now(self));
}

static void flush(eio_listener_t *self) {
    do {
        for (eio_server_t *server = self->servers; server; server = server->next)
            eio_server_flush(server, listener_now(self));
    } while (http_conn_resume(self));
}

static void on_timer(uv_timer_t *timer) {
    eio_listener_t *self = timer->data;
    self->timer_at = TIMEOUT_NONE;
    advance(self);
}

static void close_everything(eio_listener_t *self) {
    uv_close((uv_handle_t *)&self->tcp, NULL);
    uv_close((uv_handle_t *)&self->prepare, NULL);
    uv_close((uv_handle_t *)&self->timer, NULL);
    http_conn_close_all(self);
    websocket_stop(self);
}

static void on_prepare(uv_prepare_t *prepare) {
    eio_listener_t *self = prepare->data;
    flush(self);
    if (self->stopping) {
        close_everything(self);
        return;
    }
    uint64_t next = next_deadline(self);
    if (next == self->timer_at)
        return;
    self->timer_at = next;
    uint64_t now = listener_now(self);
    if (next == TIMEOUT_NONE)
        uv_timer_stop(&self->timer);
    else
        uv_timer_start(&self->timer, on_timer, next > now ? next - now : 0, 0);
}

/* ---- life ---- */

static void on_connection(uv_stream_t *stream, int status) {
    if (status == 0)
        http_conn_accept(stream->data);
}

static void fill_defaults(eio_listener_options_t *options) {
    if (!options->headers)
        options->headers = default_headers;
    if (!options->max_header_bytes)
        options->max_header_bytes = DEFAULT_HEADER_BYTES;
    if (options->max_header_bytes > MAX_HEADER_BYTES)
        options->max_header_bytes = MAX_HEADER_BYTES;
    if (!options->max_connections)
        options->max_connections = DEFAULT_CONNECTIONS;
    if (!options->idle_timeout_seconds)
        options->idle_timeout_seconds = DEFAULT_IDLE_SECONDS;
    if (!options->receive_timeout_ms)
        options->receive_timeout_ms = DEFAULT_RECEIVE_MS;
    if (!options->socket_buffer_bytes)
        options->socket_buffer_bytes = DEFAULT_SOCKET_BUFFER_BYTES;
}

static err_t bind_port(eio_listener_t *self) {
    struct sockaddr_storage address;
    const char *host = self->options.host ? self->options.host : "0.0.0.0";
    if (uv_ip4_addr(host, self->options.port, (struct sockaddr_in *)&address) != 0 &&
        uv_ip6_addr(host, self->options.port, (struct sockaddr_in6 *)&address) != 0)
        return ERR_IO;
    /* Connections inherit them. The kernel may allow less. */
    int receive = (int)self->options.socket_buffer_bytes, send = receive;
    if (uv_tcp_bind(&self->tcp, (const struct sockaddr *)&address, 0) != 0 ||
        uv_recv_buffer_size((uv_handle_t *)&self->tcp, &receive) != 0 ||
        uv_send_buffer_size((uv_handle_t *)&self->tcp, &send) != 0 ||
        uv_listen((uv_stream_t *)&self->tcp, BACKLOG, on_connection) != 0)
        return ERR_IO;
    int length = sizeof(address);
    if (uv_tcp_getsockname(&self->tcp, (struct sockaddr *)&address, &length) != 0)
        return ERR_IO;
    in_port_t port = address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                                  : ((struct sockaddr_in6 *)&address)->sin6_port;
    self->port = ntohs(port);
    return OK;
}

static void on_closed_free(uv_handle_t *handle) {
    free(handle->data);
}

err_t eio_listener_new(struct uv_loop_s *loop, const eio_listener_options_t *options,
                       eio_listener_t **listener_out) {
    eio_listener_t *self = xcalloc(1, sizeof(*self));
    self->loop = loop;
    self->options = *options;
    self->timer_at = TIMEOUT_NONE;
    fill_defaults(&self->options);
    uv_tcp_init(loop, &self->tcp);
    self->tcp.data = self;
    err_t err = bind_port(self);
    if (err == OK)
        err = websocket_init(self);
    if (err != OK) {
        uv_close((uv_handle_t *)&self->tcp, on_closed_free);
        return err;
    }
    uv_prepare_init(loop, &self->prepare);
    self->prepare.data = self;
    uv_prepare_start(&self->prepare, on_prepare);
    uv_unref((uv_handle_t *)&self->prepare);
    uv_timer_init(loop, &self->timer);
    self->timer.data = self;
    *listener_out = self;
    return OK;
}

uint16_t eio_listener_port(const eio_listener_t *self) {
    return self->port;
}

uint64_t eio_listener_connections(const eio_listener_t *self) {
    return self->connections;
}

uint64_t eio_listener_accepted(const eio_listener_t *self) {
    return self->accepted;
}

uint64_t eio_listener_evicted(const eio_listener_t *self) {
    return self->evicted;
}

void eio_listener_stop(eio_listener_t *self) {
    if (self->stopping)
        return;
    self->stopping = true;
    for (eio_server_t *server = self->servers; server; server = server->next) {
        eio_server_drain(server);
        eio_server_close_all(server, EIO_CLOSE_SHUTDOWN);
    }
    uv_timer_start(&self->timer, on_timer, 0, 0); /* brings about the turn that ends it all */
}

void eio_listener_free(eio_listener_t **listener) {
    eio_listener_t *self = *listener;
    *listener = NULL;
    if (!self)
        return;
    ASSERT(self->stopping && !self->conns && !self->websockets);
    lws_context_destroy(self->lws);
    while (self->servers) {
        eio_server_t *server = self->servers;
        self->servers = server->next;
        if (server->layer.free)
            server->layer.free(server->layer.arg);
        eio_server_destroy(&server);
    }
    strbuf_fini(&self->response);
    free(self);
}

eio_server_t *eio_server_new(eio_listener_t *listener, const eio_server_options_t *options,
                             const eio_handlers_t *handlers) {
    eio_server_t *server = eio_server_create(options, handlers, &transport);
    LL_APPEND(listener->servers, server);
    return server;
}

sio_server_t *sio_server_new(eio_listener_t *listener, const sio_options_t *options) {
    eio_handlers_t handlers;
    sio_server_t *server = sio_server_create(options, &handlers);
    sio_server_attach(server, eio_server_new(listener, &options->engine, &handlers));
    return server;
}
