#include <utlist.h>

#include "gateway/socketio/sio_internal.h"

struct sio_pending_ack {
    timeout_t timeout;
    sio_pending_ack_t *prev, *next; /* of the socket's list */
    sio_socket_t *socket;
    uint64_t id;
    sio_on_ack_t *on_ack;
    void *arg;
};

/* ---- that the client asked of us ---- */

sio_ack_t sio_event_ack(const sio_event_t *event) {
    if (!event->wants_ack)
        return (sio_ack_t){0};
    return (sio_ack_t){sio_socket_ref(event->socket), event->ack_id};
}

void sio_ack_send_binary(sio_ack_t *ack, str_t args, sio_attachments_t attachments) {
    if (ack->socket && sio_socket_connected(ack->socket)) {
        sio_namespace_t *nsp = ack->socket->nsp;
        nsp->server->counters.acks_out++;
        sio_connection_send(ack->socket->connection,
                            &(sio_outgoing_t){.type = SIO_ACK,
                                              .nsp = sio_namespace_name(nsp),
                                              .has_id = true,
                                              .id = ack->id,
                                              .args = args,
                                              .attachments = attachments});
    }
    sio_ack_drop(ack);
}

void sio_ack_send(sio_ack_t *ack, str_t args) {
    sio_ack_send_binary(ack, args, (sio_attachments_t){0});
}

void sio_ack_drop(sio_ack_t *ack) {
    sio_socket_unref(&ack->socket);
}

/* ---- that we asked of the client ---- */

err_t sio_emit_ack(sio_socket_t *socket, str_t name, str_t args, sio_on_ack_t *on_ack, void *arg) {
    if (!sio_socket_connected(socket))
        return ERR_CLOSED;
    sio_server_t *server = socket->nsp->server;
    if (socket->n_acks >= server->options.max_pending_acks)
        return ERR_LIMIT;
    sio_pending_ack_t *pending = xcalloc(1, sizeof(*pending));
    pending->socket = socket;
    pending->id = socket->next_ack_id++;
    pending->on_ack = on_ack;
    pending->arg = arg;
    DL_APPEND(socket->acks, pending);
    socket->n_acks++;
    timeout_set(&pending->timeout, &server->new_acks, 0);
    server->counters.events_out++;
    sio_connection_send(socket->connection,
                        &(sio_outgoing_t){.type = SIO_EVENT,
                                          .nsp = sio_namespace_name(socket->nsp),
                                          .has_id = true,
                                          .id = pending->id,
                                          .has_name = true,
                                          .name = name,
                                          .args = args});
    return OK;
}

static void finish(sio_pending_ack_t *pending, err_t result, str_t args,
                   sio_attachments_t attachments) {
    sio_pending_ack_t ended = *pending;
    timeout_clear(&pending->timeout);
    DL_DELETE(ended.socket->acks, pending);
    ended.socket->n_acks--;
    free(pending);
    ended.on_ack(ended.arg, ended.socket, result, args, attachments);
}

void sio_ack_received(sio_socket_t *socket, uint64_t id, str_t args,
                      sio_attachments_t attachments) {
    sio_pending_ack_t *pending;
    DL_SEARCH_SCALAR(socket->acks, pending, id, id);
    if (!pending)
        return;
    socket->nsp->server->counters.acks_in++;
    finish(pending, OK, args, attachments);
}

void sio_ack_timed_out(timeout_t *timeout) {
    finish((sio_pending_ack_t *)timeout, ERR_TIMEOUT, (str_t){0}, (sio_attachments_t){0});
}

void sio_ack_fail_all(sio_socket_t *socket) {
    sio_pending_ack_t *pending, *next;
    DL_FOREACH_SAFE(socket->acks, pending, next) {
        finish(pending, ERR_CLOSED, (str_t){0}, (sio_attachments_t){0});
    }
}
