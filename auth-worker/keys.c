#include "auth-worker/keys.h"

#include <jwt.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium/utils.h>

enum {
    ES256_NUMBER_BYTES = 32,                         /* of r and of s */
    SIGNATURE_MAX_BYTES = KEYS_RSA_MAX_BITS / 8 + 1, /* decoded; one more tells "too long" */
};

typedef struct {
    jws_alg_t alg;
    char kid[JWS_KID_MAX_BYTES + 1]; /* empty: the key has no name */
    char *secret;                    /* JWS_HS256 */
    size_t secret_n;
    EVP_PKEY *public_key; /* the others */
} verification_key_t;

struct keys {
    verification_key_t items[KEYS_MAX];
    size_t n;
};

keys_t *keys_new(void) {
    return xcalloc(1, sizeof(keys_t));
}

void keys_free(keys_t **self) {
    if (!*self)
        return;
    for (size_t i = 0; i < (*self)->n; i++) {
        verification_key_t *key = &(*self)->items[i];
        if (key->secret)
            sodium_memzero(key->secret, key->secret_n);
        free(key->secret);
        EVP_PKEY_free(key->public_key);
    }
    free(*self);
    *self = NULL;
}

size_t keys_count(const keys_t *self) {
    return self->n;
}

static const verification_key_t *find_named(const keys_t *self, str_t kid) {
    for (size_t i = 0; i < self->n; i++) {
        if (self->items[i].kid[0] && str_eq(str_from(self->items[i].kid), kid))
            return &self->items[i];
    }
    return NULL;
}

/* The place for one more key of this name, NULL when it can't be added. */
static verification_key_t *add(keys_t *self, str_t kid, strbuf_t *problem, err_t *err_out) {
    if (self->n == KEYS_MAX) {
        strbuf_printf(problem, "more than %d keys", KEYS_MAX);
        *err_out = ERR_LIMIT;
        return NULL;
    }
    if (kid.n > JWS_KID_MAX_BYTES || (kid.n && memchr(kid.p, '\0', kid.n))) {
        strbuf_printf(problem, "a key's name has more than %d bytes, or a NUL", JWS_KID_MAX_BYTES);
        *err_out = ERR_INVALID;
        return NULL;
    }
    if (kid.n && find_named(self, kid)) {
        strbuf_printf(problem, "two keys have the same name");
        *err_out = ERR_EXISTS;
        return NULL;
    }
    verification_key_t *key = &self->items[self->n++];
    *key = (verification_key_t){0};
    if (kid.n)
        memcpy(key->kid, kid.p, kid.n);
    *err_out = OK;
    return key;
}

err_t keys_add_secret(keys_t *self, str_t kid, str_t secret, strbuf_t *problem) {
    err_t err;
    if (secret.n < KEYS_SECRET_MIN_BYTES || secret.n > KEYS_SECRET_MAX_BYTES) {
        strbuf_printf(problem, "an HS256 secret has %zu bytes, allowed are %d to %d", secret.n,
                      KEYS_SECRET_MIN_BYTES, KEYS_SECRET_MAX_BYTES);
        return ERR_INVALID;
    }
    if (str_starts_with(secret, STR("-----BEGIN"))) {
        strbuf_printf(problem, "an HS256 secret is a PEM file: public keys are configured apart");
        return ERR_INVALID;
    }
    verification_key_t *key = add(self, kid, problem, &err);
    if (!key)
        return err;
    key->alg = JWS_HS256;
    key->secret = str_dup(secret);
    key->secret_n = secret.n;
    return OK;
}

/* What a public key is for; false when it is for nothing that we do. */
static bool public_key_alg(const EVP_PKEY *key, jws_alg_t *alg_out, strbuf_t *problem) {
    char curve[64] = "";
    int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_is_a(key, "RSA")) {
        *alg_out = JWS_RS256;
        if (bits >= KEYS_RSA_MIN_BITS && bits <= KEYS_RSA_MAX_BITS)
            return true;
        strbuf_printf(problem, "an RSA key has %d bits, allowed are %d to %d", bits,
                      KEYS_RSA_MIN_BITS, KEYS_RSA_MAX_BITS);
        return false;
    }
    *alg_out = JWS_ES256;
    if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) == 1 &&
        strcmp(curve, "prime256v1") == 0)
        return true;
    strbuf_printf(problem, "a public key is neither RSA nor EC on P-256");
    return false;
}

