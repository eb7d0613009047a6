#include <utlist.h>

#include "gateway/socketio/base64.h"
#include "gateway/socketio/sio_internal.h"

enum { ID_RANDOM_BYTES = 15 };

/* ---- life ---- */

static void hash_remove(sio_socket_t *self) {
    if (self->hashed)
        HASH_DEL(self->nsp->by_id, self);
    self->hashed = false;
}

static void hash_add(sio_socket_t *self) {
    str_t sid = sio_socket_id(self);
    sio_socket_t *existing;
    HASH_FIND(hh, self->nsp->by_id, sid.p, sid.n, existing);
    if (existing) {
        ASSERT(!sio_socket_connected(existing));
        hash_remove(existing);
    }
    HASH_ADD_KEYPTR(hh, self->nsp->by_id, self->id, sid.n, self);
    self->hashed = true;
}

static void append_random_id(sio_server_t *server, strbuf_t *to) {
    unsigned char bytes[ID_RANDOM_BYTES];
    server->engine->transport->random(bytes, sizeof(bytes));
    base64url_append(to, (str_t){(const char *)bytes, sizeof(bytes)});
}

sio_socket_t *sio_socket_new(sio_connection_t *connection, sio_namespace_t *nsp,
                             const sio_accept_t *how) {
    strbuf_t id = {0};
    if (how->sid.n)
        strbuf_append(&id, how->sid);
    else
        append_random_id(nsp->server, &id);
    ASSERT(id.n <= SIO_MAX_ID);

    sio_socket_t *self = xcalloc(1, sizeof(*self) + id.n);
    self->references = 1;
    self->nsp = nsp;
    self->connection = connection;
    self->data = how->data;
    self->id_length = (uint8_t)id.n;
    memcpy(self->id, id.p, id.n);
    strbuf_fini(&id);
    hash_add(self);
    DL_APPEND(nsp->sockets, self);
    LL_PREPEND2(connection->sockets, self, next_of_connection);
    nsp->n_sockets++;
    nsp->server->counters.sockets++;
    return self;
}

void sio_socket_reply(sio_socket_t *self, str_t pid) {
    if (!sio_socket_connected(self))
        return;
    strbuf_t json = {0};
    strbuf_append(&json, STR("{\"sid\":"));
    strbuf_append_json_string(&json, sio_socket_id(self));
    if (pid.n) {
        strbuf_append(&json, STR(",\"pid\":"));
        strbuf_append_json_string(&json, pid);
    }
    strbuf_append_char(&json, '}');
    sio_connection_send(self->connection, &(sio_outgoing_t){.type = SIO_CONNECT,
                                                            .nsp = sio_namespace_name(self->nsp),
                                                            .args = strbuf_str(&json)});
    strbuf_fini(&json);
}

void sio_socket_detach(sio_socket_t *self, eio_close_t reason) {
    LL_DELETE2(self->connection->sockets, self, next_of_connection);
    sio_connection_note_silence(self->connection);
    self->connection = NULL;
    self->close_reason = (uint8_t)reason;
    hash_remove(self);
}

void sio_socket_end(sio_socket_t *self) {
    sio_namespace_t *nsp = self->nsp;
    eio_close_t reason = (eio_close_t)self->close_reason;
    sio_ack_fail_all(self);
    sio_rooms_leave_all(self);
    nsp->server->counters.disconnects[reason]++;
    nsp->server->counters.sockets--;
    if (nsp->handlers.on_disconnect)
        nsp->handlers.on_disconnect(nsp->handlers.arg, self, reason);
    DL_DELETE(nsp->sockets, self);
    nsp->n_sockets--;
    sio_socket_unref(&self);
}

sio_socket_t *sio_socket_ref(sio_socket_t *self) {
    self->references++;
    return self;
}

void sio_socket_unref(sio_socket_t **socket) {
    sio_socket_t *self = *socket;
    *socket = NULL;
    if (self && --self->references == 0)
        free(self);
}

