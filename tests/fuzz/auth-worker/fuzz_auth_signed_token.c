/* Any header and payload, rightly signed with our secret: what passes is HS256 under no other key's
 * name, and can be issued again with the same claims. The input: header, a zero byte, payload. */
#include <sodium.h>

#include "auth-worker/tokens.h"
#include "common/ids.h"
#include "fuzz_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void append_base64url(strbuf_t *out, const void *bytes, size_t n) {
    size_t room = sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *to = strbuf_reserve(out, room);
    sodium_bin2base64(to, room, bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    out->n += strlen(to);
}

static strbuf_t sign(str_t header, str_t payload) {
    strbuf_t token = {0};
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    append_base64url(&token, header.p, header.n);
    strbuf_append_char(&token, '.');
    append_base64url(&token, payload.p, payload.n);
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)FUZZ_SECRET, strlen(FUZZ_SECRET));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)token.p, token.n);
    crypto_auth_hmacsha256_final(&state, mac);
    strbuf_append_char(&token, '.');
    append_base64url(&token, mac, sizeof(mac));
    return token;
}

static void check_issued_again(const keys_t *keys, const claims_t *claims) {
    static const claims_rules_t no_rules = {0};
    strbuf_t token = {0};
    claims_t again;
    ASSERT(tokens_issue(keys, &no_rules, claims, &token));
    ASSERT(tokens_verify(keys, &no_rules, strbuf_str(&token), FUZZ_NOW_MS, &again) == TOKENS_OK ||
           claims->expires_at_ms / 1000 * 1000 <= FUZZ_NOW_MS);
    ASSERT(strcmp(again.user_id, claims->user_id) == 0 && strcmp(again.name, claims->name) == 0);
    ASSERT(strcmp(again.role, claims->role) == 0 && strcmp(again.jti, claims->jti) == 0);
    ASSERT(strcmp(again.sid, claims->sid) == 0);
    strbuf_fini(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static keys_t *keys;
    static const claims_rules_t no_rules = {0};
    claims_t claims;
    jws_t jws;
    if (!keys)
        keys = fuzz_keys_new();
    str_t input = {(const char *)data, size};
    const char *zero = size ? memchr(data, 0, size) : NULL;
    str_t header = {input.p, zero ? (size_t)(zero - input.p) : size};
    strbuf_t token = sign(header, str_from_offset(input, header.n + 1));
    tokens_result_t result =
        tokens_verify(keys, &no_rules, strbuf_str(&token), FUZZ_NOW_MS, &claims);
    if (result == TOKENS_OK || result == TOKENS_EXPIRED) {
        ASSERT(jws_parse(strbuf_str(&token), &jws) == OK);
        ASSERT(jws.alg == JWS_HS256 && strcmp(jws.kid, "r") != 0 && strcmp(jws.kid, "e") != 0);
        ASSERT(ids_is_user(str_from(claims.user_id)));
    }
    if (result == TOKENS_OK)
        check_issued_again(keys, &claims);
    strbuf_fini(&token);
    return 0;
}