err_t keys_add_public_take(keys_t *self, str_t kid, EVP_PKEY *public_key, strbuf_t *problem) {
    jws_alg_t alg;
    err_t err = ERR_INVALID;
    verification_key_t *key = NULL;
    if (public_key_alg(public_key, &alg, problem))
        key = add(self, kid, problem, &err);
    if (!key) {
        EVP_PKEY_free(public_key);
        return err;
    }
    key->alg = alg;
    key->public_key = public_key;
    return OK;
}

err_t keys_add_pem(keys_t *self, str_t kid, str_t pem, strbuf_t *problem) {
    EVP_PKEY *key = NULL;
    if (pem.n && pem.n <= KEYS_PEM_MAX_BYTES) {
        BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
        ASSERT(bio);
        key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
        BIO_free(bio);
        ERR_clear_error();
    }
    if (key)
        return keys_add_public_take(self, kid, key, problem);
    strbuf_printf(problem, "no PEM block PUBLIC KEY of at most %d bytes", KEYS_PEM_MAX_BYTES);
    return ERR_INVALID;
}

/* libjwt takes the algorithm from the token: the caller has seen that it is HS256, and that is
 * looked at again here. */
static bool verify_hs256(const verification_key_t *key, str_t token) {
    char *text = str_dup(token);
    jwt_t *jwt = NULL;
    bool valid =
        jwt_decode(&jwt, text, (const unsigned char *)key->secret, (int)key->secret_n) == 0 &&
        jwt_get_alg(jwt) == JWT_ALG_HS256;
    jwt_free(jwt);
    free(text);
    return valid;
}

/* r and s behind each other (RFC 7518 section 3.4) to the DER that OpenSSL reads; the length, or
 * 0. */
static size_t es256_to_der(str_t numbers, unsigned char *der, size_t room) {
    size_t length = 0;
    if (numbers.n != (size_t)2 * ES256_NUMBER_BYTES)
        return 0;
    const unsigned char *p = (const unsigned char *)numbers.p;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(p, ES256_NUMBER_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(p + ES256_NUMBER_BYTES, ES256_NUMBER_BYTES, NULL);
    ASSERT(signature && r && s && ECDSA_SIG_set0(signature, r, s) == 1);
    int needed = i2d_ECDSA_SIG(signature, NULL);
    if (needed > 0 && (size_t)needed <= room)
        length = (size_t)i2d_ECDSA_SIG(signature, &der);
    ECDSA_SIG_free(signature);
    return length;
}

/* Directly by OpenSSL with a key read once: libjwt 1.10.2 parses the PEM for every token, which
 * costs it 17 times the time for RS256 and 7 times for ES256 (3,300 and 2,800 tokens a second
 * instead of 58,000 and 20,500, same machine). */
static bool verify_public(const verification_key_t *key, const jws_t *jws) {
    strbuf_t bytes = {0};
    unsigned char der[SIGNATURE_MAX_BYTES];
    const unsigned char *signature = der;
    size_t length = 0;
    bool valid = false;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ASSERT(context);
    if (jws_decode_part(jws->signature, &bytes) != OK)
        goto out;
    if (key->alg == JWS_ES256) {
        length = es256_to_der(strbuf_str(&bytes), der, sizeof(der));
    } else {
        signature = (const unsigned char *)bytes.p;
        length = bytes.n;
    }
    valid =
        length > 0 &&
        EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key->public_key) == 1 &&
        EVP_DigestVerify(context, signature, length, (const unsigned char *)jws->signing_input.p,
                         jws->signing_input.n) == 1;
out:
    ERR_clear_error();
    EVP_MD_CTX_free(context);
    strbuf_fini(&bytes);
    return valid;
}

static bool verify_with(const verification_key_t *key, const jws_t *jws, str_t token) {
    if (key->alg != jws->alg)
        return false;
    return key->alg == JWS_HS256 ? verify_hs256(key, token) : verify_public(key, jws);
}

bool keys_verify(const keys_t *self, const jws_t *jws, str_t token) {
    const verification_key_t *named = find_named(self, str_from(jws->kid));
    if (named)
        return verify_with(named, jws, token);
    for (size_t i = 0; i < self->n; i++) {
        if (!self->items[i].kid[0] && verify_with(&self->items[i], jws, token))
            return true;
    }
    return false;
}

bool keys_signer(const keys_t *self, const char **kid_out, str_t *secret_out) {
    for (size_t i = 0; i < self->n; i++) {
        const verification_key_t *key = &self->items[i];
        if (key->alg == JWS_HS256) {
            *kid_out = key->kid;
            *secret_out = (str_t){key->secret, key->secret_n};
            return true;
        }
    }
    return false;
}