sio_socket_t *sio_connection_socket(const sio_connection_t *connection,
                                    const sio_namespace_t *nsp) {
    sio_socket_t *socket;
    for (socket = connection->sockets; socket; socket = socket->next_of_connection) {
        if (socket->nsp == nsp)
            return socket;
    }
    return NULL;
}

void sio_disconnect(sio_socket_t *self) {
    if (!sio_socket_connected(self))
        return;
    sio_server_t *server = self->nsp->server;
    sio_connection_send(self->connection, &(sio_outgoing_t){.type = SIO_DISCONNECT,
                                                            .nsp = sio_namespace_name(self->nsp)});
    sio_socket_detach(self, EIO_CLOSE_SERVER_LEFT);
    self->next_leaving = server->leaving;
    server->leaving = self;
}

void sio_close(sio_socket_t *self, eio_close_t reason) {
    if (self->connection)
        eio_close(self->connection->session, reason);
}

/* ---- what is known of it ---- */

bool sio_socket_is_crowded(const sio_socket_t *self) {
    return self->connection && eio_session_is_crowded(self->connection->session);
}

bool sio_socket_connected(const sio_socket_t *self) {
    return self->connection && self->connection->session->state == EIO_STATE_OPEN;
}

str_t sio_socket_id(const sio_socket_t *self) {
    return (str_t){self->id, self->id_length};
}

const eio_request_t *sio_socket_request(const sio_socket_t *self) {
    return self->connection ? eio_session_request(self->connection->session) : NULL;
}

sio_namespace_t *sio_socket_namespace(const sio_socket_t *self) {
    return self->nsp;
}

bool sio_socket_on_websocket(const sio_socket_t *self) {
    return self->connection && eio_session_on_websocket(self->connection->session);
}

size_t sio_socket_queued(const sio_socket_t *self) {
    return self->connection ? eio_session_queued(self->connection->session) : 0;
}

void sio_socket_set_data(sio_socket_t *self, void *data) {
    self->data = data;
}

void *sio_socket_data(const sio_socket_t *self) {
    return self->data;
}

sio_socket_t *sio_socket_next(const sio_socket_t *self) {
    return self->next;
}

/* ---- events ---- */

sio_packet_t *sio_packet_new(const sio_namespace_t *nsp, str_t name, str_t args,
                             sio_attachments_t attachments) {
    return sio_packet_encode(&(sio_outgoing_t){.type = SIO_EVENT,
                                               .nsp = sio_namespace_name(nsp),
                                               .has_name = true,
                                               .name = name,
                                               .args = args,
                                               .attachments = attachments});
}

void sio_send(sio_socket_t *self, sio_packet_t *packet) {
    if (!sio_socket_connected(self))
        return;
    self->nsp->server->counters.events_out++;
    sio_packet_send(packet, self->connection->session);
}

void sio_send_with(sio_socket_t *self, sio_packet_t *packet, str_t more_args) {
    if (!sio_socket_connected(self))
        return;
    strbuf_t *tail = &self->nsp->server->tail;
    strbuf_clear(tail);
    strbuf_append_char(tail, ',');
    strbuf_append(tail, more_args);
    strbuf_append_char(tail, ']');
    self->nsp->server->counters.events_out++;
    sio_packet_send_with(packet, self->connection->session, strbuf_str(tail));
}

bool sio_send_volatile(sio_socket_t *self, sio_packet_t *packet) {
    if (!self->connection || !eio_session_can_send(self->connection->session))
        return false;
    sio_send(self, packet);
    return true;
}

void sio_emit_binary(sio_socket_t *self, str_t name, str_t args, sio_attachments_t attachments) {
    if (!sio_socket_connected(self))
        return;
    sio_packet_t *packet = sio_packet_new(self->nsp, name, args, attachments);
    sio_send(self, packet);
    sio_packet_unref(&packet);
}

void sio_emit(sio_socket_t *self, str_t name, str_t args) {
    sio_emit_binary(self, name, args, (sio_attachments_t){0});
}
