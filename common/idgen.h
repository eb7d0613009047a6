/* UUIDs (RFC 9562): version 7 made from a time and random bytes, written and read in canonical
 * form. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

#define IDGEN_RANDOM_BYTES 10
#define IDGEN_UUID_TEXT 36 /* characters, without a NUL */

typedef struct {
    uint8_t bytes[16];
} idgen_uuid_t;

/* A version 7 UUID of that millisecond; of later ones sorts after it, as bytes and as text. */
idgen_uuid_t idgen_uuid7(int64_t unix_ms, const uint8_t random[IDGEN_RANDOM_BYTES]);

/* Writes the 36 characters in lower case, and a NUL. */
void idgen_format(const idgen_uuid_t *uuid, char text_out[IDGEN_UUID_TEXT + 1]);

/* Reads the canonical spelling alone (lower case, hyphens in place), so that one UUID is one name.
 */
err_t idgen_parse(str_t text, idgen_uuid_t *uuid_out) MUST_CHECK;
