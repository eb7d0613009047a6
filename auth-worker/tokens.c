#include "auth-worker/tokens.h"

#include <jwt.h>

#include "common/json.h"

const char *const tokens_result_names[TOKENS_RESULT_COUNT + 1] = {
    [TOKENS_OK] = "ok",
    [TOKENS_EXPIRED] = "expired",
    [TOKENS_MALFORMED] = "malformed",
    [TOKENS_BAD_SIGNATURE] = "bad_signature",
    [TOKENS_BAD_CLAIMS] = "bad_claims",
};

tokens_result_t tokens_verify(const keys_t *keys, const claims_rules_t *rules, str_t token,
                              int64_t now_ms, claims_t *claims_out) {
    jws_t jws;
    strbuf_t payload = {0};
    tokens_result_t result = TOKENS_MALFORMED;
    if (jws_parse(token, &jws) != OK || jws_decode_part(jws.payload, &payload) != OK ||
        !json_depth_ok(strbuf_str(&payload), JSON_DEPTH_DEFAULT))
        goto out;
    result = TOKENS_BAD_SIGNATURE;
    if (!keys_verify(keys, &jws, token))
        goto out;
    switch (claims_check(strbuf_str(&payload), rules, now_ms, claims_out)) {
    case CLAIMS_OK:
        result = TOKENS_OK;
        break;
    case CLAIMS_TOKEN_EXPIRED:
        result = TOKENS_EXPIRED;
        break;
    case CLAIMS_UNAUTHORIZED:
        result = TOKENS_BAD_CLAIMS;
        break;
    }
out:
    strbuf_fini(&payload);
    return result;
}

/* libjwt fails here for lack of memory only: names and values are right by construction. */
static void add_text(jwt_t *jwt, const char *name, const char *value) {
    if (value && value[0])
        ASSERT(jwt_add_grant(jwt, name, value) == 0);
}

static void add_time(jwt_t *jwt, const char *name, int64_t ms) {
    ASSERT(jwt_add_grant_int(jwt, name, (long)(ms / 1000)) == 0);
}

bool tokens_issue(const keys_t *keys, const claims_rules_t *rules, const claims_t *claims,
                  strbuf_t *token_out) {
    const char *kid;
    str_t secret;
    jwt_t *jwt = NULL;
    if (!keys_signer(keys, &kid, &secret))
        return false;
    ASSERT(jwt_new(&jwt) == 0);
    add_text(jwt, "userId", claims->user_id);
    add_text(jwt, "name", claims->name);
    add_text(jwt, "role", claims->role);
    add_text(jwt, "jti", claims->jti);
    add_text(jwt, "sid", claims->sid);
    add_text(jwt, "iss", rules->issuer);
    add_text(jwt, "aud", rules->audience);
    add_time(jwt, "iat", claims->issued_at_ms);
    add_time(jwt, "exp", claims->expires_at_ms);
    if (kid[0])
        ASSERT(jwt_add_header(jwt, "kid", kid) == 0);
    ASSERT(jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)secret.p, (int)secret.n) == 0);
    char *text = jwt_encode_str(jwt);
    ASSERT(text);
    strbuf_append(token_out, str_from(text));
    free(text);
    jwt_free(jwt);
    return true;
}
