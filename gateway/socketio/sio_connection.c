#include <utlist.h>

#include "gateway/socketio/sio_internal.h"

sio_connection_t *sio_connection_new(sio_server_t *server, eio_session_t *session) {
    sio_connection_t *self = xcalloc(1, sizeof(*self));
    self->server = server;
    self->session = session;
    timeout_set(&self->timeout, &server->new_connections, 0);
    sio_connection_note_silence(self);
    return self;
}

static void set_silent(sio_connection_t *self, bool is_silent) {
    if (is_silent == self->is_silent)
        return;
    self->is_silent = is_silent;
    if (is_silent)
        DL_APPEND2(self->server->silent, self, silent_prev, silent_next);
    else
        DL_DELETE2(self->server->silent, self, silent_prev, silent_next);
}

void sio_connection_note_silence(sio_connection_t *self) {
    set_silent(self, !self->sockets && !self->pending);
}

static void end_assembly(sio_connection_t *self, sio_assembly_t **assembly) {
    eio_server_give(self->server->engine, self->assembly_bytes);
    self->assembly_bytes = 0;
    sio_assembly_free(assembly);
}

void sio_connection_end(sio_connection_t *self, eio_close_t reason) {
    timeout_clear(&self->timeout);
    while (self->sockets) {
        sio_socket_t *socket = self->sockets;
        sio_socket_detach(socket, reason);
        sio_socket_end(socket);
    }
    sio_connect_t *connect;
    LL_FOREACH(self->pending, connect) {
        eio_server_give(self->server->engine, connect->auth_length);
        connect->connection = NULL;
    }
    self->pending = NULL;
    set_silent(self, false);
    end_assembly(self, &self->assembly);
    free(self);
}

void sio_connection_timed_out(sio_connection_t *self) {
    if (!self->sockets)
        eio_close(self->session, EIO_CLOSE_CONNECT_TIMEOUT);
}

void sio_connection_send(sio_connection_t *self, const sio_outgoing_t *outgoing) {
    sio_packet_t *packet = sio_packet_encode(outgoing);
    sio_packet_send(packet, self->session);
    sio_packet_unref(&packet);
}

/* Too much is coming in from all clients together. */
static void give_up(sio_connection_t *self, const char *detail) {
    eio_server_refused(self->server->engine, "no_room", detail, eio_session_request(self->session));
    eio_close(self->session, EIO_CLOSE_OVERLOAD);
}

/* A packet broke the protocol: there is no answer to that but to end the connection. */
static void violation(sio_connection_t *self, const char *detail) {
    eio_server_refused(self->server->engine, "protocol_error", detail,
                       eio_session_request(self->session));
    eio_close(self->session, EIO_CLOSE_PROTOCOL_ERROR);
}

/* ---- joining ---- */

static void send_refusal(sio_connection_t *self, str_t nsp, str_t message, str_t data) {
    strbuf_t json = {0};
    strbuf_append(&json, STR("{\"message\":"));
    strbuf_append_json_string(&json, message);
    if (data.n) {
        strbuf_append(&json, STR(",\"data\":"));
        strbuf_append(&json, data);
    }
    strbuf_append_char(&json, '}');
    self->server->counters.refusals++;
    sio_connection_send(
        self, &(sio_outgoing_t){.type = SIO_CONNECT_ERROR, .nsp = nsp, .args = strbuf_str(&json)});
    strbuf_fini(&json);
}

static bool is_pending(const sio_connection_t *self, const sio_namespace_t *nsp) {
    const sio_connect_t *connect;
    LL_FOREACH(self->pending, connect) {
        if (connect->nsp == nsp)
            return true;
    }
    return false;
}

static void handle_connect(sio_connection_t *self, const sio_incoming_t *incoming) {
    sio_namespace_t *nsp = sio_server_find_namespace(self->server, incoming->nsp);
    if (!nsp) {
        send_refusal(self, incoming->nsp, STR("Invalid namespace"), (str_t){0});
        return;
    }
    if (sio_connection_socket(self, nsp) || is_pending(self, nsp)) {
        violation(self, "second CONNECT");
        return;
    }
    if (self->server->draining) {
        eio_close(self->session, EIO_CLOSE_SHUTDOWN);
        return;
    }
    if (!eio_server_take(self->server->engine, 0, incoming->json.n)) {
        give_up(self, "CONNECT");
        return;
    }
    sio_connect_t *connect = xmalloc(sizeof(*connect) + incoming->json.n);
    *connect = (sio_connect_t){.nsp = nsp, .connection = self, .auth_length = incoming->json.n};
    if (incoming->json.n)
        memcpy(connect->auth, incoming->json.p, incoming->json.n);
    LL_PREPEND(self->pending, connect);
    sio_connection_note_silence(self);
    if (nsp->handlers.on_connect)
        nsp->handlers.on_connect(nsp->handlers.arg, connect);
    else
        sio_accept(connect, NULL);
}

static void consume_connect(sio_connect_t *connect) {
    sio_connection_t *connection = connect->connection;
    if (connection) {
        LL_DELETE(connection->pending, connect);
        sio_connection_note_silence(connection);
        eio_server_give(connection->server->engine, connect->auth_length);
    }
    free(connect);
}

