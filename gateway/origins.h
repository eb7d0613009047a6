/* Which pages may talk to us: the Origin header of a request against the configured origins and its
 * own Host (API.md, HTTP). */
#pragma once

#include <stdbool.h>

#include "common/str.h"

/* True for scheme://host or scheme://host:port, http or https, in lower case, a last slash allowed.
 */
bool origins_is_origin(str_t text);

/* Whether a request with these headers may pass. An empty `origin` is no browser's and passes; so
 * does one of `origins` (NULL at the end, without a last slash), and one whose host and port are
 * those of `host`. */
bool origins_allow(const char *const *origins, str_t origin, str_t host);
