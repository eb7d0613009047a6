#include "gateway/socketio/http_head.h"

static char fold(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool http_equal_fold(str_t s, str_t lower) {
    if (s.n != lower.n)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (fold(s.p[i]) != lower.p[i])
            return false;
    }
    return true;
}

str_t http_trim(str_t s) {
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = (str_t){s.p + 1, s.n - 1};
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* Takes what stands before `separator` off the front of `*rest`; all of it if there is none. */
static str_t take_until(str_t *rest, char separator) {
    const char *end = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    str_t taken = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    *rest = str_from_offset(*rest, taken.n + (end ? 1 : 0));
    return taken;
}

bool http_list_has(str_t list, str_t token) {
    while (list.n) {
        if (http_equal_fold(http_trim(take_until(&list, ',')), token))
            return true;
    }
    return false;
}

str_t http_head_header(const http_head_t *head, str_t name) {
    for (size_t i = 0; i < head->n_headers; i++) {
        if (http_equal_fold(head->headers[i].name, name))
            return head->headers[i].value;
    }
    return (str_t){0};
}

/* tchar of RFC 9110 §5.6.2. */
static bool is_token(str_t s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = fold(s.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) &&
            (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.n > 0;
}

static bool has_control_character(str_t s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* Takes a line without its CRLF off the front. */
static bool take_line(str_t *rest, str_t *line_out) {
    str_t line = take_until(rest, '\n');
    if (line.n == 0 || line.p[line.n - 1] != '\r')
        return false;
    *line_out = (str_t){line.p, line.n - 1};
    return true;
}

static err_t parse_request_line(str_t line, http_head_t *head) {
    head->method = take_until(&line, ' ');
    str_t target = take_until(&line, ' ');
    if (!is_token(head->method) || target.n == 0 || target.p[0] != '/' ||
        has_control_character(target))
        return ERR_INVALID;
    bool http11 = str_eq(line, STR("HTTP/1.1"));
    if (!http11 && !str_eq(line, STR("HTTP/1.0")))
        return ERR_INVALID;
    head->keep_alive = http11;
    head->query = target;
    head->path = take_until(&head->query, '?');
    str_t without_fragment = take_until(&head->query, '#');
    head->query = without_fragment;
    return OK;
}

/* What a header means for the framing of this request. */
static err_t apply_header(const http_header_t *header, http_head_t *head) {
    if (http_equal_fold(header->name, STR("content-length"))) {
        if (head->has_content_length ||
            str_to_u64(header->value, UINT32_MAX, &head->content_length) != OK)
            return ERR_INVALID;
        head->has_content_length = true;
    } else if (http_equal_fold(header->name, STR("transfer-encoding"))) {
        head->has_transfer_encoding = true;
    } else if (http_equal_fold(header->name, STR("connection"))) {
        if (http_list_has(header->value, STR("close")))
            head->keep_alive = false;
        else if (http_list_has(header->value, STR("keep-alive")))
            head->keep_alive = true;
    } else if (http_equal_fold(header->name, STR("expect"))) {
        head->expects_continue = http_equal_fold(header->value, STR("100-continue"));
    }
    return OK;
}

static err_t parse_header(str_t line, http_head_t *head) {
    if (head->n_headers == HTTP_MAX_HEADERS)
        return ERR_LIMIT;
    http_header_t *header = &head->headers[head->n_headers];
    if (!memchr(line.p, ':', line.n))
        return ERR_INVALID;
    header->name = take_until(&line, ':');
    header->value = http_trim(line);
    if (!is_token(header->name))
        return ERR_INVALID;
    if (has_control_character(header->value))
        head->has_control_characters = true;
    head->n_headers++;
    return apply_header(header, head);
}

err_t http_head_parse(str_t bytes, size_t max, http_head_t *head_out, size_t *length_out) {
    size_t visible = bytes.n < max ? bytes.n : max;
    const char *end = visible ? memmem(bytes.p, visible, "\r\n\r\n", 4) : NULL;
    if (!end)
        return bytes.n >= max ? ERR_LIMIT : ERR_UNAVAILABLE;
    str_t rest = {bytes.p, (size_t)(end - bytes.p) + 2};
    *length_out = rest.n + 2;
    head_out->n_headers = 0;
    head_out->content_length = 0;
    head_out->has_content_length = head_out->has_transfer_encoding = false;
    head_out->expects_continue = head_out->has_control_characters = false;

    str_t line;
    if (!take_line(&rest, &line))
        return ERR_INVALID;
    err_t err = parse_request_line(line, head_out);
    while (err == OK && rest.n)
        err = take_line(&rest, &line) && line.n ? parse_header(line, head_out) : ERR_INVALID;
    return err;
}
