/* The set of keys that tokens are checked and signed with. Which algorithm a key is for follows
 * from the key, as the operator configured it; a token only says which key it means. Built once,
 * then only read; a change of configuration builds another set. */
#pragma once

#include "auth-worker/jws.h"

enum {
    KEYS_MAX = 64,
    KEYS_SECRET_MIN_BYTES = 16, /* shorter HS256 secrets are refused */
    KEYS_SECRET_SAFE_BYTES =
        32, /* RFC 7518 section 3.2 asks for at least as many as the hash has */
    KEYS_SECRET_MAX_BYTES = 1024,
    KEYS_RSA_MIN_BITS = 2048, /* RFC 7518 section 3.3 */
    KEYS_RSA_MAX_BITS = 8192, /* bounds what one verification costs */
    KEYS_PEM_MAX_BYTES = 16384,
};

typedef struct keys keys_t;
struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

keys_t *keys_new(void);
void keys_free(keys_t **self);
size_t keys_count(const keys_t *self);

/* Adders. An empty `kid` means that the key has no name. On ERR_INVALID (unusable), ERR_LIMIT (too
 * many keys) and ERR_EXISTS (another key has this name) nothing is added and one sentence saying
 * why is appended to `problem`; it never quotes the key. */

/* An HS256 secret. The first one added signs the tokens that we issue. */
err_t keys_add_secret(keys_t *self, str_t kid, str_t secret, strbuf_t *problem) MUST_CHECK;
/* A public key in PEM: RSA is for RS256, EC on P-256 for ES256. */
err_t keys_add_pem(keys_t *self, str_t kid, str_t pem, strbuf_t *problem) MUST_CHECK;
/* The same for a key already read; consumes it in every case. */
err_t keys_add_public_take(keys_t *self, str_t kid, struct evp_pkey_st *key,
                           strbuf_t *problem) MUST_CHECK;

/* Whether the token's signature holds. A token that names a key we have is checked with that key
 * alone; any other with each key that has no name. A key for another algorithm than the token's
 * never fits. `token` is the whole text that `jws` was parsed from. */
bool keys_verify(const keys_t *self, const jws_t *jws, str_t token);

/* True when there is a secret to sign with; then the name it has ("" for none) and its bytes. */
bool keys_signer(const keys_t *self, const char **kid_out, str_t *secret_out);
