/* What the modules of the Socket.IO layer share. Pure, as eio_session.h.
 *
 *   sio_server      namespaces, time-outs, what Engine.IO reports
 *   sio_connection  one client: its packets, the namespaces it has joined
 *   sio_socket      one client in one namespace
 *   sio_ack         acknowledgements in both directions
 *   sio_rooms       sets of sockets */
#pragma once

#include "gateway/socketio/eio_session.h"
#include "gateway/socketio/sio_assemble.h"

typedef struct sio_connection sio_connection_t;
typedef struct sio_pending_ack sio_pending_ack_t;
typedef struct sio_rooms sio_rooms_t;
typedef struct sio_membership sio_membership_t;

struct sio_server {
    eio_server_t *engine;
    sio_options_t options; /* defaults filled in */
    sio_limits_t limits;
    sio_namespace_t *namespaces;
    /* What was made since the last flush gets its time-out there: only there the time is known. */
    timeout_list_t new_connections, connections; /* without a namespace yet */
    timeout_list_t new_acks, acks;
    sio_connection_t *silent; /* in no namespace and not asking for one, the longest so first */
    sio_socket_t *leaving;    /* left by us: on_disconnect is due; linked by next_leaving */
    strbuf_t name;            /* an event's name, unescaped */
    strbuf_t tail;            /* an event's own end, being made */
    sio_counters_t counters;
    bool draining;
};

struct sio_namespace {
    sio_server_t *server;
    sio_handlers_t handlers;
    sio_namespace_t *next;
    sio_socket_t *sockets; /* until their on_disconnect, linked by prev/next */
    sio_socket_t *by_id;   /* sid => socket, while connected */
    size_t n_sockets;
    sio_rooms_t *rooms;
    char *name;
};

struct sio_connection {
    sio_server_t *server;
    eio_session_t *session;
    sio_socket_t *sockets;    /* linked by next_of_connection */
    sio_connect_t *pending;   /* unanswered, linked by next */
    sio_assembly_t *assembly; /* a binary packet on its way in */
    size_t assembly_bytes;    /* that it takes so far */
    timeout_t timeout;
    bool is_silent; /* in server->silent */
    sio_connection_t *silent_prev, *silent_next;
};

struct sio_connect {
    sio_namespace_t *nsp;
    sio_connection_t *connection; /* NULL: the client has gone */
    sio_connect_t *next;
    size_t auth_length;
    char auth[];
};

struct sio_socket {
    uint32_t references;
    sio_namespace_t *nsp;
    sio_connection_t *connection; /* NULL: closed */
    sio_socket_t *prev, *next;
    sio_socket_t *next_of_connection;
    sio_socket_t *next_leaving;
    UT_hash_handle hh;
    void *data;
    sio_pending_ack_t *acks;       /* asked of the client, oldest first */
    sio_membership_t *memberships; /* of rooms */
    uint64_t next_ack_id;
    uint16_t n_acks;
    uint8_t close_reason;
    bool hashed : 1; /* is in nsp->by_id */
    uint8_t id_length;
    char id[];
};

/* ---- sio_server.c ---- */

/* Makes the Socket.IO part and sets up the handlers it needs below; the engine is set after. */
sio_server_t *sio_server_create(const sio_options_t *options, eio_handlers_t *handlers_out);
void sio_server_attach(sio_server_t *server, eio_server_t *engine);
sio_namespace_t *sio_server_find_namespace(const sio_server_t *server, str_t name);

/* ---- sio_connection.c ---- */

sio_connection_t *sio_connection_new(sio_server_t *server, eio_session_t *session);
/* The session ended: ends its sockets. */
void sio_connection_end(sio_connection_t *connection, eio_close_t reason);
void sio_connection_text(sio_connection_t *connection, str_t text);
void sio_connection_binary(sio_connection_t *connection, str_t bytes);
void sio_connection_timed_out(sio_connection_t *connection);
/* Its sockets or unanswered CONNECTs have changed. */
void sio_connection_note_silence(sio_connection_t *connection);
/* Sends one packet of this connection. */
void sio_connection_send(sio_connection_t *connection, const sio_outgoing_t *outgoing);

/* ---- sio_socket.c ---- */

sio_socket_t *sio_socket_new(sio_connection_t *connection, sio_namespace_t *nsp,
                             const sio_accept_t *how);
/* Takes it off its connection: it counts as closed from now on. */
void sio_socket_detach(sio_socket_t *socket, eio_close_t reason);
/* Runs what is owed to the application when a detached socket ends, and gives up the reference. */
void sio_socket_end(sio_socket_t *socket);
sio_socket_t *sio_connection_socket(const sio_connection_t *connection, const sio_namespace_t *nsp);

/* ---- sio_ack.c ---- */

/* The client answered. Unknown ids are ignored. */
void sio_ack_received(sio_socket_t *socket, uint64_t id, str_t args, sio_attachments_t attachments);
void sio_ack_timed_out(timeout_t *timeout);
void sio_ack_fail_all(sio_socket_t *socket);

/* ---- sio_rooms.c ---- */

sio_rooms_t *sio_rooms_new(const unsigned char key[16]);
void sio_rooms_free(sio_rooms_t **rooms);
void sio_rooms_leave_all(sio_socket_t *socket);
