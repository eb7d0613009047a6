/* Query strings (application/x-www-form-urlencoded) into what a route takes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/strbuf.h"

enum {
    QUERY_LIMIT_MAX = 200,
    QUERY_LIMIT_DEFAULT = 50,
    QUERY_CURSOR_BYTES_MAX = 256,
    QUERY_PARAMETERS_MAX = 32,
};

/* GET /conversations */
typedef struct {
    str_t cursor; /* empty: the first page; borrowed from `storage` */
    uint64_t limit;
} query_conversations_t;

/* GET /conversations/{id}/messages. At most one of the two is given. */
typedef struct {
    bool has_before, has_after;
    uint64_t before;
    uint64_t after;
    uint64_t limit;
} query_messages_t;

/* Both read the query as it came, without its question mark. Unknown parameters are ignored.
 * ERR_INVALID: *why_out (static text) says what is wrong: a value outside its bounds, a known
 * parameter twice, malformed encoding, or too many parameters. */
err_t query_conversations(str_t query, strbuf_t *storage, query_conversations_t *out,
                          const char **why_out) MUST_CHECK;
err_t query_messages(str_t query, query_messages_t *out, const char **why_out) MUST_CHECK;
