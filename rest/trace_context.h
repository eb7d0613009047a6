/* The ids that follow one request through proxies, services and logs. */
#pragma once

#include <stdbool.h>

#include "common/str.h"
#include "proto/envelope.h"

enum { REQUEST_ID_BYTES_MAX = 64 };

/* May this X-Request-Id be taken over into headers and logs? 1 to 64 of A-Z a-z 0-9 . _ - */
bool trace_context_is_request_id(str_t text);

/* Reads the trace id of a traceparent header (W3C Trace Context, version 00 or later). ERR_INVALID
 * for a malformed one and for the id of zeros; *trace_out is unchanged then. */
err_t trace_context_parse(str_t traceparent, uint8_t trace_out[TRACE_ID_BYTES]) MUST_CHECK;
