/* Base64 with the standard alphabet and padding (RFC 4648 §4). */
#pragma once

#include "common/strbuf.h"

void base64_append(strbuf_t *to, str_t bytes);
/* Appends what `text` stands for. ERR_INVALID (and nothing appended): another character, or a
 * length or padding that isn't canonical. */
err_t base64_decode(str_t text, strbuf_t *to) MUST_CHECK;
/* Appends `bytes` in the URL-safe alphabet, without padding (§5). */
void base64url_append(strbuf_t *to, str_t bytes);
