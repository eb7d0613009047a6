#include "gateway/socketio/eio_verify.h"

enum {
    CODE_TRANSPORT_UNKNOWN,
    CODE_SESSION_UNKNOWN,
    CODE_BAD_HANDSHAKE_METHOD,
    CODE_BAD_REQUEST,
    CODE_FORBIDDEN,
    CODE_UNSUPPORTED_VERSION,
};

static eio_refusal_t refuse(int code) {
    static const struct {
        const char *message, *event;
    } texts[] = {
        [CODE_TRANSPORT_UNKNOWN] = {"Transport unknown", "unknown_transport"},
        [CODE_SESSION_UNKNOWN] = {"Session ID unknown", "unknown_sid"},
        [CODE_BAD_HANDSHAKE_METHOD] = {"Bad handshake method", "bad_handshake_method"},
        [CODE_BAD_REQUEST] = {"Bad request", "bad_request"},
        [CODE_FORBIDDEN] = {"Forbidden", "forbidden"},
        [CODE_UNSUPPORTED_VERSION] = {"Unsupported protocol version", "unsupported_version"},
    };
    return (eio_refusal_t){.status = code == CODE_FORBIDDEN ? 403 : 400,
                           .code = code,
                           .message = str_from(texts[code].message),
                           .event = texts[code].event};
}

static const eio_refusal_t accepted = {0};

/* The bit of the transport that the request names; 0 when it isn't enabled or unknown. */
static unsigned named_transport(const eio_server_t *server, const eio_request_t *request) {
    str_t name = eio_request_query(request, "transport");
    unsigned transport = str_eq(name, STR("polling"))     ? EIO_POLLING
                         : str_eq(name, STR("websocket")) ? EIO_WEBSOCKET
                                                          : 0;
    return transport & server->options.transports;
}

static bool is_version_4(const eio_request_t *request) {
    return str_eq(eio_request_query(request, "EIO"), STR("4"));
}

static eio_refusal_t verify_session(const eio_session_t *session, const http_head_t *head,
                                    unsigned transport, const eio_request_t *request) {
    bool upgrade = eio_request_is_websocket(request);
    if (upgrade ? transport != EIO_WEBSOCKET : transport != EIO_POLLING || session->ws)
        return refuse(CODE_BAD_REQUEST);
    if (!is_version_4(request))
        return refuse(CODE_BAD_REQUEST);
    if (!str_eq(head->method, STR("GET")) && !str_eq(head->method, STR("POST")))
        return (eio_refusal_t){.status = 500, .code = -1, .event = "bad_method"};
    return accepted;
}

static eio_refusal_t verify_handshake(eio_server_t *server, const http_head_t *head,
                                      unsigned transport, const eio_request_t *request,
                                      eio_verdict_t *verdict) {
    if (!str_eq(head->method, STR("GET")))
        return refuse(CODE_BAD_HANDSHAKE_METHOD);
    if (eio_request_is_websocket(request) != (transport == EIO_WEBSOCKET))
        return refuse(CODE_BAD_REQUEST);
    *verdict = (eio_verdict_t){.allow = true};
    if (server->options.on_request)
        server->options.on_request(server->options.arg, request, verdict);
    if (!verdict->allow) {
        eio_refusal_t refusal = refuse(CODE_FORBIDDEN);
        if (verdict->message.n)
            refusal.message = verdict->message;
        return refusal;
    }
    if (!is_version_4(request))
        return refuse(CODE_UNSUPPORTED_VERSION);
    if (!eio_server_has_room(server))
        return (eio_refusal_t){.status = 503,
                               .code = CODE_FORBIDDEN,
                               .message = STR("Service unavailable"),
                               .event = "no_room"};
    return accepted;
}

