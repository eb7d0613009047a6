/* Times as the API writes them: 2026-01-02T03:04:05.678Z. */
#pragma once

#include <stdint.h>

#define ISO8601_TEXT 24 /* characters, without a NUL */

/* Writes the 24 characters and a NUL. Times outside the years 1970 to 9999 are clamped to them. */
void iso8601_format(int64_t unix_ms, char text_out[ISO8601_TEXT + 1]);
