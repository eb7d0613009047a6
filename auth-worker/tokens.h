/* Checking and issuing JSON Web Tokens (RFC 7519). */
#pragma once

#include "auth-worker/claims.h"
#include "auth-worker/keys.h"

/* Why a token was refused: for metrics and logs; clients learn only CLAIMS_UNAUTHORIZED or
 * CLAIMS_TOKEN_EXPIRED. */
typedef enum {
    TOKENS_OK,
    TOKENS_EXPIRED,       /* everything else about it is right */
    TOKENS_MALFORMED,     /* no JWS with an algorithm that we know, or too long */
    TOKENS_BAD_SIGNATURE, /* by none of our keys */
    TOKENS_BAD_CLAIMS,    /* signed, but breaks a rule of claims.h */
    TOKENS_RESULT_COUNT,
} tokens_result_t;

/* "ok", "expired", "malformed", "bad_signature", "bad_claims"; NULL at the end. */
extern const char *const tokens_result_names[TOKENS_RESULT_COUNT + 1];

/* The signature first, the claims only if it holds: a forged token is never told that it expired.
 * `claims_out` is whole only with TOKENS_OK. */
tokens_result_t tokens_verify(const keys_t *keys, const claims_rules_t *rules, str_t token,
                              int64_t now_ms, claims_t *claims_out) MUST_CHECK;

/* Appends a token for `claims`, signed HS256 with the set's signing key; `iss` and `aud` as the
 * rules ask for. Times are cut to whole seconds in it. False when there is no key to sign with. */
bool tokens_issue(const keys_t *keys, const claims_rules_t *rules, const claims_t *claims,
                  strbuf_t *token_out) MUST_CHECK;
