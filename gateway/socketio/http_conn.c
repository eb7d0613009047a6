#include <sys/socket.h>
#include <utlist.h>

#include "gateway/socketio/eio_listener.h"

enum {
    SEND_TIMEOUT_MS = 30000,   /* for a response that doesn't go at once */
    GOODBYE_TIMEOUT_MS = 2000, /* for the client to close behind our last response */
};

enum {
    STATE_HEAD,    /* the head of a request is awaited */
    STATE_BODY,    /* its body */
    STATE_HELD,    /* the answer */
    STATE_WRITING, /* the answer is being written */
    STATE_GOODBYE, /* the last answer was written; what still comes is thrown away */
    STATE_CLOSED,
};

/* What is left of a response. */
typedef struct {
    uv_write_t request;
    eio_server_t *server; /* whose queue it counts in; NULL: no server's */
    size_t n;
    char bytes[];
} rest_t;

static void on_closed(uv_handle_t *handle) {
    http_conn_t *self = handle->data;
    DL_DELETE(self->listener->conns, self);
    self->listener->connections--;
    self->listener->closing--;
    strbuf_fini(&self->in);
    strbuf_fini(&self->headers);
    strbuf_fini(&self->body);
    free(self);
}

/* Lets go of the request being served. */
static void end_request(http_conn_t *self) {
    eio_request_free(&self->request);
    if (self->body.n)
        eio_server_give(self->server, self->body.n);
    self->server = NULL;
    strbuf_fini(&self->body);
    strbuf_fini(&self->headers);
}

static void leave_session(http_conn_t *self) {
    eio_session_t *session = self->session;
    self->session = NULL;
    if (session && self->state == STATE_HELD)
        eio_session_poll_gone(session);
    else if (session)
        eio_session_post_gone(session, EIO_CLOSE_TRANSPORT);
}

static void close_conn(http_conn_t *self) {
    if (self->state == STATE_CLOSED)
        return;
    leave_session(self);
    self->state = STATE_CLOSED;
    timeout_clear(&self->deadline);
    if (self->resumed)
        LL_DELETE2(self->listener->resumed, self, next_resumed);
    end_request(self);
    self->listener->closing++;
    uv_close((uv_handle_t *)&self->tcp, on_closed);
}

static void await_request(http_conn_t *self) {
    eio_listener_t *listener = self->listener;
    self->state = STATE_HEAD;
    timeout_set(&self->deadline, &listener->idle,
                listener_now(listener) + 1000 * (uint64_t)listener->options.idle_timeout_seconds);
    if (self->in.n && !self->resumed) {
        self->resumed = true;
        LL_PREPEND2(listener->resumed, self, next_resumed);
    }
}

/* Closing while the client still sends would reset the connection, and the response might be lost
 * with it (RFC 9112 §9.6). */
static void say_goodbye(http_conn_t *self) {
    eio_listener_t *listener = self->listener;
    uv_os_fd_t fd = -1;
    if (listener->stopping || uv_fileno((uv_handle_t *)&self->tcp, &fd) != 0 ||
        shutdown(fd, SHUT_WR) != 0) {
        close_conn(self);
        return;
    }
    self->state = STATE_GOODBYE;
    strbuf_fini(&self->in);
    timeout_set(&self->deadline, &listener->leaving, listener_now(listener) + GOODBYE_TIMEOUT_MS);
}

/* The response has left. */
static void answered(http_conn_t *self) {
    bool keep_alive = self->keep_alive;
    end_request(self);
    if (keep_alive)
        await_request(self);
    else
        say_goodbye(self);
}

/* ---- writing ---- */

static void on_written(uv_write_t *request, int status) {
    http_conn_t *self = request->data;
    const rest_t *rest = (const rest_t *)(const void *)request;
    if (rest->server)
        rest->server->counters.queued_bytes -= rest->n;
    free(request);
    if (self->state != STATE_WRITING)
        return;
    if (status == 0)
        answered(self);
    else
        close_conn(self);
}

static void write_rest(http_conn_t *self, str_t bytes) {
    eio_listener_t *listener = self->listener;
    rest_t *rest = xmalloc(sizeof(*rest) + bytes.n);
    memcpy(rest->bytes, bytes.p, bytes.n);
    rest->request.data = self;
    rest->n = bytes.n;
    rest->server = self->server;
    if (rest->server)
        rest->server->counters.queued_bytes += rest->n;
    timeout_set(&self->deadline, &listener->sending, listener_now(listener) + SEND_TIMEOUT_MS);
    uv_buf_t buffer = uv_buf_init(rest->bytes, (unsigned)bytes.n);
    if (uv_write(&rest->request, (uv_stream_t *)&self->tcp, &buffer, 1, on_written) != 0) {
        on_written(&rest->request, UV_EIO);
    }
}

