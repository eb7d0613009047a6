/* What a client accepts and has: Accept-Encoding and If-None-Match (RFC 9110). */
#pragma once

#include <stdbool.h>

#include "common/str.h"

/* In the order in which the server prefers them. */
typedef enum { CODING_BROTLI, CODING_GZIP, CODING_IDENTITY, CODING_COUNT } content_coding_t;

/* "br", "gzip", "identity". */
const char *content_coding_name(content_coding_t coding);

/* May the answer be coded so? `accept_encoding` is the header's value, empty when absent. Codings
 * that it does not name are accepted only by `*`, the identity unless it is excluded. */
bool content_coding_accepts(str_t accept_encoding, content_coding_t coding);

/* Does the value of If-None-Match name this entity tag (with its quotes)? Compared weakly; "*"
 * matches. */
bool content_etag_matches(str_t if_none_match, str_t etag);
