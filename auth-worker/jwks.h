/* Reading a JSON Web Key Set (RFC 7517). */
#pragma once

#include "auth-worker/keys.h"

enum {
    JWKS_MAX_BYTES = 262144,
    JWKS_ENTRIES_MAX = 256, /* usable or not */
};

/* Adds the signature keys of a JWKS: RSA for RS256, EC on P-256 for ES256. A set may hold keys for
 * other purposes (encryption, other algorithms, secrets): these are counted in skipped_out and
 * passed over. ERR_INVALID, ERR_LIMIT or ERR_EXISTS, with a sentence appended to `problem`: it is
 * no JWKS, has no usable key, or has one that is broken or not allowed; `keys` may then hold a part
 * of it. */
err_t jwks_read(str_t text, keys_t *keys, size_t *skipped_out, strbuf_t *problem) MUST_CHECK;
