#include "gateway/recovery_token.h"

#include <sodium.h>

enum {
    VERSION = 1,
    HEAD_BYTES = 1 + 8 + 1,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    PLAIN_MAX = HEAD_BYTES + RECOVERY_SID_MAX + IDS_USER_MAX,
    SEALED_MAX = RECOVERY_NONCE_BYTES + PLAIN_MAX + TAG_BYTES,
    ENCODING = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
};

_Static_assert(RECOVERY_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");
_Static_assert(RECOVERY_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(sodium_base64_ENCODED_LEN(SEALED_MAX, ENCODING) <= RECOVERY_PID_MAX, "length");

/* Sealed with it, so that no other use of the key can be taken for a pid. */
static const unsigned char purpose[] = "parley recovery pid";

void recovery_keys_add(recovery_keys_t *keys, str_t secret) {
    ASSERT(keys->n < RECOVERY_KEYS_MAX);
    ASSERT(crypto_generichash(keys->key[keys->n++], RECOVERY_KEY_BYTES,
                              (const unsigned char *)secret.p, secret.n, purpose,
                              sizeof(purpose) - 1) == 0);
}

static size_t write_plain(const recovery_identity_t *identity, unsigned char *to) {
    ASSERT(identity->sid.n >= 1 && identity->sid.n <= RECOVERY_SID_MAX);
    ASSERT(identity->user_id.n <= IDS_USER_MAX);
    uint64_t at_ms = (uint64_t)identity->issued_at_ms;
    to[0] = VERSION;
    for (size_t i = 0; i < 8; i++)
        to[1 + i] = (unsigned char)(at_ms >> 8 * i);
    to[9] = (unsigned char)identity->sid.n;
    memcpy(to + HEAD_BYTES, identity->sid.p, identity->sid.n);
    if (identity->user_id.n)
        memcpy(to + HEAD_BYTES + identity->sid.n, identity->user_id.p, identity->user_id.n);
    return HEAD_BYTES + identity->sid.n + identity->user_id.n;
}

void recovery_token_seal(const recovery_keys_t *keys,
                         const unsigned char nonce[RECOVERY_NONCE_BYTES],
                         const recovery_identity_t *identity, strbuf_t *out) {
    unsigned char plain[PLAIN_MAX], sealed[SEALED_MAX];
    unsigned long long sealed_bytes = 0;
    ASSERT(keys->n > 0);
    size_t n = write_plain(identity, plain);
    memcpy(sealed, nonce, RECOVERY_NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + RECOVERY_NONCE_BYTES, &sealed_bytes, plain,
                                               n, purpose, sizeof(purpose) - 1, NULL, nonce,
                                               keys->key[0]);
    size_t whole = RECOVERY_NONCE_BYTES + (size_t)sealed_bytes;
    size_t text_bytes = sodium_base64_encoded_len(whole, ENCODING); /* with a NUL */
    sodium_bin2base64(strbuf_reserve(out, text_bytes), text_bytes, sealed, whole, ENCODING);
    out->n += text_bytes - 1;
}

static err_t read_plain(str_t plain, recovery_identity_t *identity_out) {
    const unsigned char *p = (const unsigned char *)plain.p;
    uint64_t at_ms = 0;
    if (plain.n < HEAD_BYTES || p[0] != VERSION || p[9] < 1 || p[9] > RECOVERY_SID_MAX ||
        plain.n < HEAD_BYTES + (size_t)p[9])
        return ERR_INVALID;
    for (size_t i = 0; i < 8; i++)
        at_ms |= (uint64_t)p[1 + i] << 8 * i;
    str_t sid = {plain.p + HEAD_BYTES, p[9]};
    str_t user_id = str_from_offset(plain, HEAD_BYTES + sid.n);
    if (at_ms > INT64_MAX || !ids_is_user(user_id))
        return ERR_INVALID;
    *identity_out =
        (recovery_identity_t){.sid = sid, .user_id = user_id, .issued_at_ms = (int64_t)at_ms};
    return OK;
}

err_t recovery_token_open(const recovery_keys_t *keys, str_t pid, strbuf_t *plain,
                          recovery_identity_t *identity_out) {
    unsigned char sealed[SEALED_MAX], opened[PLAIN_MAX];
    unsigned long long opened_bytes = 0;
    size_t n = 0;
    if (pid.n == 0 || pid.n > RECOVERY_PID_MAX ||
        sodium_base642bin(sealed, sizeof(sealed), pid.p, pid.n, NULL, &n, NULL, ENCODING) != 0 ||
        n < RECOVERY_NONCE_BYTES + TAG_BYTES)
        return ERR_INVALID;
    for (size_t i = 0; i < keys->n; i++) {
        if (crypto_aead_xchacha20poly1305_ietf_decrypt(
                opened, &opened_bytes, NULL, sealed + RECOVERY_NONCE_BYTES,
                n - RECOVERY_NONCE_BYTES, purpose, sizeof(purpose) - 1, sealed, keys->key[i]) != 0)
            continue;
        strbuf_clear(plain);
        strbuf_append(plain, (str_t){(const char *)opened, (size_t)opened_bytes});
        return read_plain(strbuf_str(plain), identity_out);
    }
    return ERR_INVALID;
}
