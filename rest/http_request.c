/* Reading requests: from the first line through the headers and the body to the work. */
#include <sodium.h>
#include <strings.h>

#include "common/clock.h"
#include "common/log.h"
#include "rest/api_call.h"
#include "rest/http_server.h"
#include "rest/rest_metrics.h"

static request_t *request_of(exchange_t *exchange) {
    return (request_t *)(void *)((char *)exchange - offsetof(request_t, exchange));
}

void *http_request_begin(void *context, const char *target, struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    ASSERT(info && info->socket_context);
    request_t *request = xcalloc(1, sizeof(*request));
    request->http = context;
    request->connection = info->socket_context;
    request->mhd = mhd;
    request->exchange.target = str_dup(str_from(target));
    request->exchange.started_ms = clock_now_ms();
    request->connection->request = request;
    http_set_deadline(request->connection, request->http->options.config->request_timeout_ms);
    return request;
}

/* ---- headers ---- */

static str_t header(const request_t *request, const char *name) {
    const char *value = MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
    return value ? str_from(value) : (str_t){"", 0};
}

static enum MHD_Result join_forwarded(void *context, enum MHD_ValueKind kind, const char *name,
                                      const char *value) {
    (void)kind;
    strbuf_t *joined = context;
    if (strcasecmp(name, "X-Forwarded-For") == 0 && value)
        strbuf_printf(joined, "%s%s", joined->n ? "," : "", value);
    return MHD_YES;
}

/* A proxy may have added a line of its own to the one that came: all lines are one list. */
static client_address_t read_address(const request_t *request) {
    const http_t *http = request->http;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    ASSERT(info);
    client_address_t peer = client_address_of(info->client_addr);
    strbuf_t forwarded = {0};
    MHD_get_connection_values(request->mhd, MHD_HEADER_KIND, join_forwarded, &forwarded);
    client_address_t found =
        client_address_resolve(&peer, strbuf_str(&forwarded), http->trusted, http->trusted_count);
    strbuf_fini(&forwarded);
    return found;
}

/* The id that the edge gave the request, or one of our own; the trace of the caller, or the same id
 * once more. */
static void read_ids(request_t *request) {
    exchange_t *exchange = &request->exchange;
    uint8_t random[TRACE_ID_BYTES];
    str_t given = header(request, "X-Request-Id");
    if (request_id_is_valid(given))
        memcpy(exchange->request_id, given.p, given.n);
    else
        api_make_uuid(exchange->request_id);
    randombytes_buf(random, sizeof(random));
    exchange->context =
        trace_context_begin(header(request, "traceparent"), str_from(exchange->request_id), random);
}

/* Path and query; of the absolute form (RFC 9112, 3.2.2) scheme and host are left out. */
static void split_target(exchange_t *exchange) {
    str_t target = str_from(exchange->target);
    const char *slash = NULL;
    if (target.n > 7 && strncasecmp(target.p, "http://", 7) == 0)
        slash = memchr(target.p + 7, '/', target.n - 7);
    if (slash)
        target = str_from_offset(target, (size_t)(slash - exchange->target));
    const char *mark = target.n ? memchr(target.p, '?', target.n) : NULL;
    exchange->path = (str_t){target.p, mark ? (size_t)(mark - target.p) : target.n};
    exchange->query = mark ? str_from_offset(target, exchange->path.n + 1) : (str_t){"", 0};
}

static void read_headers(request_t *request, const char *method) {
    exchange_t *exchange = &request->exchange;
    http_t *http = request->http;
    exchange->method = routes_method(str_from(method));
    split_target(exchange);
    read_ids(request);
    exchange->authorization = header(request, "Authorization");
    exchange->content_type = header(request, "Content-Type");
    exchange->idempotency_key = header(request, "Idempotency-Key");
    exchange->accept_encoding = header(request, "Accept-Encoding");
    exchange->if_none_match = header(request, "If-None-Match");
    exchange->origin = header(request, "Origin");
    exchange->address = read_address(request);
    exchange->cors = cors_check(&http->cors, exchange->origin, header(request, "Host"));
    exchange->preflight = exchange->method == METHOD_OPTIONS && exchange->origin.n &&
                          header(request, "Access-Control-Request-Method").n;
}

/* How often headers came on which two readers of one request might differ. */
typedef struct {
    unsigned content_length, transfer_encoding, host, authorization;
    unsigned malformed; /* names with a blank at the end, which some readers leave out */
} header_counts_t;

