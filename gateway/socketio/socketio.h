/* A Socket.IO 5 server (over Engine.IO 4) for libuv: what the stock socket.io-client 4 talks to.
 *
 *   eio_listener_new()  a port                     (engineio.h)
 *   sio_server_new()    a server on a path of it
 *   sio_namespace()     its namespaces, each with callbacks
 *   on_connect          a client asks to join; answer now or later with sio_accept() …
 *   on_event            … then its events arrive, and sio_emit() sends others
 *   on_disconnect       … until this
 *
 * Threads: one; every call and callback belongs to the loop's thread. No call runs a callback
 * before it returns, so a loop over sockets that emits to or closes each of them is safe.
 *
 * JSON: the library checks that what arrives is JSON (nesting bounded) and passes the text on as it
 * came. "Arguments" are always the text of JSON values separated by commas, without brackets:
 * `{"a":1},2`, or nothing at all. What the application gives must be valid JSON in UTF-8; control
 * characters must be escaped, as every JSON writer does.
 *
 * Lifetimes: strings given to a callback are borrowed until it returns. A socket lives from
 * sio_accept() until its on_disconnect returns; sio_socket_ref() keeps the handle (not the
 * connection) beyond that, and every call on a closed socket does nothing. */
#pragma once

#include "gateway/socketio/engineio.h"

typedef struct sio_server sio_server_t;
typedef struct sio_namespace sio_namespace_t;
typedef struct sio_socket sio_socket_t;
typedef struct sio_connect sio_connect_t;
typedef struct sio_packet sio_packet_t;

/* ---- server and namespaces ------------------------------------------------------------------- */

/* Zero means the default behind it. */
typedef struct {
    eio_server_options_t engine;
    uint32_t connect_timeout_ms; /* 45,000: from the handshake to the first namespace joined */
    uint32_t max_attachments;    /* 10 binary attachments in one packet */
    uint32_t max_depth;          /* 128: nesting of JSON that is let in */
    uint32_t max_pending_acks;   /* 256 acknowledgements one socket owes us; more: ERR_LIMIT */
    uint32_t ack_timeout_ms;     /* 30,000: after it on_ack gets ERR_TIMEOUT */
    /* Called once or more at the end of each turn of the loop, before what was sent in it goes
     * out: what it sends goes out with that. NULL: nobody is called. */
    void (*before_flush)(void *arg);
    void *flush_arg;
} sio_options_t;

/* A server on `listener`, which owns it. Pointers in `options` must outlive it. */
sio_server_t *sio_server_new(eio_listener_t *listener, const sio_options_t *options);

/* From now on handshakes are answered 503, and CONNECTs of clients that are there already close
 * their transport; sockets go on. The application then closes them at its own pace. */
void sio_server_drain(sio_server_t *server);

/* A buffer that came with a packet or goes with one. */
typedef struct {
    const str_t *items;
    size_t n;
} sio_attachments_t;

typedef struct {
    str_t name; /* unescaped; may hold any character, NUL too */
    /* The arguments behind the name. Binary ones stand as {"_placeholder":true,"num":i} for
     * attachments.items[i]; the library has checked each i. */
    str_t args;
    str_t json; /* the whole array as it came, the name included: ["name",…] */
    sio_attachments_t attachments;
    bool name_is_number; /* the name is the text of a JSON number */
    bool wants_ack;      /* see sio_event_ack() */
    sio_socket_t *socket;
    uint64_t ack_id;
} sio_event_t;

typedef struct {
    /* A client asks to join. The application owns `connect` and answers it, now or later, with
     * exactly one of sio_accept, sio_refuse and sio_close_connect. NULL: everyone may join. */
    void (*on_connect)(void *arg, sio_connect_t *connect);
    void (*on_event)(void *arg, sio_socket_t *socket, const sio_event_t *event);
    /* Once for each accepted socket. */
    void (*on_disconnect)(void *arg, sio_socket_t *socket, eio_close_t reason);
    void *arg;
} sio_handlers_t;

/* Adds a namespace; `name` is "/" or "/something". Clients of a namespace that doesn't exist are
 * refused with "Invalid namespace". */
sio_namespace_t *sio_namespace(sio_server_t *server, const char *name,
                               const sio_handlers_t *handlers);
