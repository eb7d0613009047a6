/* An Engine.IO 4 server: the transport layer under socketio.h, usable on its own.
 *
 * A listener owns one TCP port. Servers are attached to it by path ("/socket.io/"). A server has
 * sockets: one per client, whatever transport (long-polling, WebSocket, or the one upgraded to the
 * other) it uses at the moment.
 *
 * One thread: every call belongs on the thread of the listener's loop, and so do the callbacks.
 * Any call may be made from any callback. No call runs a callback before it returns: messages,
 * closes and acknowledgements are always delivered by the loop.
 *
 * Strings handed to a callback are borrowed until it returns, unless said otherwise. */
#pragma once

#include "common/str.h"

struct uv_loop_s; /* uv_loop_t */

typedef struct eio_listener eio_listener_t;
typedef struct eio_server eio_server_t;
typedef struct eio_session eio_session_t;
typedef struct eio_request eio_request_t;
typedef struct eio_packet eio_packet_t;

/* Why a session ended. The first that applies is the one reported. */
typedef enum {
    EIO_CLOSE_TRANSPORT,       /* the peer's TCP or WebSocket connection ended or failed */
    EIO_CLOSE_CLIENT,          /* the client sent a close packet */
    EIO_CLOSE_PING_TIMEOUT,    /* no pong within pingTimeout */
    EIO_CLOSE_PARSE_ERROR,     /* bytes that are no Engine.IO packet, or one not allowed here */
    EIO_CLOSE_TOO_LARGE,       /* a WebSocket message over maxPayload, or too many fragments */
    EIO_CLOSE_POLL_CONFLICT,   /* two polls, or two posts, at the same time */
    EIO_CLOSE_QUEUE_LIMIT,     /* the client doesn't read: over max_queue_bytes were waiting */
    EIO_CLOSE_PROTOCOL_ERROR,  /* Socket.IO: a packet that breaks the protocol */
    EIO_CLOSE_CONNECT_TIMEOUT, /* Socket.IO: no namespace joined within connectTimeout */
    EIO_CLOSE_CLIENT_LEFT,     /* Socket.IO: the client left this namespace (packet 41) */
    EIO_CLOSE_SERVER_LEFT,     /* Socket.IO: sio_disconnect() */
    EIO_CLOSE_SERVER,          /* the application closed the transport */
    EIO_CLOSE_OVERLOAD,        /* the application closed it: try again later */
    EIO_CLOSE_SHUTDOWN,        /* the server is going away */
    EIO_CLOSE_REASONS,         /* their number */
} eio_close_t;

/* "transport_close", "ping_timeout", …: for logs and metric labels. */
const char *eio_close_name(eio_close_t reason);

/* ---- requests -------------------------------------------------------------------------------- */

/* What is known of an HTTP request. The one that opened a session is kept with it. */

/* A header's value by its lower-case name; .p is NULL when the request has none. Only headers
 * named in eio_listener_options_t.headers are kept. Repeated headers come joined by ", ". */
str_t eio_request_header(const eio_request_t *request, const char *name);
/* A query parameter's first value, percent-decoded; .p is NULL when there is none. */
str_t eio_request_query(const eio_request_t *request, const char *key);
/* The i-th query parameter in order of the URL, decoded. False behind the last. */
bool eio_request_query_at(const eio_request_t *request, size_t i, str_t *key_out, str_t *value_out);
/* The i-th kept header that the request has. False behind the last. */
bool eio_request_header_at(const eio_request_t *request, size_t i, str_t *name_out,
                           str_t *value_out);
/* The path without the query, e.g. "/socket.io/". */
str_t eio_request_path(const eio_request_t *request);
/* The address of the TCP peer in text, e.g. "127.0.0.1" or "::1": a proxy's, if there is one. Whom
 * to believe X-Forwarded-For is the application's decision. */
str_t eio_request_peer(const eio_request_t *request);
/* True for a WebSocket upgrade request. */
bool eio_request_is_websocket(const eio_request_t *request);

/* ---- the listener ---------------------------------------------------------------------------- */

/* The answer to an HTTP request outside every server's path. Zeroed = 404. */
typedef struct {
    unsigned status;          /* 200, 404, 503 … */
    const char *content_type; /* static text, e.g. "text/plain" */
    str_t body;               /* copied when the callback returns; at most 64 KiB */
} eio_reply_t;

