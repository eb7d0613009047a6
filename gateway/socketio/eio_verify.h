/* What an HTTP request on a server's path is, and whether it is let in: the checks of the Engine.IO
 * server in its order, and the headers for browsers of other origins. */
#pragma once

#include "gateway/socketio/eio_session.h"

/* An answer instead of service; status 0 = none. */
typedef struct {
    unsigned status;
    int code; /* of the JSON body; -1 = empty body */
    str_t message;
    const char *event; /* for on_refused */
} eio_refusal_t;

/* Checks a request, and sees that there is room for a session that it may open; `upgrade` = it asks
 * for a WebSocket. `*session_out` is the one it names, or NULL for a handshake. `verdict` is the
 * application's, for its extra headers. */
eio_refusal_t eio_verify(eio_server_t *server, const http_head_t *head,
                         const eio_request_t *request, eio_session_t **session_out,
                         eio_verdict_t *verdict);

/* True when `path` belongs to the server. */
bool eio_path_matches(const eio_server_t *server, str_t path);

/* Appends the Access-Control lines that every response to this request carries. */
void eio_cors_append(const eio_cors_t *cors, const http_head_t *head, strbuf_t *headers);
/* Appends those of a preflight's answer. */
void eio_cors_append_preflight(const eio_cors_t *cors, const http_head_t *head, strbuf_t *headers);

/* Appends a whole response. `headers` are further lines, each with its CRLF. */
typedef struct {
    unsigned status;
    const char *content_type; /* NULL = none */
    str_t headers;
    str_t body;
    bool keep_alive;
} http_response_t;
void http_response_append(const http_response_t *response, strbuf_t *to);
