/* What a code of the API means in HTTP. */
#pragma once

#include <stdint.h>

#include "common/strbuf.h"
#include "proto/proto.h"

enum { HTTP_ERROR_RETRY_MS_DEFAULT = 1000 };

/* The status of an answer with this code: 400, 401, 403, 404, 409, 413, 429, 503, or 500. */
unsigned http_error_status(code_t code);

/* What a client is told when nobody has said more. Static text. */
const char *http_error_message(code_t code);

/* The seconds for Retry-After, rounded up and at least 1; 0 when this code has none. */
uint32_t http_error_retry_after(code_t code, uint64_t retry_after_ms);

/* Appends {"error":{"code":…,"message":…}}. The message is UTF-8; http_error_message() when empty.
 */
void http_error_write(code_t code, str_t message, strbuf_t *out);
