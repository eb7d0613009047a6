/* Which web pages may use the API (the Fetch standard's CORS protocol, server side). */
#pragma once

#include <stdbool.h>

#include "common/str.h"

typedef struct {
    const char *const *origins; /* as configured: scheme://host[:port]; "*": any */
    size_t count;
} cors_t;

typedef enum {
    CORS_NO_ORIGIN, /* not a browser's cross-origin request: no headers needed */
    CORS_SAME_HOST, /* the page came from here */
    CORS_ALLOWED,   /* an origin of the list: answer with it */
    CORS_FOREIGN,   /* any other: refused */
} cors_result_t;

#define CORS_ALLOW_METHODS "GET, HEAD, POST, PUT, DELETE"
#define CORS_ALLOW_HEADERS "Authorization, Content-Type, Idempotency-Key"
#define CORS_EXPOSE_HEADERS "X-Request-Id, Retry-After"
#define CORS_MAX_AGE_SECONDS "600"

/* Is this the text of an origin that FRONTEND_URL may list: "*", or http(s)://host[:port]? A slash
 * at the end is tolerated. */
bool cors_is_configurable(str_t origin);

/* Judges the headers Origin and Host of a request; empty when absent. Scheme and host are compared
 * without case, a default port equals none. */
cors_result_t cors_check(const cors_t *self, str_t origin, str_t host);
