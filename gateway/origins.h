/* Which pages may talk to us: the Origin header of a request against the configured origins and its
 * own Host (API.md, HTTP). */
#pragma once

#include <stdbool.h>

#include "common/str.h"

/* What FRONTEND_URL may list: "*" (any), or http(s)://host or http(s)://host:port, a last slash
 * allowed. */
bool origins_is_origin(str_t text);

/* Whether a request with these headers may pass. An empty `origin` is no browser's and passes; so
 * does one of `origins` (NULL at the end), and one whose host and port are those of `host`. Hosts
 * are compared without case, a scheme's own port equals none. */
bool origins_allow(const char *const *origins, str_t origin, str_t host);
