/* The `pid` of connection state recovery: a session's identity, sealed so that any gateway with the
 * key can open it and nobody else can make one. No gateway remembers it. Pure.
 *
 * XChaCha20-Poly1305 (libsodium), in base64url without padding: nonce, then the sealed bytes
 *   version (1) · when it was issued, Unix ms (8, little-endian) · length of sid (1) · sid · user
 */
#pragma once

#include "common/ids.h"

enum {
    RECOVERY_KEY_BYTES = 32,
    RECOVERY_KEYS_MAX = 2, /* the present one, and the one before */
    RECOVERY_NONCE_BYTES = 24,
    RECOVERY_SID_MAX = 64,
    RECOVERY_PID_MAX = 300, /* characters of the longest */
};

typedef struct {
    unsigned char key[RECOVERY_KEYS_MAX][RECOVERY_KEY_BYTES]; /* the first seals, each opens */
    size_t n;
} recovery_keys_t;

/* Adds the key that follows from a secret of any length (BLAKE2b). */
void recovery_keys_add(recovery_keys_t *keys, str_t secret);

typedef struct {
    str_t sid;     /* 1 to RECOVERY_SID_MAX bytes */
    str_t user_id; /* a user's id */
    int64_t issued_at_ms;
} recovery_identity_t;

/* Appends the pid. `nonce`: random bytes, never used before. */
void recovery_token_seal(const recovery_keys_t *keys,
                         const unsigned char nonce[RECOVERY_NONCE_BYTES],
                         const recovery_identity_t *identity, strbuf_t *out);
/* Opens one that came from a client. The texts point into `plain`, until that changes. ERR_INVALID:
 * none of ours. */
err_t recovery_token_open(const recovery_keys_t *keys, str_t pid, strbuf_t *plain,
                          recovery_identity_t *identity_out) MUST_CHECK;