static void write_bytes(http_conn_t *self, str_t bytes) {
    uv_buf_t buffer = uv_buf_init((char *)bytes.p, (unsigned)bytes.n);
    self->state = STATE_WRITING;
    int written = uv_try_write((uv_stream_t *)&self->tcp, &buffer, 1);
    if (written < 0 && written != UV_EAGAIN)
        close_conn(self);
    else if (written == (int)bytes.n)
        answered(self);
    else
        write_rest(self, str_from_offset(bytes, written > 0 ? (size_t)written : 0));
}

void http_respond(http_conn_t *self, unsigned status, const char *content_type, str_t body) {
    eio_listener_t *listener = self->listener;
    if (listener->stopping)
        self->keep_alive = false;
    http_response_t response = {.status = status,
                                .content_type = content_type,
                                .headers = strbuf_str(&self->headers),
                                .body = body,
                                .keep_alive = self->keep_alive};
    strbuf_clear(&listener->response);
    http_response_append(&response, &listener->response);
    if (self->head_only)
        listener->response.n -= body.n;
    self->session = NULL;
    write_bytes(self, strbuf_str(&listener->response));
}

void http_respond_and_close(http_conn_t *self, unsigned status) {
    self->keep_alive = false;
    http_respond(self, status, NULL, (str_t){0});
}

void http_conn_poll_reply(void *poll, str_t body) {
    http_respond(poll, 200, "text/plain; charset=UTF-8", body);
}

void http_conn_post_forget(void *post) {
    ((http_conn_t *)post)->session = NULL;
}

/* ---- reading ---- */

static void await_body(http_conn_t *self, const http_head_t *head) {
    self->state = STATE_BODY;
    self->body_length = head->content_length;
    if (head->expects_continue) {
        static char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        uv_buf_t buffer = uv_buf_init(go_on, sizeof(go_on) - 1);
        if (uv_try_write((uv_stream_t *)&self->tcp, &buffer, 1) != (int)sizeof(go_on) - 1)
            close_conn(self);
    }
}

/* Reads a head off `bytes` and serves it. Returns how much was used. */
static size_t take_head(http_conn_t *self, str_t bytes) {
    eio_listener_t *listener = self->listener;
    http_head_t head;
    size_t length = 0;
    err_t err = http_head_parse(bytes, listener->options.max_header_bytes, &head, &length);
    if (self->deadline.list != &listener->receiving)
        timeout_set(&self->deadline, &listener->receiving,
                    listener_now(listener) + listener->options.receive_timeout_ms);
    if (err == ERR_UNAVAILABLE)
        return 0;
    self->head_only = false;
    if (err != OK) {
        http_refuse_bytes(self, err);
        return bytes.n;
    }
    self->keep_alive = head.keep_alive;
    self->head_only = str_eq(head.method, STR("HEAD"));
    switch (http_route_head(self, &head, str_from_offset(bytes, length))) {
    case ROUTE_ANSWERED:
        return length;
    case ROUTE_HELD:
        self->state = STATE_HELD;
        timeout_clear(&self->deadline);
        return length;
    case ROUTE_BODY:
        await_body(self, &head);
        return length;
    case ROUTE_HANDED:
        close_conn(self);
        return bytes.n;
    }
    return bytes.n;
}

/* Too much is coming in from all clients together. */
static void give_up_body(http_conn_t *self) {
    eio_session_t *session = self->session;
    self->session = NULL;
    eio_server_refused(self->server, "no_room", "post", self->request);
    if (session)
        eio_session_post_gone(session, EIO_CLOSE_OVERLOAD);
    http_respond_and_close(self, 503);
}

/* Reads what is there of a body. A body that is whole in `bytes` is not copied. */
static size_t take_body(http_conn_t *self, str_t bytes) {
    size_t missing = (size_t)self->body_length - self->body.n;
    size_t length = bytes.n < missing ? bytes.n : missing;
    if (self->body.n == 0 && length == missing) {
        http_route_body(self, (str_t){bytes.p, length});
        return length;
    }
    if (!eio_server_take(self->server, self->body.n, length)) {
        give_up_body(self);
        return bytes.n;
    }
    strbuf_append(&self->body, (str_t){bytes.p, length});
    if (length == missing)
        http_route_body(self, strbuf_str(&self->body));
    return length;
}

/* Serves the requests in `bytes`; returns how much of them was used. */
static size_t consume(http_conn_t *self, str_t bytes) {
    size_t used = 0;
    while (self->state == STATE_HEAD || self->state == STATE_BODY) {
        str_t left = str_from_offset(bytes, used);
        if (self->state == STATE_HEAD && left.n == 0)
            break;
        bool body = self->state == STATE_BODY;
        size_t step = body ? take_body(self, left) : take_head(self, left);
        used += step;
        if (step == 0 && self->state == (body ? STATE_BODY : STATE_HEAD))
            break;
    }
    return used;
}

