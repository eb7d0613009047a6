/* The shell: one TCP port, its HTTP connections (on libuv) and WebSockets (on libwebsockets).
 *
 * A connection starts as HTTP. Our own parser reads its requests, because the HTTP server of
 * libwebsockets 4.1 neither notices that a client gave up a held poll nor bounds what it does then
 * (docs/socketio.md, "Why polling isn't on libwebsockets"). A WebSocket upgrade that was let in is
 * handed on to libwebsockets with a request of our own writing; frames are its business from there.
 */
#pragma once

#include <libwebsockets.h>
#include <uv.h>

#include "gateway/socketio/eio_verify.h"

typedef struct http_conn http_conn_t;
typedef struct websocket websocket_t;

struct eio_listener {
    uv_loop_t *loop;
    uv_tcp_t tcp;
    uv_prepare_t prepare; /* the end of every turn of the loop */
    uv_timer_t timer;
    uint64_t timer_at; /* when it fires, TIMEOUT_NONE if it isn't set */
    eio_listener_options_t options;
    uint16_t port;
    bool stopping;
    eio_server_t *servers;

    http_conn_t *conns;   /* all, linked by prev/next */
    http_conn_t *resumed; /* those with requests left to read, linked by next_resumed */
    timeout_list_t idle, receiving, sending, leaving;
    strbuf_t response; /* being composed */

    struct lws_context *lws;
    struct lws_vhost *vhost;
    websocket_t *websockets; /* all */
    websocket_t *adopting;   /* the one libwebsockets is shaking hands with */
    timeout_list_t dying;    /* WebSockets that should be gone by then */
    uint64_t connections, accepted, evicted;
    uint64_t closing; /* connections that are on their way out */
    char read_buffer[64 * 1024];
};

/* uv_now() of the listener's loop: milliseconds, steady. */
uint64_t listener_now(const eio_listener_t *listener);

/* ---- http_conn.c ---- */

void http_conn_accept(eio_listener_t *listener);
void http_conn_close_all(eio_listener_t *listener);
/* Reads on in the connections whose requests were answered. False when there was none. */
bool http_conn_resume(eio_listener_t *listener);
/* Closes those that are too slow or idle for too long. */
void http_conn_expire(eio_listener_t *listener);
/* Of eio_transport_t. */
void http_conn_poll_reply(void *poll, str_t body);
void http_conn_post_forget(void *post);

/* ---- http_route.c ---- */

/* What to do with the connection once a request's head was handled. */
typedef enum {
    ROUTE_ANSWERED, /* the response is on its way */
    ROUTE_HELD,     /* it waits for an answer */
    ROUTE_BODY,     /* its body is to be read */
    ROUTE_HANDED,   /* it became a WebSocket: the connection object is closing */
} route_t;

struct http_conn {
    uv_tcp_t tcp;
    eio_listener_t *listener;
    http_conn_t *prev, *next, *next_resumed;
    timeout_t deadline;
    strbuf_t in; /* read, but not yet used */
    /* The request being served. */
    eio_server_t *server;
    eio_session_t *session; /* that holds this connection as its poll or post */
    eio_request_t *request;
    strbuf_t headers; /* further lines of the response */
    strbuf_t body;    /* of a POST, as far as it has come */
    uint64_t body_length;
    uint8_t state; /* of http_conn.c */
    bool keep_alive : 1;
    bool reading : 1;
    bool resumed : 1;
    bool head_only : 1; /* a HEAD request: the response has no body */
};

/* Serves a request whose head is complete; `rest` is what follows it on the connection. */
route_t http_route_head(http_conn_t *conn, const http_head_t *head, str_t rest);
/* Answers bytes that were no request: `err` is http_head_parse()'s. */
void http_refuse_bytes(http_conn_t *conn, err_t err);
/* Serves a POST whose body is complete. */
void http_route_body(http_conn_t *conn, str_t body);
/* Answers the request being served. */
void http_respond(http_conn_t *conn, unsigned status, const char *content_type, str_t body);
/* Answers, and closes the connection then. */
void http_respond_and_close(http_conn_t *conn, unsigned status);

/* ---- websocket.c ---- */

typedef struct {
    int fd; /* taken */
    eio_server_t *server;
    eio_request_t *request; /* taken; of a handshake, else NULL */
    eio_session_t *session; /* to take over; NULL for a handshake */
    str_t key;              /* Sec-WebSocket-Key, checked */
    str_t headers;          /* further lines of the 101 response */
    str_t rest;             /* bytes that came behind the request */
} websocket_start_t;

/* Creates the libwebsockets context. */
err_t websocket_init(eio_listener_t *listener) MUST_CHECK;
void websocket_adopt(eio_listener_t *listener, const websocket_start_t *start);
/* Ends those that were told to close and did not. */
void websocket_expire(eio_listener_t *listener);
void websocket_stop(eio_listener_t *listener);
/* Of eio_transport_t. */
bool websocket_write(void *ws, str_t frames);
void websocket_close(void *ws, unsigned code);
