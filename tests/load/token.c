#include "tests/load/token.h"

#include <sodium.h>
#include <time.h>

#include "common/strbuf.h"

static void append_base64url(strbuf_t *out, const unsigned char *bytes, size_t n) {
    size_t room = sodium_base64_encoded_len(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_bin2base64(strbuf_reserve(out, room), room, bytes, n,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    out->n += room - 1; /* without its NUL */
}

char *token_new(str_t secret, const char *user_id) {
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    strbuf_t claims = {0}, token = {0};
    strbuf_printf(&claims, "{\"userId\":\"%s\",\"name\":\"Load %s\",\"exp\":%lld}", user_id,
                  user_id, (long long)time(NULL) + 86400);
    append_base64url(&token, (const unsigned char *)header, sizeof(header) - 1);
    strbuf_append_char(&token, '.');
    append_base64url(&token, (const unsigned char *)claims.p, claims.n);
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret.p, secret.n);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)token.p, token.n);
    crypto_auth_hmacsha256_final(&state, mac);
    strbuf_append_char(&token, '.');
    append_base64url(&token, mac, sizeof(mac));
    strbuf_fini(&claims);
    return strbuf_detach(&token);
}