typedef struct {
    const char *host; /* address to bind, e.g. "127.0.0.1" or "::1"; NULL = every IPv4 one */
    uint16_t port;    /* 0 = any free one, see eio_listener_port() */
    /* Lower-case names of the request headers to keep, NULL at the end. NULL = authorization,
     * cookie, host, origin, referer, traceparent, user-agent, x-forwarded-for, x-forwarded-proto.
     * The array must outlive the listener. At most EIO_MAX_KEPT_HEADERS. */
    const char *const *headers;
    uint32_t max_header_bytes; /* of one request; longer ones are refused; 0 = 8192 */
    /* TCP connections at once; 0 = 60,000. Over it the one that has been waiting longest for a
     * request, or for the rest of one, is closed; else a session that says nothing
     * (eio_server_options_t.max_sessions); else the new one. */
    uint32_t max_connections;
    uint32_t idle_timeout_seconds; /* of a kept-alive connection without a request; 0 = 75 */
    uint32_t receive_timeout_ms;   /* for a whole request, from its first byte; 0 = 30,000 */
    /* The kernel's buffers of each connection, in each direction: what waits there is in nobody's
     * count. 0 = 256 KiB. */
    uint32_t socket_buffer_bytes;
    /* Asked for each GET that belongs to no server (health checks, say). NULL: 404 for all. */
    void (*on_get)(void *arg, const eio_request_t *request, eio_reply_t *reply_out);
    /* Told of each connection that is dropped because what came on it isn't HTTP, or too much of
     * it: "bad_http" or "header_limit", and the peer's address. NULL: nobody is told. */
    void (*on_refused)(void *arg, const char *event, str_t peer);
    void *arg;
} eio_listener_options_t;

#define EIO_MAX_KEPT_HEADERS 32

/* Binds and listens. `loop` must outlive it. ERR_IO: the address can't be bound, or
 * libwebsockets' libuv plugin is missing. */
err_t eio_listener_new(struct uv_loop_s *loop, const eio_listener_options_t *options,
                       eio_listener_t **listener_out) MUST_CHECK;
/* The port bound. */
uint16_t eio_listener_port(const eio_listener_t *listener);
/* Stops. Within the loop's next turn every session is closed with EIO_CLOSE_SHUTDOWN (their
 * on_close is still called), and the port and all connections with them. Run the loop until nothing
 * of the listener is left in it (uv_run() returns, if the application closed its own handles), then
 * call eio_listener_free(). */
void eio_listener_stop(eio_listener_t *listener);
/* Frees it and every server attached to it. Only after eio_listener_stop() and the loop's run. What
 * the application still holds of a server (sio_ack_t, sio_socket_ref()) may only be dropped then.
 */
void eio_listener_free(eio_listener_t **listener);

/* ---- a server -------------------------------------------------------------------------------- */

enum { EIO_POLLING = 1, EIO_WEBSOCKET = 2 }; /* bits of .transports */

/* May this request open a session? Asked once per handshake, and for polling requests before the
 * protocol version is looked at. */
typedef struct {
    bool allow;
    str_t message;       /* of the refusal; "Forbidden" if empty */
    str_t extra_headers; /* "Name: value\r\n" lines for the handshake's response; copied */
} eio_verdict_t;

/* Cross-origin rules. All zero: no headers, browsers of other origins can't read the answers. */
typedef struct {
    const char *const *origins; /* NULL-terminated; {"*", NULL} = any. Compared exactly */
    bool credentials;
    const char *methods;         /* of a preflight; NULL = GET,HEAD,PUT,PATCH,POST,DELETE */
    const char *allowed_headers; /* of a preflight; NULL = what the browser asks for */
    uint32_t max_age_seconds;    /* 0 = header left out */
} eio_cors_t;

/* Every field's zero means the default behind it. Pointers must outlive the server. */
typedef struct {
    const char *path;            /* "/socket.io/"; also accepted without the last slash */
    unsigned transports;         /* EIO_POLLING | EIO_WEBSOCKET */
    uint32_t ping_interval_ms;   /* 25,000 */
    uint32_t ping_timeout_ms;    /* 20,000 */
    uint32_t upgrade_timeout_ms; /* 10,000 */
    uint32_t closing_timeout_ms; /* 30,000: how long a closed polling session waits to say so */
    uint32_t max_payload;        /* 1,000,000 bytes: a POST's body, a WebSocket message */
    uint32_t max_fragments;      /* 1,024 of one WebSocket message */
    uint32_t max_queue_bytes;    /* 4 MiB waiting for one client; more closes it */
    /* 512 MiB waiting for all clients together, and 256 MiB of unfinished input of all of them. No
     * client may have more of it than is left for the others: those that hoard are closed first. */
    uint64_t max_total_queue_bytes;
    uint64_t max_total_input_bytes;
    /* 100,000. Over it the session that has joined no Socket.IO namespace for longest is closed; if
     * there is none, further handshakes are answered 503. */
    uint32_t max_sessions;
    const char *sid_prefix; /* "": sids are "<prefix>.<24 random characters>" if not empty */
    eio_cors_t cors;
    /* Forget a session's request when its first Socket.IO namespace is joined: saves its memory;
     * sio_socket_request() is NULL from then on. */
    bool forget_request;
    /* Decides on every handshake, polling and WebSocket alike; refusal is answered 403 for polling,
     * and on WebSocket too, before any 101. NULL: all are allowed. Must not block. */
    void (*on_request)(void *arg, const eio_request_t *request, eio_verdict_t *verdict);
    /* Told of each refused input: a short event name ("bad_packet", "unknown_sid", …), which part
     * of the protocol it came by, and the request (NULL if it was forgotten). Nothing that the peer
     * sent is in the texts. NULL: nobody is told. */
    void (*on_refused)(void *arg, const char *event, const char *detail, const eio_request_t *);
    void *arg;
} eio_server_options_t;