sio_server_t *sio_namespace_server(const sio_namespace_t *nsp);
str_t sio_namespace_name(const sio_namespace_t *nsp);

/* ---- a client asks to join ------------------------------------------------------------------- */

/* All of these are valid until the connect is answered. */
/* The `auth` object's JSON text as the client sent it; empty when it sent none. */
str_t sio_connect_auth(const sio_connect_t *connect);
/* The HTTP request that opened the session; NULL if the client has gone, or if it was forgotten
 * (eio_server_options_t.forget_request) with an earlier namespace. */
const eio_request_t *sio_connect_request(const sio_connect_t *connect);
sio_namespace_t *sio_connect_namespace(const sio_connect_t *connect);
/* False when the client has gone meanwhile. The answer is still owed, and does nothing. */
bool sio_connect_alive(const sio_connect_t *connect);

/* How to accept. All zero is the usual. */
typedef struct {
    void *data; /* the application's pointer with the socket */
    str_t sid;  /* its public id; empty = a new random one. At most SIO_MAX_ID bytes, unused by any
                   other socket, JSON-safe ASCII */
    str_t pid;  /* private id for connection state recovery, any JSON-safe ASCII; empty = none is
                   sent */
    /* Don't send the CONNECT reply yet: what is emitted now goes out before it. Call
     * sio_socket_reply() then, in the same callback; `pid` is that call's. */
    bool hold_reply;
} sio_accept_t;
#define SIO_MAX_ID 64

/* Lets the client in. NULL `how` = all zero. Returns the socket, or NULL when the client has gone.
 * Consumes `connect`. */
sio_socket_t *sio_accept(sio_connect_t *connect, const sio_accept_t *how);
void sio_socket_reply(sio_socket_t *socket, str_t pid);
/* Refuses: the client's connect_error gets `message` (plain text) and err.data = `data` (JSON text;
 * empty = none). It does not try again by itself. Consumes `connect`. */
void sio_refuse(sio_connect_t *connect, str_t message, str_t data);
/* Closes the whole connection instead: the client tries again by itself, after a pause. Consumes
 * `connect`. */
void sio_close_connect(sio_connect_t *connect, eio_close_t reason);

/* ---- events ---------------------------------------------------------------------------------- */

/* Sends an event. `args` and attachments are copied. */
void sio_emit(sio_socket_t *socket, str_t name, str_t args);
void sio_emit_binary(sio_socket_t *socket, str_t name, str_t args, sio_attachments_t attachments);

/* The fast way to many: encode once, then give the same packet to each socket of the namespace;
 * they share its bytes. The caller has one reference. */
sio_packet_t *sio_packet_new(const sio_namespace_t *nsp, str_t name, str_t args,
                             sio_attachments_t attachments);
sio_packet_t *sio_packet_ref(sio_packet_t *packet);
void sio_packet_unref(sio_packet_t **packet);
void sio_send(sio_socket_t *socket, sio_packet_t *packet);
/* The same with further arguments (JSON values separated by commas) for this socket alone, behind
 * the shared ones: the offset of connection state recovery, say. The packet's bytes stay shared. */
void sio_send_with(sio_socket_t *socket, sio_packet_t *packet, str_t more_args);
/* As sio_send(), but dropped when the client can't take it at once (its connection is congested, or
 * no poll is waiting). Returns whether it was queued. */
bool sio_send_volatile(sio_socket_t *socket, sio_packet_t *packet);

/* A value from the front of `*args` (leading and trailing spaces cut), which moves on. False when
 * there is none. For text the library has checked. */
bool sio_next_arg(str_t *args, str_t *arg_out);

/* ---- acknowledgements ------------------------------------------------------------------------ */

/* The right to answer one event, once, at any time: copy it wherever you like, but use one copy
 * only. Holds a reference to the socket until sent or dropped. Zeroed: nobody wants an answer, and
 * sending does nothing. */
typedef struct {
    sio_socket_t *socket;
    uint64_t id;
} sio_ack_t;

