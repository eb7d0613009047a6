#include <sys/socket.h>
#include <unistd.h>

#include "gateway/socketio/eio_listener.h"

enum { MAX_REPLY = 64 * 1024, WEBSOCKET_KEY_LENGTH = 24 };

/* The peer's address in text; an IPv4 one without its IPv6 mapping. */
static str_t peer_address(http_conn_t *conn, char *to, size_t size) {
    struct sockaddr_storage address;
    int length = sizeof(address);
    if (uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&address, &length) != 0)
        return (str_t){0};
    int err = address.ss_family == AF_INET ? uv_ip4_name((struct sockaddr_in *)&address, to, size)
                                           : uv_ip6_name((struct sockaddr_in6 *)&address, to, size);
    if (err != 0)
        return (str_t){0};
    str_t text = str_from(to);
    return str_starts_with(text, STR("::ffff:")) ? str_from_offset(text, 7) : text;
}

static void tell_refused(const http_conn_t *conn, const char *event, const char *detail) {
    eio_server_refused(conn->server, event, detail, conn->request);
}

void http_refuse_bytes(http_conn_t *conn, err_t err) {
    const eio_listener_options_t *options = &conn->listener->options;
    char peer[INET6_ADDRSTRLEN];
    if (options->on_refused)
        options->on_refused(options->arg, err == ERR_LIMIT ? "header_limit" : "bad_http",
                            peer_address(conn, peer, sizeof(peer)));
    http_respond_and_close(conn, err == ERR_LIMIT ? 431 : 400);
}

static void respond_refusal(http_conn_t *conn, const eio_refusal_t *refusal) {
    strbuf_t body = {0};
    tell_refused(conn, refusal->event, "request");
    if (refusal->code >= 0) {
        strbuf_printf(&body, "{\"code\":%d,\"message\":", refusal->code);
        strbuf_append_json_string(&body, refusal->message);
        strbuf_append_char(&body, '}');
    }
    http_respond(conn, refusal->status, "application/json", strbuf_str(&body));
    strbuf_fini(&body);
}

/* ---- WebSocket ---- */

static bool asks_for_websocket(const http_head_t *head) {
    return http_list_has(http_head_header(head, STR("connection")), STR("upgrade")) &&
           http_list_has(http_head_header(head, STR("upgrade")), STR("websocket"));
}

/* 16 bytes in base64 (RFC 6455 §4.1): the only part of the request that libwebsockets sees. */
static bool is_websocket_key(str_t key) {
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        bool digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                     c == '+' || c == '/';
        if (!digit && !(c == '=' && i >= WEBSOCKET_KEY_LENGTH - 2))
            return false;
    }
    return key.n == WEBSOCKET_KEY_LENGTH;
}

static route_t hand_over(http_conn_t *conn, const http_head_t *head, eio_session_t *session,
                         str_t rest) {
    uv_os_fd_t fd = -1;
    int copy = uv_fileno((uv_handle_t *)&conn->tcp, &fd) == 0 ? dup(fd) : -1;
    if (copy < 0) {
        tell_refused(conn, "no_descriptor", "websocket");
        http_respond_and_close(conn, 503);
        return ROUTE_ANSWERED;
    }
    websocket_start_t start = {.fd = copy,
                               .server = conn->server,
                               .request = conn->request,
                               .session = session,
                               .key = http_head_header(head, STR("sec-websocket-key")),
                               .headers = strbuf_str(&conn->headers),
                               .rest = rest};
    conn->request = NULL;
    websocket_adopt(conn->listener, &start);
    return ROUTE_HANDED;
}

static route_t route_websocket(http_conn_t *conn, const http_head_t *head, eio_session_t *session,
                               str_t rest) {
    bool sound = str_eq(http_head_header(head, STR("sec-websocket-version")), STR("13")) &&
                 is_websocket_key(http_head_header(head, STR("sec-websocket-key"))) &&
                 str_eq(head->method, STR("GET")) && head->content_length == 0 &&
                 !head->has_transfer_encoding;
    if (!sound) {
        tell_refused(conn, "bad_upgrade", "websocket");
        http_respond_and_close(conn, 400);
        return ROUTE_ANSWERED;
    }
    return hand_over(conn, head, session, rest);
}

/* ---- polling ---- */

static route_t refuse_post(http_conn_t *conn, const char *event, unsigned status) {
    tell_refused(conn, event, "post");
    http_respond_and_close(conn, status);
    return ROUTE_ANSWERED;
}

