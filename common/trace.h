/* The trace that a request, an event or a connection belongs to: an id as W3C Trace Context has it,
 * which goes through every envelope into the services' log lines, and whether its way is logged
 * step by step. Pure, and part of the base library. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

enum {
    TRACE_ID_BYTES = 16,
    TRACE_TEXT = 2 * TRACE_ID_BYTES, /* characters, without a NUL */
};

/* Zeroed: none. */
typedef struct {
    uint8_t id[TRACE_ID_BYTES];
    bool sampled; /* each step is logged, whatever LOG_LEVEL says of debug */
} trace_t;

bool trace_is_set(const trace_t *trace);

/* Writes the id in hexadecimal digits, nothing for none; returns text_out. */
const char *trace_format(const trace_t *trace, char text_out[TRACE_TEXT + 1]);

/* Reads the id and the flag of a traceparent header (version 00 or later). ERR_INVALID for a
 * malformed one and for the id of zeros; *trace_out is unchanged then. */
err_t trace_parse(str_t traceparent, trace_t *trace_out) MUST_CHECK;

/* Reads an id that is spelled as a UUID or as 32 hexadecimal digits, lower case: what proxies put
 * into X-Request-Id. ERR_INVALID as above; not sampled. */
err_t trace_parse_id(str_t text, trace_t *trace_out) MUST_CHECK;
