/* The head of an HTTP/1.x request: request line and headers (RFC 9112), read in place. */
#pragma once

#include "common/str.h"

#define HTTP_MAX_HEADERS 100

typedef struct {
    str_t name, value;
} http_header_t;

/* Everything points into the bytes that were parsed. */
typedef struct {
    str_t method;
    str_t path;  /* starts with a slash; not percent-decoded */
    str_t query; /* behind the '?'; empty without one */
    http_header_t headers[HTTP_MAX_HEADERS];
    size_t n_headers;
    uint64_t content_length;
    bool has_content_length;
    bool has_transfer_encoding;
    bool keep_alive;
    bool expects_continue;
    bool has_control_characters; /* a header's value holds some: refuse the request */
} http_head_t;

/* Reads a head from the front of `bytes` and tells its length. ERR_UNAVAILABLE: it isn't complete
 * yet; ERR_LIMIT: longer than `max` bytes or HTTP_MAX_HEADERS; ERR_INVALID: not HTTP/1.x. */
err_t http_head_parse(str_t bytes, size_t max, http_head_t *head_out,
                      size_t *length_out) MUST_CHECK;

/* The first header called `name` (lower case); .p is NULL when there is none. */
str_t http_head_header(const http_head_t *head, str_t name);
/* Compares without regard to the case of A to Z. `lower` is in lower case. */
bool http_equal_fold(str_t s, str_t lower);
/* Is `token` (lower case) among the comma-separated ones of `list`? */
bool http_list_has(str_t list, str_t token);
/* Without the spaces and tabs around it. */
str_t http_trim(str_t s);
