/* Small files that the configuration names. */
#pragma once

#include "common/strbuf.h"

/* Appends the whole file to text_out. ERR_IO, or ERR_LIMIT when it has more than `max` bytes; then
 * a sentence that begins with the path is appended to `problem`. */
err_t read_file(const char *path, size_t max, strbuf_t *text_out, strbuf_t *problem) MUST_CHECK;

/* Frees a text with secrets in it, wiped. */
void read_file_wipe(strbuf_t *text);