/* Takes the event's acknowledgement: call at most once per event. Zeroed if none is wanted. */
sio_ack_t sio_event_ack(const sio_event_t *event);
/* Answers with these arguments, and clears `ack`. */
void sio_ack_send(sio_ack_t *ack, str_t args);
void sio_ack_send_binary(sio_ack_t *ack, str_t args, sio_attachments_t attachments);
/* Never answers, and clears `ack`. */
void sio_ack_drop(sio_ack_t *ack);

/* Called exactly once: OK with the client's arguments; ERR_TIMEOUT; or ERR_CLOSED, when the socket
 * went first. */
typedef void sio_on_ack_t(void *arg, sio_socket_t *socket, err_t result, str_t args,
                          sio_attachments_t attachments);
/* Sends an event and asks for an acknowledgement. ERR_LIMIT: too many are outstanding; ERR_CLOSED.
 * on_ack is not called then. */
err_t sio_emit_ack(sio_socket_t *socket, str_t name, str_t args, sio_on_ack_t *on_ack,
                   void *arg) MUST_CHECK;

/* ---- sockets --------------------------------------------------------------------------------- */

/* Leaves the namespace with a packet 41: the stock client does not come back by itself.
 * on_disconnect follows with EIO_CLOSE_SERVER_LEFT. */
void sio_disconnect(sio_socket_t *socket);
/* Closes the client's transport, all its namespaces with it: the stock client comes back. What is
 * queued is written first, as far as the peer takes it. on_disconnect follows with `reason`. */
void sio_close(sio_socket_t *socket, eio_close_t reason);

/* From accept until it closes, by whatever side: true. */
bool sio_socket_connected(const sio_socket_t *socket);
/* The public id. Valid as long as the handle. */
str_t sio_socket_id(const sio_socket_t *socket);
/* More than half of what may wait for the client does: what matters least should be left out. */
bool sio_socket_is_crowded(const sio_socket_t *socket);
/* The request that opened the session; NULL once closed or forgotten. */
const eio_request_t *sio_socket_request(const sio_socket_t *socket);
sio_namespace_t *sio_socket_namespace(const sio_socket_t *socket);
bool sio_socket_on_websocket(const sio_socket_t *socket);
/* Bytes waiting to be written on its connection; 0 once closed. */
size_t sio_socket_queued(const sio_socket_t *socket);
void sio_socket_set_data(sio_socket_t *socket, void *data);
void *sio_socket_data(const sio_socket_t *socket);
sio_socket_t *sio_socket_ref(sio_socket_t *socket);
void sio_socket_unref(sio_socket_t **socket);

/* The namespace's sockets: the first (NULL if none), and the one behind `socket`. Emitting to and
 * closing them on the way is fine. Newest last. */
sio_socket_t *sio_namespace_first(const sio_namespace_t *nsp);
sio_socket_t *sio_socket_next(const sio_socket_t *socket);
/* The connected socket with this public id, or NULL. */
sio_socket_t *sio_namespace_find(const sio_namespace_t *nsp, str_t sid);
size_t sio_namespace_size(const sio_namespace_t *nsp);

/* ---- rooms: named sets of sockets of one namespace ------------------------------------------- */

/* A socket leaves all its rooms when it closes, just before on_disconnect. Names are copied. The
 * application bounds how many rooms a client can join. */
void sio_join(sio_socket_t *socket, str_t room);
void sio_leave(sio_socket_t *socket, str_t room);
bool sio_in_room(const sio_socket_t *socket, str_t room);
size_t sio_room_size(const sio_namespace_t *nsp, str_t room);
/* Sends to every member but `except` (or NULL). */
void sio_room_send(const sio_namespace_t *nsp, str_t room, sio_packet_t *packet,
                   const sio_socket_t *except);

/* ---- figures --------------------------------------------------------------------------------- */

typedef struct {
    uint64_t sockets;  /* gauge: joined to a namespace */
    uint64_t connects; /* accepted */
    uint64_t refusals; /* CONNECT_ERRORs sent */
    uint64_t events_in, events_out;
    uint64_t acks_in, acks_out;
    uint64_t disconnects[EIO_CLOSE_REASONS];
} sio_counters_t;
const sio_counters_t *sio_server_counters(const sio_server_t *server);
/* Of the Engine.IO server below. */
const eio_counters_t *sio_server_engine_counters(const sio_server_t *server);