eio_refusal_t eio_verify(eio_server_t *server, const http_head_t *head,
                         const eio_request_t *request, eio_session_t **session_out,
                         eio_verdict_t *verdict) {
    *session_out = NULL;
    *verdict = (eio_verdict_t){0};
    unsigned transport = named_transport(server, request);
    if (!transport)
        return refuse(CODE_TRANSPORT_UNKNOWN);
    if (head->has_control_characters)
        return refuse(CODE_BAD_REQUEST);
    str_t sid = eio_request_query(request, "sid");
    if (sid.n == 0)
        return verify_handshake(server, head, transport, request, verdict);
    *session_out = eio_server_find(server, sid);
    if (!*session_out)
        return refuse(CODE_SESSION_UNKNOWN);
    return verify_session(*session_out, head, transport, request);
}

bool eio_path_matches(const eio_server_t *server, str_t path) {
    str_t own = str_from(server->options.path);
    if (str_eq(path, own))
        return true;
    return own.n > 1 && own.p[own.n - 1] == '/' && str_eq(path, (str_t){own.p, own.n - 1});
}

/* ---- CORS ---- */

static bool is_allowed_origin(const eio_cors_t *cors, str_t origin) {
    for (size_t i = 0; cors->origins[i]; i++) {
        if (str_eq(origin, str_from(cors->origins[i])))
            return true;
    }
    return false;
}

void eio_cors_append(const eio_cors_t *cors, const http_head_t *head, strbuf_t *headers) {
    if (!cors->origins || !cors->origins[0] || head->has_control_characters)
        return;
    str_t origin = http_head_header(head, STR("origin"));
    if (strcmp(cors->origins[0], "*") == 0) {
        strbuf_append(headers, STR("Access-Control-Allow-Origin: *\r\n"));
    } else if (!cors->origins[1]) {
        strbuf_printf(headers, "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n",
                      cors->origins[0]);
    } else {
        if (is_allowed_origin(cors, origin))
            strbuf_printf(headers, "Access-Control-Allow-Origin: %.*s\r\n", STR_ARG(origin));
        strbuf_append(headers, STR("Vary: Origin\r\n"));
    }
    if (cors->credentials)
        strbuf_append(headers, STR("Access-Control-Allow-Credentials: true\r\n"));
}

void eio_cors_append_preflight(const eio_cors_t *cors, const http_head_t *head, strbuf_t *headers) {
    strbuf_printf(headers, "Access-Control-Allow-Methods: %s\r\n",
                  cors->methods ? cors->methods : "GET,HEAD,PUT,PATCH,POST,DELETE");
    str_t asked = http_head_header(head, STR("access-control-request-headers"));
    if (cors->allowed_headers)
        strbuf_printf(headers, "Access-Control-Allow-Headers: %s\r\n", cors->allowed_headers);
    else if (asked.n && !head->has_control_characters)
        strbuf_printf(headers,
                      "Vary: Access-Control-Request-Headers\r\n"
                      "Access-Control-Allow-Headers: %.*s\r\n",
                      STR_ARG(asked));
    if (cors->max_age_seconds)
        strbuf_printf(headers, "Access-Control-Max-Age: %u\r\n", cors->max_age_seconds);
}

/* ---- responses ---- */

static const char *reason_phrase(unsigned status) {
    switch (status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 411:
        return "Length Required";
    case 413:
        return "Payload Too Large";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return "Status";
    }
}

void http_response_append(const http_response_t *response, strbuf_t *to) {
    strbuf_printf(to, "HTTP/1.1 %u %s\r\n", response->status, reason_phrase(response->status));
    if (response->content_type)
        strbuf_printf(to, "Content-Type: %s\r\n", response->content_type);
    strbuf_printf(to, "Content-Length: %zu\r\n", response->body.n);
    strbuf_append(to, STR("Cache-Control: no-store\r\n"));
    strbuf_append(to, response->keep_alive ? STR("Connection: keep-alive\r\n")
                                           : STR("Connection: close\r\n"));
    strbuf_append(to, response->headers);
    strbuf_append(to, STR("\r\n"));
    strbuf_append(to, response->body);
}
