#include "token_maker.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

enum { COORDINATE_BYTES = 32 };

static void append_base64url(strbuf_t *out, const void *bytes, size_t n) {
    char *text = xmalloc(n / 3 * 4 + 5);
    int length = EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);
    while (length > 0 && text[length - 1] == '=')
        length--;
    for (int i = 0; i < length; i++)
        strbuf_append_char(out, (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]));
    free(text);
}

static strbuf_t signing_input(const char *header, const char *payload) {
    strbuf_t token = {0};
    append_base64url(&token, header, strlen(header));
    strbuf_append_char(&token, '.');
    append_base64url(&token, payload, strlen(payload));
    return token;
}

char *make_token_with_signature(const char *header, const char *payload, str_t signature) {
    strbuf_t token = signing_input(header, payload);
    strbuf_append_char(&token, '.');
    append_base64url(&token, signature.p, signature.n);
    return strbuf_detach(&token);
}

char *make_hs256_token(const char *header, const char *payload, str_t secret) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    strbuf_t input = signing_input(header, payload);
    ASSERT(HMAC(EVP_sha256(), secret.p, (int)secret.n, (unsigned char *)input.p, input.n, mac,
                &length));
    strbuf_fini(&input);
    return make_token_with_signature(header, payload, (str_t){(char *)mac, length});
}

/* DER to r and s behind each other, in place; the new length. */
static size_t der_to_numbers(unsigned char *signature, size_t n) {
    const unsigned char *p = signature;
    ECDSA_SIG *der = d2i_ECDSA_SIG(NULL, &p, (long)n);
    ASSERT(der);
    ASSERT(BN_bn2binpad(ECDSA_SIG_get0_r(der), signature, COORDINATE_BYTES) > 0);
    ASSERT(BN_bn2binpad(ECDSA_SIG_get0_s(der), signature + COORDINATE_BYTES, COORDINATE_BYTES) > 0);
    ECDSA_SIG_free(der);
    return (size_t)2 * COORDINATE_BYTES;
}

char *make_public_token(const char *header, const char *payload, EVP_PKEY *key) {
    unsigned char signature[2048];
    size_t length = sizeof(signature);
    strbuf_t input = signing_input(header, payload);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ASSERT(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1);
    ASSERT(EVP_DigestSign(context, signature, &length, (unsigned char *)input.p, input.n) == 1);
    EVP_MD_CTX_free(context);
    strbuf_fini(&input);
    if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == 256)
        length = der_to_numbers(signature, length);
    return make_token_with_signature(header, payload, (str_t){(char *)signature, length});
}

EVP_PKEY *make_rsa_key(unsigned bits) {
    EVP_PKEY *key = EVP_RSA_gen(bits);
    ASSERT(key);
    return key;
}

EVP_PKEY *make_ec_key(const char *curve) {
    EVP_PKEY *key = EVP_EC_gen(curve);
    ASSERT(key);
    return key;
}

char *make_public_pem(EVP_PKEY *key) {
    char *data;
    BIO *bio = BIO_new(BIO_s_mem());
    ASSERT(bio && PEM_write_bio_PUBKEY(bio, key) == 1);
    long length = BIO_get_mem_data(bio, &data);
    char *pem = str_dup((str_t){data, (size_t)length});
    BIO_free(bio);
    return pem;
}

static void append_number(strbuf_t *out, EVP_PKEY *key, const char *member, const char *param,
                          int pad_to) {
    unsigned char bytes[2048];
    BIGNUM *number = NULL;
    ASSERT(EVP_PKEY_get_bn_param(key, param, &number) == 1);
    int length = pad_to ? BN_bn2binpad(number, bytes, pad_to) : BN_bn2bin(number, bytes);
    ASSERT(length > 0);
    BN_free(number);
    strbuf_printf(out, ",\"%s\":\"", member);
    append_base64url(out, bytes, (size_t)length);
    strbuf_append_char(out, '"');
}

char *make_jwk(EVP_PKEY *key, const char *members) {
    strbuf_t jwk = {0};
    bool rsa = EVP_PKEY_is_a(key, "RSA");
    strbuf_printf(&jwk, "{%s\"kty\":\"%s\"", members, rsa ? "RSA" : "EC");
    if (rsa) {
        append_number(&jwk, key, "n", OSSL_PKEY_PARAM_RSA_N, 0);
        append_number(&jwk, key, "e", OSSL_PKEY_PARAM_RSA_E, 0);
    } else {
        strbuf_append(&jwk, STR(",\"crv\":\"P-256\""));
        append_number(&jwk, key, "x", OSSL_PKEY_PARAM_EC_PUB_X, COORDINATE_BYTES);
        append_number(&jwk, key, "y", OSSL_PKEY_PARAM_EC_PUB_Y, COORDINATE_BYTES);
    }
    strbuf_append_char(&jwk, '}');
    return strbuf_detach(&jwk);
}