sio_socket_t *sio_accept(sio_connect_t *connect, const sio_accept_t *how) {
    static const sio_accept_t usual = {0};
    sio_connection_t *self = connect->connection;
    sio_namespace_t *nsp = connect->nsp;
    bool alive = sio_connect_alive(connect);
    consume_connect(connect);
    if (!alive)
        return NULL;
    timeout_clear(&self->timeout);
    if (self->server->options.engine.forget_request)
        eio_request_free(&self->session->request);
    if (!how)
        how = &usual;
    sio_socket_t *socket = sio_socket_new(self, nsp, how);
    sio_connection_note_silence(self);
    self->server->counters.connects++;
    if (!how->hold_reply)
        sio_socket_reply(socket, how->pid);
    return socket;
}

void sio_refuse(sio_connect_t *connect, str_t message, str_t data) {
    if (sio_connect_alive(connect))
        send_refusal(connect->connection, sio_namespace_name(connect->nsp), message, data);
    consume_connect(connect);
}

void sio_close_connect(sio_connect_t *connect, eio_close_t reason) {
    if (connect->connection)
        eio_close(connect->connection->session, reason);
    consume_connect(connect);
}

str_t sio_connect_auth(const sio_connect_t *connect) {
    return (str_t){connect->auth, connect->auth_length};
}

const eio_request_t *sio_connect_request(const sio_connect_t *connect) {
    return connect->connection ? eio_session_request(connect->connection->session) : NULL;
}

sio_namespace_t *sio_connect_namespace(const sio_connect_t *connect) {
    return connect->nsp;
}

bool sio_connect_alive(const sio_connect_t *connect) {
    return connect->connection && connect->connection->session->state == EIO_STATE_OPEN;
}

/* ---- packets of a namespace that was joined ---- */

static str_t plain_name(sio_server_t *server, str_t json) {
    if (json.p[0] != '"')
        return json;
    if (!memchr(json.p, '\\', json.n))
        return (str_t){json.p + 1, json.n - 2};
    strbuf_clear(&server->name);
    json_unescape(json, &server->name);
    return strbuf_str(&server->name);
}

static void handle_event(sio_socket_t *socket, const sio_incoming_t *incoming,
                         sio_attachments_t attachments) {
    const sio_handlers_t *handlers = &socket->nsp->handlers;
    sio_event_t event = {.name = plain_name(socket->nsp->server, incoming->name),
                         .args = incoming->args,
                         .json = incoming->json,
                         .attachments = attachments,
                         .name_is_number = incoming->name.p[0] != '"',
                         .wants_ack = incoming->has_id,
                         .socket = socket,
                         .ack_id = incoming->id};
    socket->nsp->server->counters.events_in++;
    if (handlers->on_event)
        handlers->on_event(handlers->arg, socket, &event);
}

static void handle_disconnect(sio_socket_t *socket) {
    sio_socket_detach(socket, EIO_CLOSE_CLIENT_LEFT);
    sio_socket_end(socket);
}

static void handle_packet(sio_connection_t *self, const sio_incoming_t *incoming,
                          sio_attachments_t attachments) {
    const sio_namespace_t *nsp = sio_server_find_namespace(self->server, incoming->nsp);
    sio_socket_t *socket = nsp ? sio_connection_socket(self, nsp) : NULL;
    if (!socket) {
        violation(self, "packet for a namespace that was not joined");
        return;
    }
    switch (incoming->type) {
    case SIO_EVENT:
    case SIO_BINARY_EVENT:
        handle_event(socket, incoming, attachments);
        return;
    case SIO_ACK:
    case SIO_BINARY_ACK:
        sio_ack_received(socket, incoming->id, incoming->args, attachments);
        return;
    default:
        handle_disconnect(socket);
        return;
    }
}

static void begin_assembly(sio_connection_t *self, str_t text, const sio_incoming_t *incoming) {
    if (!eio_server_take(self->server->engine, 0, text.n)) {
        give_up(self, "attachments");
        return;
    }
    self->assembly_bytes = text.n;
    self->assembly = sio_assembly_new(text, incoming);
}

void sio_connection_text(sio_connection_t *self, str_t text) {
    sio_incoming_t incoming;
    if (self->assembly) {
        violation(self, "text while attachments are outstanding");
        return;
    }
    err_t err = sio_decode(text, &self->server->limits, &incoming);
    if (err != OK)
        violation(self, err == ERR_LIMIT ? "over a limit" : "malformed packet");
    else if (incoming.type == SIO_CONNECT)
        handle_connect(self, &incoming);
    else if (incoming.attachments)
        begin_assembly(self, text, &incoming);
    else
        handle_packet(self, &incoming, (sio_attachments_t){0});
}

void sio_connection_binary(sio_connection_t *self, str_t bytes) {
    if (!self->assembly) {
        violation(self, "attachment that belongs to nothing");
        return;
    }
    if (!eio_server_take(self->server->engine, self->assembly_bytes, bytes.n)) {
        give_up(self, "attachment");
        return;
    }
    self->assembly_bytes += bytes.n;
    if (!sio_assembly_add(self->assembly, bytes))
        return;
    sio_assembly_t *complete = self->assembly;
    self->assembly = NULL;
    handle_packet(self, sio_assembly_packet(complete), sio_assembly_attachments(complete));
    end_assembly(self, &complete);
}
