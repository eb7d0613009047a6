/* A walk over msgpack bytes before any decoder allocates for what they claim. */
#pragma once

#include "common/str.h"

enum {
    SCAN_MAX_DEPTH = 8,
    SCAN_MAX_ITEMS = 65536,
};

/* OK when `bytes` is exactly one msgpack value whose nesting is at most SCAN_MAX_DEPTH, which has
 * at most SCAN_MAX_ITEMS values in all, and whose every length lies within `bytes`. ERR_LIMIT for
 * depth and count, else ERR_INVALID. Source: the msgpack specification. */
err_t envelope_scan(str_t bytes) MUST_CHECK;