/* What a raw Engine.IO server calls. For Socket.IO use socketio.h instead. */
typedef struct {
    void (*on_open)(void *arg, eio_session_t *session);
    void (*on_message)(void *arg, eio_session_t *session, str_t message, bool binary);
    /* Exactly once per on_open; the socket is gone when it returns. */
    void (*on_close)(void *arg, eio_session_t *session, eio_close_t reason);
    void *arg;
} eio_handlers_t;

/* Attaches a server to a listener, which owns it. */
eio_server_t *eio_server_new(eio_listener_t *listener, const eio_server_options_t *options,
                             const eio_handlers_t *handlers);

/* From now on handshakes are answered 503 (WebSocket ones too); sessions go on. */
void eio_server_drain(eio_server_t *server);

/* Gauges and counters since the start; plain numbers, read them whenever you like. */
typedef struct {
    uint64_t sessions_polling;   /* gauge: open ones using long-polling */
    uint64_t sessions_websocket; /* gauge: open ones on WebSocket */
    uint64_t queued_bytes;       /* gauge: waiting to be written to all clients */
    uint64_t input_bytes;        /* gauge: of bodies and messages that are not complete yet */
    uint64_t handshakes;         /* accepted */
    uint64_t refused;            /* requests answered with an error */
    uint64_t refused_input;      /* bodies and messages given up, as too much was coming in */
    uint64_t evicted;            /* sessions closed to make room for others */
    uint64_t upgrades;           /* polling to WebSocket, completed */
    uint64_t packets_in, packets_out;
    uint64_t bytes_in, bytes_out; /* of packets, without HTTP and WebSocket framing */
    uint64_t closes[EIO_CLOSE_REASONS];
} eio_counters_t;
const eio_counters_t *eio_server_counters(const eio_server_t *server);

/* TCP connections open on the listener now, and accepted since its start. */
uint64_t eio_listener_connections(const eio_listener_t *listener);
uint64_t eio_listener_accepted(const eio_listener_t *listener);
/* TCP connections closed, or turned away, as there were too many. */
uint64_t eio_listener_evicted(const eio_listener_t *listener);

/* ---- its sockets ----------------------------------------------------------------------------- */

/* Sends a message; copied. Nothing happens on a closed one. */
void eio_send_text(eio_session_t *session, str_t text);
void eio_send_binary(eio_session_t *session, str_t bytes);

/* One message, encoded once for any number of sockets; the caller has one reference. */
eio_packet_t *eio_packet_text(str_t text);
eio_packet_t *eio_packet_binary(str_t bytes);
void eio_packet_unref(eio_packet_t **packet);
void eio_send_packet(eio_session_t *session, eio_packet_t *packet);

/* Closes after what is queued was written, as far as the peer takes it. on_close follows. */
void eio_close(eio_session_t *session, eio_close_t reason);

/* The application's own pointer with this socket. */
void eio_session_set_data(eio_session_t *session, void *data);
void *eio_session_data(const eio_session_t *session);
/* The session's secret id: whoever knows it can speak for the client. Never log it. */
str_t eio_session_sid(const eio_session_t *session);
/* The request that opened the session. */
const eio_request_t *eio_session_request(const eio_session_t *session);
/* The HTTP POST that brought the message being delivered; NULL outside on_message and on
 * WebSocket. */
const eio_request_t *eio_session_post(const eio_session_t *session);
bool eio_session_on_websocket(const eio_session_t *session);
/* More than half of what may wait for it does: what matters least should be left out. */
bool eio_session_is_crowded(const eio_session_t *session);
/* Bytes waiting to be written. */
size_t eio_session_queued(const eio_session_t *session);