static void set_reading(http_conn_t *self, bool reading);

/* Serves what has been kept in `in`. */
static void consume_kept(http_conn_t *self) {
    strbuf_t kept = self->in;
    self->in = (strbuf_t){0};
    size_t used = consume(self, strbuf_str(&kept));
    if (self->state == STATE_GOODBYE) {
        set_reading(self, true);
    } else if (self->state != STATE_CLOSED) {
        strbuf_append(&self->in, str_from_offset(strbuf_str(&kept), used));
        set_reading(self, self->in.n <= self->listener->options.max_header_bytes);
    }
    strbuf_fini(&kept);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    const http_conn_t *self = handle->data;
    const eio_listener_t *listener = self->listener;
    size_t size = sizeof(listener->read_buffer);
    (void)suggested;
    /* What comes before its turn is kept: no more of it than of a head. */
    if (self->state == STATE_HELD || self->state == STATE_WRITING)
        size = listener->options.max_header_bytes + 1 - self->in.n;
    *buffer = uv_buf_init((char *)listener->read_buffer, (unsigned)size);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer) {
    http_conn_t *self = stream->data;
    if (n == 0)
        return;
    if (n < 0) {
        close_conn(self);
        return;
    }
    str_t bytes = {buffer->base, (size_t)n};
    if (self->state == STATE_GOODBYE)
        return;
    if (self->in.n || self->state == STATE_HELD || self->state == STATE_WRITING) {
        strbuf_append(&self->in, bytes);
        if (self->state == STATE_HEAD || self->state == STATE_BODY)
            consume_kept(self);
        else if (self->in.n > self->listener->options.max_header_bytes)
            set_reading(self, false);
        return;
    }
    size_t used = consume(self, bytes);
    if (self->state != STATE_CLOSED && self->state != STATE_GOODBYE)
        strbuf_append(&self->in, str_from_offset(bytes, used));
}

static void set_reading(http_conn_t *self, bool reading) {
    if (reading == self->reading)
        return;
    self->reading = reading;
    if (reading && uv_read_start((uv_stream_t *)&self->tcp, on_alloc, on_read) != 0)
        close_conn(self);
    else if (!reading)
        uv_read_stop((uv_stream_t *)&self->tcp);
}

bool http_conn_resume(eio_listener_t *listener) {
    bool any = listener->resumed != NULL;
    while (listener->resumed) {
        http_conn_t *self = listener->resumed;
        LL_DELETE2(listener->resumed, self, next_resumed);
        self->resumed = false;
        if (self->state == STATE_HEAD)
            consume_kept(self);
    }
    return any;
}

/* ---- life ---- */

/* At the limit: closes who has been idle, or on the way with a request, for longest; then a session
 * that says nothing. False: there is nobody who might go. */
static bool make_room(eio_listener_t *listener) {
    if (listener->connections - listener->closing <= listener->options.max_connections)
        return true;
    listener->evicted++;
    timeout_t *oldest = listener->idle.head ? listener->idle.head : listener->receiving.head;
    if (oldest) {
        close_conn((http_conn_t *)((char *)oldest - offsetof(http_conn_t, deadline)));
        return true;
    }
    for (eio_server_t *server = listener->servers; server; server = server->next) {
        if (eio_server_evict(server))
            return true;
    }
    return false;
}

void http_conn_accept(eio_listener_t *listener) {
    http_conn_t *self = xcalloc(1, sizeof(*self));
    self->listener = listener;
    uv_tcp_init(listener->loop, &self->tcp);
    self->tcp.data = self;
    DL_APPEND(listener->conns, self);
    listener->connections++;
    listener->accepted++;
    self->state = STATE_HEAD;
    if (uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)&self->tcp) != 0 ||
        !make_room(listener)) {
        close_conn(self);
        return;
    }
    uv_tcp_nodelay(&self->tcp, 1);
    await_request(self);
    set_reading(self, true);
}

void http_conn_expire(eio_listener_t *listener) {
    timeout_list_t *lists[] = {&listener->idle, &listener->receiving, &listener->sending,
                               &listener->leaving};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        timeout_t *due;
        while ((due = timeout_pop_due(lists[i], listener_now(listener))))
            close_conn((http_conn_t *)((char *)due - offsetof(http_conn_t, deadline)));
    }
}

void http_conn_close_all(eio_listener_t *listener) {
    http_conn_t *self;
    DL_FOREACH(listener->conns, self) {
        close_conn(self);
    }
}
