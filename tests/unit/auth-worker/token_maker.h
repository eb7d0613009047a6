/* Keys and tokens for tests, made with OpenSSL alone: nothing here shares code with what it tests.
 */
#pragma once

#include <openssl/evp.h>

#include "common/strbuf.h"

/* Signs `header`.`payload` (JSON texts, encoded as they are) and returns the token; the caller
 * frees it. */
char *make_hs256_token(const char *header, const char *payload, str_t secret);
/* RS256, or ES256 with r and s behind each other as RFC 7518 has it; the header says what it likes.
 */
char *make_public_token(const char *header, const char *payload, EVP_PKEY *key);
/* With these bytes as its signature, which may be none. */
char *make_token_with_signature(const char *header, const char *payload, str_t signature);

EVP_PKEY *make_rsa_key(unsigned bits);
EVP_PKEY *make_ec_key(const char *curve);
/* The public half in PEM; the caller frees it. */
char *make_public_pem(EVP_PKEY *key);
/* The public half as a JWK object, with `members` ("\"kid\":\"a\",", or "") in front; the caller
 * frees it. */
char *make_jwk(EVP_PKEY *key, const char *members);