static enum MHD_Result count_header(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value) {
    (void)kind, (void)value;
    header_counts_t *counts = context;
    size_t length = strcspn(name, " \t");
    counts->malformed += length == 0 || name[length] != '\0';
    counts->content_length += strcasecmp(name, "Content-Length") == 0;
    counts->transfer_encoding += strcasecmp(name, "Transfer-Encoding") == 0;
    counts->host += strcasecmp(name, "Host") == 0;
    counts->authorization += strcasecmp(name, "Authorization") == 0;
    return MHD_YES;
}

/* The length that the headers announce; 0 for a chunked body. False: the request's end can't be
 * told beyond doubt (RFC 9112, 6.3), or a header that decides came twice or not at all. */
static bool read_framing(const request_t *request, const char *version, uint64_t *length_out) {
    header_counts_t counts = {0};
    str_t length = header(request, "Content-Length");
    MHD_get_connection_values(request->mhd, MHD_HEADER_KIND, count_header, &counts);
    *length_out = 0;
    bool old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    if (counts.host + old < 1 || counts.host > 1 || counts.authorization > 1 ||
        counts.content_length + counts.transfer_encoding > 1 || counts.malformed > 0)
        return false;
    if (counts.transfer_encoding)
        return strcasecmp(header(request, "Transfer-Encoding").p, "chunked") == 0;
    return !counts.content_length || str_to_u64(length, UINT64_MAX, length_out) == OK;
}

/* ---- what can be answered from the head alone ---- */

static void answer_file(exchange_t *exchange, const static_file_t *file) {
    const static_variant_t *variant = static_file_select(file, exchange->accept_encoding);
    exchange->answer.file = file;
    exchange->answer.variant = variant;
    bool had = content_etag_matches(exchange->if_none_match, str_from(variant->etag));
    exchange_answer(exchange, had ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK);
}

static const static_file_t *find_file(const request_t *request) {
    strbuf_t path = {0};
    const static_file_t *file = NULL;
    if (routes_percent_decode(request->exchange.path, false, &path) == OK && path.n)
        file = static_files_find(request->http->options.files, strbuf_str(&path));
    strbuf_fini(&path);
    return file;
}

static void refuse_method(exchange_t *exchange) {
    if (exchange->method == METHOD_OPTIONS)
        exchange_answer(exchange, MHD_HTTP_NO_CONTENT);
    else
        exchange_fail_as(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, CODE_INVALID_PAYLOAD,
                         STR("this path does not have this method"));
}

static void answer_without_route(request_t *request, routes_result_t result) {
    exchange_t *exchange = &request->exchange;
    const static_file_t *file = result == ROUTES_NO_PATH ? find_file(request) : NULL;
    if (result == ROUTES_BAD_PATH) {
        exchange_fail(exchange, CODE_INVALID_PAYLOAD, STR("the path is not well formed"), 0);
    } else if (result == ROUTES_NO_METHOD) {
        refuse_method(exchange);
    } else if (!file) {
        exchange_fail(exchange, CODE_NOT_FOUND, STR("there is no such path"), 0);
    } else if (exchange->method == METHOD_GET || exchange->method == METHOD_HEAD) {
        answer_file(exchange, file);
    } else {
        exchange->match.allowed = METHOD_GET | METHOD_HEAD | METHOD_OPTIONS;
        refuse_method(exchange);
    }
}

static void refuse(request_t *request, unsigned reason, code_t code, const char *message) {
    metrics_increment(request->http->options.metrics, METRIC_REFUSED, reason);
    exchange_fail(&request->exchange, code, str_from(message), 0);
}

static size_t body_limit(const exchange_t *exchange) {
    size_t limit = exchange->match.route ? exchange->match.route->body_limit : ROUTE_BODY_NONE;
    return limit == ROUTE_BODY_NONE ? ROUTE_BODY_IGNORED_MAX : limit;
}

/* Answers what needs neither body nor other services; else leaves the exchange unanswered. */
static void judge_head(request_t *request, bool framed, uint64_t length) {
    exchange_t *exchange = &request->exchange;
    routes_result_t result =
        routes_match(exchange->method, exchange->path, &exchange->storage, &exchange->match);
    bool probe = result == ROUTES_FOUND && routes_is_probe(exchange->match.route);
    bool foreign = exchange->cors == CORS_FOREIGN && !probe;
    if (!framed)
        exchange_fail(exchange, CODE_INVALID_PAYLOAD, STR("the headers contradict each other"), 0);
    else if (exchange->preflight && !foreign)
        exchange_answer(exchange, MHD_HTTP_NO_CONTENT);
    else if (foreign && (exchange->preflight || result != ROUTES_NO_PATH))
        refuse(request, REFUSED_ORIGIN, CODE_FORBIDDEN, "this origin is not allowed");
    else if (result != ROUTES_FOUND)
        answer_without_route(request, result);
    else if (length > body_limit(exchange))
        exchange_fail(exchange, CODE_PAYLOAD_TOO_LARGE, (str_t){0}, 0);
}

