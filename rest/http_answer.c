/* Sending answers: headers, content, and what is counted and logged of them. */
#include "common/clock.h"
#include "common/trace_log.h"
#include "rest/http_error.h"
#include "rest/http_server.h"
#include "rest/rest_metrics.h"

/* For everything that is no page: nothing may be loaded by it, nobody may frame it. */
#define API_CONTENT_SECURITY_POLICY "default-src 'none'; frame-ancestors 'none'"

static void add(struct MHD_Response *response, const char *name, const char *value) {
    enum MHD_Result added = MHD_add_response_header(response, name, value);
    if (added != MHD_YES)
        log_error("header_refused", log_text("name", name));
}

static void add_cors_headers(const exchange_t *exchange, struct MHD_Response *response) {
    if (exchange->cors != CORS_ALLOWED && exchange->cors != CORS_SAME_HOST)
        return;
    if (exchange->cors == CORS_ALLOWED) {
        add(response, "Access-Control-Allow-Origin", exchange->origin.p);
        add(response, "Access-Control-Expose-Headers", CORS_EXPOSE_HEADERS);
    }
    if (!exchange->preflight)
        return;
    add(response, "Access-Control-Allow-Methods", CORS_ALLOW_METHODS);
    add(response, "Access-Control-Allow-Headers", CORS_ALLOW_HEADERS);
    add(response, "Access-Control-Max-Age", CORS_MAX_AGE_SECONDS);
}

static void add_file_headers(const answer_t *answer, struct MHD_Response *response) {
    const static_variant_t *variant = answer->variant;
    bool page = static_file_is_page(answer->file);
    add(response, "Content-Type", static_file_type(answer->file));
    add(response, "Cache-Control", static_file_cache_control(answer->file));
    add(response, "ETag", variant->etag);
    if (variant->coding != CODING_IDENTITY)
        add(response, "Content-Encoding", content_coding_name(variant->coding));
    if (static_file_has_codings(answer->file))
        add(response, "Vary", "Accept-Encoding");
    add(response, "Content-Security-Policy",
        page ? STATIC_FILES_CONTENT_SECURITY_POLICY : API_CONTENT_SECURITY_POLICY);
    if (page)
        add(response, "Cross-Origin-Opener-Policy", "same-origin");
    add(response, "Cross-Origin-Resource-Policy", "same-origin");
}

static void add_api_headers(const exchange_t *exchange, struct MHD_Response *response) {
    const answer_t *answer = &exchange->answer;
    char seconds[16];
    if (answer->body.n)
        add(response, "Content-Type", EXCHANGE_TYPE_JSON);
    add(response, "Cache-Control", "no-store");
    add(response, "Vary", "Origin");
    add(response, "Content-Security-Policy", API_CONTENT_SECURITY_POLICY);
    if (answer->status == MHD_HTTP_UNAUTHORIZED)
        add(response, "WWW-Authenticate", "Bearer");
    if (answer->retry_after_seconds) {
        snprintf(seconds, sizeof(seconds), "%u", answer->retry_after_seconds);
        add(response, "Retry-After", seconds);
    }
    if (!exchange->match.route && exchange->match.allowed) {
        strbuf_t allow = {0};
        routes_append_allow(exchange->match.allowed, &allow);
        add(response, "Allow", strbuf_cstr(&allow));
        strbuf_fini(&allow);
    }
}

static void add_headers(const request_t *request, struct MHD_Response *response) {
    const exchange_t *exchange = &request->exchange;
    add(response, "X-Request-Id", exchange->request_id);
    add(response, "X-Content-Type-Options", "nosniff");
    add(response, "Referrer-Policy", "no-referrer");
    if (exchange->answer.file) {
        add_file_headers(&exchange->answer, response);
    } else {
        add_api_headers(exchange, response);
        add_cors_headers(exchange, response);
    }
    if (exchange->answer.close || request->http->draining)
        add(response, "Connection", "close");
}

static size_t series_of(const exchange_t *exchange) {
    if (exchange->match.route)
        return exchange->match.route->id;
    if (exchange->answer.file)
        return SERIES_STATIC;
    return exchange->preflight ? SERIES_PREFLIGHT : SERIES_UNMATCHED;
}

static void count(const request_t *request, size_t size) {
    const exchange_t *exchange = &request->exchange;
    metrics_t *metrics = request->http->options.metrics;
    size_t series = series_of(exchange);
    int64_t took_ms = clock_now_ms() - exchange->started_ms;
    metrics_increment(
        metrics, METRIC_REQUESTS,
        metrics_series(metrics, METRIC_REQUESTS, series, exchange->answer.status / 100 - 1));
    metrics_observe(metrics, METRIC_SECONDS, series, (double)took_ms / 1000);
    metrics_add(metrics, METRIC_SENT_BYTES, 0, (double)size);
    if (exchange->answer.status >= MHD_HTTP_INTERNAL_SERVER_ERROR)
        log_refused("request_failed", log_u64("status", exchange->answer.status),
                    log_text("request", exchange->request_id), log_trace(&exchange->context.trace),
                    log_str("path", exchange->path));
    log_step(&exchange->context.trace, "http_answered", log_text("request", exchange->request_id),
             log_u64("status", exchange->answer.status), log_str("path", exchange->path),
             log_text("user", exchange->user), log_i64("took_ms", took_ms));
}

/* The response with its content; NULL bodies of 304 are left out by the library. */
static struct MHD_Response *make_response(answer_t *answer, size_t *size_out) {
    struct MHD_Response *response;
    if (answer->file) {
        str_t content = answer->variant->content;
        *size_out = answer->status == MHD_HTTP_OK ? content.n : 0;
        response =
            MHD_create_response_from_buffer(*size_out, (void *)content.p, MHD_RESPMEM_PERSISTENT);
    } else {
        *size_out = answer->body.n;
        response =
            MHD_create_response_from_buffer(answer->body.n, answer->body.p, MHD_RESPMEM_PERSISTENT);
    }
    ASSERT(response);
    return response;
}

/* Of the answers that clients are slow to take, none may have more memory than is left for the
 * others: it is told to try again. */
static void bound_answer(request_t *request) {
    http_t *http = request->http;
    answer_t *answer = &request->exchange.answer;
    if (answer->file)
        return;
    if (http->answer_bytes + 2 * answer->body.n > http->options.config->answer_bytes_max) {
        metrics_increment(http->options.metrics, METRIC_REFUSED, REFUSED_ANSWER_BYTES);
        strbuf_fini(&answer->body);
        http_error_write(CODE_UNAVAILABLE, (str_t){0}, &answer->body);
        answer->status = http_error_status(CODE_UNAVAILABLE);
        answer->retry_after_seconds = http_error_retry_after(CODE_UNAVAILABLE, 0);
    }
    request->answered = answer->body.n;
    http->answer_bytes += request->answered;
}

enum MHD_Result http_answer_send(request_t *request) {
    answer_t *answer = &request->exchange.answer;
    size_t size = 0;
    ASSERT(answer->status != 0);
    bound_answer(request);
    struct MHD_Response *response = make_response(answer, &size);
    add_headers(request, response);
    count(request, size);
    request->stage = STAGE_ANSWERED;
    http_set_deadline(request->connection,
                      HTTP_ANSWER_MS + (int64_t)(size * 1000 / HTTP_ANSWER_BYTES_PER_SECOND));
    enum MHD_Result queued = MHD_queue_response(request->mhd, answer->status, response);
    MHD_destroy_response(response);
    return queued;
}
