#include "gateway/socketio/sio_internal.h"

#include <utlist.h>

#define DEFAULT(field, value)                                                                      \
    do {                                                                                           \
        if (!(field))                                                                              \
            (field) = (value);                                                                     \
    } while (0)

static void fill_defaults(sio_options_t *options) {
    DEFAULT(options->connect_timeout_ms, 45000);
    DEFAULT(options->max_attachments, 10);
    DEFAULT(options->max_depth, 128);
    DEFAULT(options->max_pending_acks, 256);
    DEFAULT(options->ack_timeout_ms, 30000);
}

/* ---- what Engine.IO reports ---- */

static void on_open(void *arg, eio_session_t *session) {
    eio_session_set_data(session, sio_connection_new(arg, session));
}

static void on_message(void *arg, eio_session_t *session, str_t message, bool binary) {
    sio_connection_t *connection = eio_session_data(session);
    (void)arg;
    if (binary)
        sio_connection_binary(connection, message);
    else
        sio_connection_text(connection, message);
}

static void on_close(void *arg, eio_session_t *session, eio_close_t reason) {
    (void)arg;
    sio_connection_end(eio_session_data(session), reason);
}

/* ---- time ---- */

/* Starts the time-outs of what is new. */
static void start_timeouts(timeout_list_t *from, timeout_list_t *to, uint64_t at_ms) {
    while (from->head)
        timeout_set(from->head, to, at_ms);
}

static void advance(void *arg, uint64_t now_ms) {
    sio_server_t *self = arg;
    timeout_t *due;
    while ((due = timeout_pop_due(&self->connections, now_ms)))
        sio_connection_timed_out(
            (sio_connection_t *)((char *)due - offsetof(sio_connection_t, timeout)));
    while ((due = timeout_pop_due(&self->acks, now_ms)))
        sio_ack_timed_out(due);
}

static uint64_t next_deadline(void *arg) {
    const sio_server_t *self = arg;
    uint64_t connect = timeout_first(&self->connections), ack = timeout_first(&self->acks);
    return connect < ack ? connect : ack;
}

static bool flush(void *arg, uint64_t now_ms) {
    sio_server_t *self = arg;
    if (self->options.before_flush)
        self->options.before_flush(self->options.flush_arg);
    bool any = self->leaving != NULL;
    while (self->leaving) {
        sio_socket_t *socket = self->leaving;
        self->leaving = socket->next_leaving;
        sio_socket_end(socket);
    }
    start_timeouts(&self->new_connections, &self->connections,
                   now_ms + self->options.connect_timeout_ms);
    start_timeouts(&self->new_acks, &self->acks, now_ms + self->options.ack_timeout_ms);
    return any;
}

static bool evict(void *arg) {
    const sio_server_t *self = arg;
    sio_connection_t *silent = self->silent;
    while (silent && silent->session->state != EIO_STATE_OPEN)
        silent = silent->silent_next; /* its end is near */
    if (!silent)
        return false;
    eio_close(silent->session, EIO_CLOSE_OVERLOAD);
    return true;
}

/* ---- life ---- */

sio_server_t *sio_server_create(const sio_options_t *options, eio_handlers_t *handlers_out) {
    sio_server_t *self = xcalloc(1, sizeof(*self));
    self->options = *options;
    fill_defaults(&self->options);
    self->limits = (sio_limits_t){.max_attachments = self->options.max_attachments,
                                  .max_depth = self->options.max_depth};
    *handlers_out = (eio_handlers_t){
        .on_open = on_open, .on_message = on_message, .on_close = on_close, .arg = self};
    return self;
}

static void free_namespace(sio_namespace_t *nsp) {
    ASSERT(!nsp->sockets && !nsp->by_id);
    sio_rooms_free(&nsp->rooms);
    free(nsp->name);
    free(nsp);
}

static void destroy(void *arg) {
    sio_server_t *self = arg;
    sio_namespace_t *nsp, *next;
    LL_FOREACH_SAFE(self->namespaces, nsp, next) {
        free_namespace(nsp);
    }
    strbuf_fini(&self->name);
    strbuf_fini(&self->tail);
    free(self);
}

void sio_server_attach(sio_server_t *self, eio_server_t *engine) {
    self->engine = engine;
    engine->layer = (eio_layer_t){.advance = advance,
                                  .next_deadline = next_deadline,
                                  .flush = flush,
                                  .evict = evict,
                                  .free = destroy,
                                  .arg = self};
}

void sio_server_drain(sio_server_t *self) {
    self->draining = true;
    eio_server_drain(self->engine);
}

const sio_counters_t *sio_server_counters(const sio_server_t *self) {
    return &self->counters;
}

const eio_counters_t *sio_server_engine_counters(const sio_server_t *self) {
    return eio_server_counters(self->engine);
}

/* ---- namespaces ---- */

sio_namespace_t *sio_namespace(sio_server_t *self, const char *name,
                               const sio_handlers_t *handlers) {
    ASSERT(name[0] == '/' && !sio_server_find_namespace(self, str_from(name)));
    unsigned char key[16];
    self->engine->transport->random(key, sizeof(key));
    sio_namespace_t *nsp = xcalloc(1, sizeof(*nsp));
    nsp->server = self;
    nsp->handlers = *handlers;
    nsp->rooms = sio_rooms_new(key);
    nsp->name = str_dup(str_from(name));
    LL_APPEND(self->namespaces, nsp);
    return nsp;
}

sio_namespace_t *sio_server_find_namespace(const sio_server_t *self, str_t name) {
    sio_namespace_t *nsp;
    LL_FOREACH(self->namespaces, nsp) {
        if (str_eq(str_from(nsp->name), name))
            return nsp;
    }
    return NULL;
}

sio_server_t *sio_namespace_server(const sio_namespace_t *nsp) {
    return nsp->server;
}

str_t sio_namespace_name(const sio_namespace_t *nsp) {
    return str_from(nsp->name);
}

size_t sio_namespace_size(const sio_namespace_t *nsp) {
    return nsp->n_sockets;
}

sio_socket_t *sio_namespace_first(const sio_namespace_t *nsp) {
    return nsp->sockets;
}

sio_socket_t *sio_namespace_find(const sio_namespace_t *nsp, str_t sid) {
    sio_socket_t *socket = NULL;
    if (sid.n)
        HASH_FIND(hh, nsp->by_id, sid.p, sid.n, socket);
    return socket && sio_socket_connected(socket) ? socket : NULL;
}