static route_t route_post(http_conn_t *conn, const http_head_t *head, eio_session_t *session) {
    str_t type = http_head_header(head, STR("content-type"));
    if (!head->has_content_length)
        return refuse_post(conn, "no_length", 411);
    if (head->content_length > conn->server->options.max_payload)
        return refuse_post(conn, "too_large", 413);
    if (http_equal_fold(type, STR("application/octet-stream"))) {
        eio_close(session, EIO_CLOSE_PARSE_ERROR);
        return refuse_post(conn, "bad_content_type", 400);
    }
    err_t err = eio_session_post_begin(session, conn);
    if (err != OK)
        return refuse_post(conn, err == ERR_EXISTS ? "second_post" : "unknown_sid", 400);
    conn->session = session;
    return ROUTE_BODY;
}

void http_route_body(http_conn_t *conn, str_t body) {
    eio_session_t *session = conn->session;
    conn->session = NULL;
    if (!session) {
        refuse_post(conn, "session_ended", 400);
        return;
    }
    err_t err = eio_session_post_end(session, body, conn->request, listener_now(conn->listener));
    if (err != OK)
        refuse_post(conn, "bad_packet", 400);
    else
        http_respond(conn, 200, "text/html", STR("ok"));
}

static route_t route_get(http_conn_t *conn, eio_session_t *session) {
    if (!session) {
        eio_request_t *request = conn->request;
        conn->request = NULL;
        conn->session =
            eio_server_open(conn->server, request, conn, NULL, listener_now(conn->listener));
        return ROUTE_HELD;
    }
    err_t err = eio_session_poll(session, conn);
    if (err != OK) {
        tell_refused(conn, "second_poll", "poll");
        http_respond(conn, 400, NULL, (str_t){0});
        return ROUTE_ANSWERED;
    }
    conn->session = session;
    return ROUTE_HELD;
}

/* ---- which ---- */

static route_t route_preflight(http_conn_t *conn, const http_head_t *head) {
    const eio_cors_t *cors = &conn->server->options.cors;
    eio_cors_append_preflight(cors, head, &conn->headers);
    http_respond(conn, 204, NULL, (str_t){0});
    return ROUTE_ANSWERED;
}

static route_t route_server(http_conn_t *conn, const http_head_t *head, str_t rest) {
    eio_server_t *server = conn->server;
    bool websocket = asks_for_websocket(head);
    if (head->has_transfer_encoding) {
        tell_refused(conn, "chunked", "request");
        http_respond_and_close(conn, 411);
        return ROUTE_ANSWERED;
    }
    eio_cors_append(&server->options.cors, head, &conn->headers);
    if (str_eq(head->method, STR("OPTIONS")) && server->options.cors.origins)
        return route_preflight(conn, head);
    /* A request that is refused, or has a body we don't want, ends the connection with it. */
    bool post = str_eq(head->method, STR("POST"));
    if (!post && head->content_length)
        conn->keep_alive = false;
    eio_session_t *session;
    eio_verdict_t verdict;
    eio_refusal_t refusal = eio_verify(server, head, conn->request, &session, &verdict);
    if (refusal.status) {
        if (websocket || head->content_length)
            conn->keep_alive = false;
        respond_refusal(conn, &refusal);
        return ROUTE_ANSWERED;
    }
    strbuf_append(&conn->headers, verdict.extra_headers);
    if (websocket)
        return route_websocket(conn, head, session, rest);
    return post ? route_post(conn, head, session) : route_get(conn, session);
}

/* A request that belongs to no server. */
static route_t route_other(http_conn_t *conn, const http_head_t *head) {
    const eio_listener_options_t *options = &conn->listener->options;
    eio_reply_t reply = {0};
    bool get = str_eq(head->method, STR("GET")) || conn->head_only;
    if (head->content_length || head->has_transfer_encoding)
        conn->keep_alive = false;
    if (get && options->on_get)
        options->on_get(options->arg, conn->request, &reply);
    if (reply.body.n > MAX_REPLY)
        reply.body.n = MAX_REPLY;
    http_respond(conn, reply.status ? reply.status : 404, reply.content_type, reply.body);
    return ROUTE_ANSWERED;
}

route_t http_route_head(http_conn_t *conn, const http_head_t *head, str_t rest) {
    char peer[INET6_ADDRSTRLEN];
    eio_listener_t *listener = conn->listener;
    conn->request =
        eio_request_new(head, listener->options.headers, peer_address(conn, peer, sizeof(peer)),
                        asks_for_websocket(head));
    for (eio_server_t *server = listener->servers; server; server = server->next) {
        if (eio_path_matches(server, head->path)) {
            conn->server = server;
            return route_server(conn, head, rest);
        }
    }
    return route_other(conn, head);
}
