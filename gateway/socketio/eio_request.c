#include "gateway/socketio/eio_request.h"

#include "common/strbuf.h"

enum { MAX_QUERY_PARAMETERS = 64 };

/* A string within `bytes`. */
typedef struct {
    uint16_t at, n;
} span_t;

struct eio_request {
    const char *const *kept; /* names; borrowed */
    bool websocket;
    uint8_t n_kept;
    uint8_t n_parameters;
    span_t path, peer;
    /* A value for each name of `kept` (`at` = ABSENT without one), then key and value of each query
     * parameter; the bytes follow. */
    span_t spans[];
};
enum { ABSENT = UINT16_MAX };

/* The spans while they are collected. */
typedef struct {
    strbuf_t bytes;
    span_t values[EIO_MAX_KEPT_HEADERS];
    span_t parameters[2 * MAX_QUERY_PARAMETERS];
    size_t n_parameters;
} draft_t;

/* Cuts what would not fit a span; a head is shorter than that anyway. */
static span_t add_bytes(strbuf_t *bytes, str_t s) {
    if (bytes->n + s.n >= ABSENT)
        return (span_t){0, 0};
    span_t span = {(uint16_t)bytes->n, (uint16_t)s.n};
    strbuf_append(bytes, s);
    return span;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent and plus decoding as of application/x-www-form-urlencoded; a '%' without two digits
 * stands for itself. */
static span_t add_decoded(strbuf_t *bytes, str_t s) {
    size_t start = bytes->n;
    if (start + s.n >= ABSENT)
        return (span_t){0, 0};
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i] == '+' ? ' ' : s.p[i];
        int high = c == '%' && i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(high << 4 | low);
            i += 2;
        }
        strbuf_append_char(bytes, c);
    }
    return (span_t){(uint16_t)start, (uint16_t)(bytes->n - start)};
}

static str_t split(str_t *rest, char separator) {
    const char *end = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    str_t taken = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    *rest = str_from_offset(*rest, taken.n + (end ? 1 : 0));
    return taken;
}

static void collect_query(draft_t *draft, str_t query) {
    while (query.n && draft->n_parameters < MAX_QUERY_PARAMETERS) {
        str_t value = split(&query, '&');
        if (value.n == 0)
            continue;
        str_t key = split(&value, '=');
        span_t *pair = &draft->parameters[2 * draft->n_parameters++];
        pair[0] = add_decoded(&draft->bytes, key);
        pair[1] = add_decoded(&draft->bytes, value);
    }
}

/* Repeated headers are joined as RFC 9110 §5.3 allows, cookies with their own separator. */
static span_t collect_header(draft_t *draft, const http_head_t *head, str_t name) {
    size_t start = draft->bytes.n;
    bool present = false;
    for (size_t i = 0; i < head->n_headers; i++) {
        const http_header_t *header = &head->headers[i];
        if (!http_equal_fold(header->name, name) || draft->bytes.n + header->value.n + 2 >= ABSENT)
            continue;
        if (present)
            strbuf_append(&draft->bytes, str_eq(name, STR("cookie")) ? STR("; ") : STR(", "));
        strbuf_append(&draft->bytes, header->value);
        present = true;
    }
    return present ? (span_t){(uint16_t)start, (uint16_t)(draft->bytes.n - start)}
                   : (span_t){ABSENT, 0};
}

eio_request_t *eio_request_new(const http_head_t *head, const char *const *kept, str_t peer,
                               bool websocket) {
    draft_t draft = {0};
    size_t n_kept = 0;
    span_t path = add_bytes(&draft.bytes, head->path);
    span_t peer_span = add_bytes(&draft.bytes, peer);
    for (; kept[n_kept] && n_kept < EIO_MAX_KEPT_HEADERS; n_kept++)
        draft.values[n_kept] = collect_header(&draft, head, str_from(kept[n_kept]));
    collect_query(&draft, head->query);

    size_t parameters = 2 * draft.n_parameters;
    size_t n_spans = n_kept + parameters;
    eio_request_t *self = xmalloc(sizeof(*self) + n_spans * sizeof(span_t) + draft.bytes.n);
    *self = (eio_request_t){.kept = kept,
                            .websocket = websocket,
                            .n_kept = (uint8_t)n_kept,
                            .n_parameters = (uint8_t)draft.n_parameters,
                            .path = path,
                            .peer = peer_span};
    memcpy(self->spans, draft.values, n_kept * sizeof(span_t));
    memcpy(self->spans + n_kept, draft.parameters, parameters * sizeof(span_t));
    if (draft.bytes.n)
        memcpy(self->spans + n_spans, draft.bytes.p, draft.bytes.n);
    strbuf_fini(&draft.bytes);
    return self;
}

void eio_request_free(eio_request_t **request) {
    free(*request);
    *request = NULL;
}

static str_t span_str(const eio_request_t *self, span_t span) {
    const span_t *behind = self->spans + self->n_kept + 2 * (size_t)self->n_parameters;
    return (str_t){(const char *)behind + span.at, span.n};
}

str_t eio_request_header(const eio_request_t *self, const char *name) {
    for (size_t i = 0; i < self->n_kept; i++) {
        if (strcmp(self->kept[i], name) == 0)
            return self->spans[i].at == ABSENT ? (str_t){0} : span_str(self, self->spans[i]);
    }
    return (str_t){0};
}

bool eio_request_header_at(const eio_request_t *self, size_t i, str_t *name_out, str_t *value_out) {
    for (size_t k = 0; k < self->n_kept; k++) {
        if (self->spans[k].at == ABSENT || i-- > 0)
            continue;
        *name_out = str_from(self->kept[k]);
        *value_out = span_str(self, self->spans[k]);
        return true;
    }
    return false;
}

bool eio_request_query_at(const eio_request_t *self, size_t i, str_t *key_out, str_t *value_out) {
    if (i >= self->n_parameters)
        return false;
    const span_t *pair = self->spans + self->n_kept + 2 * i;
    *key_out = span_str(self, pair[0]);
    *value_out = span_str(self, pair[1]);
    return true;
}

str_t eio_request_query(const eio_request_t *self, const char *key) {
    str_t k, value;
    for (size_t i = 0; eio_request_query_at(self, i, &k, &value); i++) {
        if (str_eq(k, str_from(key)))
            return value;
    }
    return (str_t){0};
}

str_t eio_request_path(const eio_request_t *self) {
    return span_str(self, self->path);
}

str_t eio_request_peer(const eio_request_t *self) {
    return span_str(self, self->peer);
}

bool eio_request_is_websocket(const eio_request_t *self) {
    return self->websocket;
}