/* May a client that is refused still be sending more than is worth reading? Then its answer goes
 * out at once and the connection ends with it. */
static bool must_end(const request_t *request, bool framed, uint64_t length) {
    return !framed || length > HTTP_DISCARD_BYTES_MAX || header(request, "Expect").n > 0;
}

static enum MHD_Result read_head(request_t *request, const char *method, const char *version) {
    uint64_t length = 0;
    read_headers(request, method);
    bool framed = read_framing(request, version, &length);
    judge_head(request, framed, length);
    request->stage = STAGE_BODY;
    if (request->exchange.answer.status == 0 || !must_end(request, framed, length))
        return MHD_YES;
    request->exchange.answer.close = true;
    return http_answer_send(request);
}

/* ---- body ---- */

static void forget_body(request_t *request) {
    request->http->body_bytes -= request->exchange.body.n;
    strbuf_fini(&request->exchange.body);
}

/* Keeps or throws away a piece. False: too much was thrown away already. */
static bool take_piece(request_t *request, str_t piece) {
    exchange_t *exchange = &request->exchange;
    http_t *http = request->http;
    metrics_add(http->options.metrics, METRIC_RECEIVED_BYTES, 0, (double)piece.n);
    if (exchange->answer.status == 0 && exchange->body.n + piece.n > body_limit(exchange)) {
        forget_body(request);
        exchange_fail(exchange, CODE_PAYLOAD_TOO_LARGE, (str_t){0}, 0);
    } else if (exchange->answer.status == 0 &&
               http->body_bytes + piece.n > http->options.config->body_bytes_max) {
        forget_body(request);
        refuse(request, REFUSED_BODY_BYTES, CODE_UNAVAILABLE, "");
    }
    if (exchange->answer.status != 0) {
        request->discarded += piece.n;
        return request->discarded <= HTTP_DISCARD_BYTES_MAX;
    }
    strbuf_append(&exchange->body, piece);
    http->body_bytes += piece.n;
    return true;
}

/* ---- work ---- */

static void on_answered_later(exchange_t *exchange) {
    request_t *request = request_of(exchange);
    request->http->waiting--;
    MHD_resume_connection(request->mhd);
    mhd_loop_wake(request->http->mhd_loop);
}

static void wait_for_answer(request_t *request) {
    request->stage = STAGE_WAITING;
    request->exchange.wake = on_answered_later;
    request->http->waiting++;
    http_set_deadline(request->connection, 0);
    MHD_suspend_connection(request->mhd);
}

static enum MHD_Result work(request_t *request) {
    http_t *http = request->http;
    exchange_t *exchange = &request->exchange;
    if (exchange->answer.status == 0 && !routes_is_probe(exchange->match.route) &&
        http->waiting >= http->options.config->requests_max)
        refuse(request, REFUSED_WAITING, CODE_UNAVAILABLE, "");
    if (exchange->answer.status == 0)
        api_begin(http->options.api, exchange);
    if (exchange->answer.status != 0)
        return http_answer_send(request);
    wait_for_answer(request);
    return MHD_YES;
}

enum MHD_Result http_request_step(void *context, struct MHD_Connection *mhd, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_size, void **request_ref) {
    (void)context, (void)mhd, (void)path;
    request_t *request = *request_ref;
    switch (request->stage) {
    case STAGE_HEAD:
        return read_head(request, method, version);
    case STAGE_BODY:
        if (*body_size == 0)
            return work(request);
        if (!take_piece(request, (str_t){body, *body_size}))
            return MHD_NO;
        *body_size = 0;
        return MHD_YES;
    case STAGE_WAITING:
        return http_answer_send(request);
    case STAGE_ANSWERED:
        break;
    }
    return MHD_NO;
}

void http_request_abandon(request_t *request) {
    if (request->stage == STAGE_WAITING && request->exchange.answer.status == 0)
        api_abandon(&request->exchange);
}

void http_request_end(void *context, struct MHD_Connection *mhd, void **request_ref,
                      enum MHD_RequestTerminationCode reason) {
    (void)context, (void)mhd, (void)reason;
    request_t *request = *request_ref;
    *request_ref = NULL;
    if (!request)
        return;
    ASSERT(request->exchange.pending.id == 0);
    forget_body(request);
    request->http->answer_bytes -= request->answered;
    exchange_fini(&request->exchange);
    request->connection->request = NULL;
    if (!request->http->closing)
        http_set_deadline(request->connection, request->http->options.config->idle_timeout_ms);
    free(request);
}
