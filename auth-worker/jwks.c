#include "auth-worker/jwks.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "common/json.h"

enum {
    VALUE_MAX_CHARACTERS = 2048, /* of any member that is read; a modulus of 8,192 bits has 1,366 */
    EXPONENT_MAX_BYTES = 4,      /* real exponents are 3 or 65537; bounds what a check costs */
    COORDINATE_BYTES = 32,       /* of a point on P-256 */
    POINT_BYTES = 1 + 2 * COORDINATE_BYTES,
    POINT_UNCOMPRESSED = 4,
};

/* A member that is a string, else the empty one. */
static str_t member_text(const json_value_t *key, const char *name) {
    str_t text = STR("");
    if (json_get_string(key, name, 1, VALUE_MAX_CHARACTERS, &text) != JSON_FIELD_OK)
        return STR("");
    return text;
}

/* Whether a member, if it is there, says `wanted`. */
static bool absent_or(const json_value_t *key, const char *name, const char *wanted) {
    return !json_member(key, name) || str_eq(member_text(key, name), str_from(wanted));
}

static bool may_verify(const json_value_t *key) {
    const json_value_t *operations = json_member(key, "key_ops");
    for (size_t i = 0; i < json_element_count(operations); i++) {
        str_t operation;
        if (json_as_string(json_element(operations, i), 1, 64, &operation) == JSON_FIELD_OK &&
            str_eq(operation, STR("verify")))
            return true;
    }
    return !operations;
}

/* Whether the key is meant for what we do with it. */
static bool usable(const json_value_t *key, jws_alg_t *alg_out) {
    str_t kind = member_text(key, "kty");
    bool rsa = str_eq(kind, STR("RSA"));
    bool p256 = str_eq(kind, STR("EC")) && str_eq(member_text(key, "crv"), STR("P-256"));
    *alg_out = rsa ? JWS_RS256 : JWS_ES256;
    return (rsa || p256) && absent_or(key, "alg", jws_alg_name(*alg_out)) &&
           absent_or(key, "use", "sig") && may_verify(key);
}

/* The bytes of a base64url member; empty when it isn't one. */
static strbuf_t member_bytes(const json_value_t *key, const char *name) {
    strbuf_t bytes = {0};
    if (jws_decode_part(member_text(key, name), &bytes) != OK)
        strbuf_clear(&bytes);
    return bytes;
}

/* The key that these parameters describe, NULL when OpenSSL doesn't hold it for a valid one. */
static EVP_PKEY *public_key_from(const char *kind, OSSL_PARAM *params) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY_CTX *check = NULL;
    ASSERT(context);
    if (EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    if (key) {
        check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
        ASSERT(check);
        if (EVP_PKEY_public_check(check) != 1) {
            EVP_PKEY_free(key);
            key = NULL;
        }
    }
    EVP_PKEY_CTX_free(check);
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    return key;
}

static EVP_PKEY *rsa_key(const json_value_t *entry) {
    strbuf_t n = member_bytes(entry, "n"), e = member_bytes(entry, "e");
    EVP_PKEY *key = NULL;
    if (n.n && n.n <= KEYS_RSA_MAX_BITS / 8 && e.n && e.n <= EXPONENT_MAX_BYTES) {
        OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
        BIGNUM *modulus = BN_bin2bn((unsigned char *)n.p, (int)n.n, NULL);
        BIGNUM *exponent = BN_bin2bn((unsigned char *)e.p, (int)e.n, NULL);
        ASSERT(build && modulus && exponent &&
               OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
               OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1);
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
        ASSERT(params);
        key = public_key_from("RSA", params);
        OSSL_PARAM_free(params);
        OSSL_PARAM_BLD_free(build);
        BN_free(modulus);
        BN_free(exponent);
    }
    strbuf_fini(&n);
    strbuf_fini(&e);
    return key;
}

static EVP_PKEY *ec_key(const json_value_t *entry) {
    strbuf_t x = member_bytes(entry, "x"), y = member_bytes(entry, "y");
    EVP_PKEY *key = NULL;
    if (x.n == COORDINATE_BYTES && y.n == COORDINATE_BYTES) {
        unsigned char point[POINT_BYTES] = {POINT_UNCOMPRESSED};
        char curve[] = "prime256v1";
        memcpy(point + 1, x.p, COORDINATE_BYTES);
        memcpy(point + 1 + COORDINATE_BYTES, y.p, COORDINATE_BYTES);
        OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
            OSSL_PARAM_construct_end(),
        };
        key = public_key_from("EC", params);
    }
    strbuf_fini(&x);
    strbuf_fini(&y);
    return key;
}

static err_t read_entry(const json_value_t *entry, keys_t *keys, size_t *skipped,
                        strbuf_t *problem) {
    jws_alg_t alg;
    if (!usable(entry, &alg)) {
        (*skipped)++;
        return OK;
    }
    str_t kid = member_text(entry, "kid");
    if (json_member(entry, "kid") && kid.n == 0) {
        strbuf_printf(problem, "a key's kid is not a string of 1 to %d bytes", JWS_KID_MAX_BYTES);
        return ERR_INVALID;
    }
    EVP_PKEY *key = alg == JWS_RS256 ? rsa_key(entry) : ec_key(entry);
    if (!key) {
        strbuf_printf(problem, "a key of kind %s is no valid one", alg == JWS_RS256 ? "RSA" : "EC");
        return ERR_INVALID;
    }
    return keys_add_public_take(keys, kid, key, problem);
}

err_t jwks_read(str_t text, keys_t *keys, size_t *skipped_out, strbuf_t *problem) {
    static const json_limits_t limits = {.max_bytes = JWKS_MAX_BYTES,
                                         .max_depth = JSON_DEPTH_DEFAULT,
                                         .max_values = JSON_VALUES_DEFAULT};
    json_doc_t *doc = NULL;
    size_t before = keys_count(keys);
    *skipped_out = 0;
    err_t err = json_doc_new(text, &limits, &doc);
    const json_value_t *list = err == OK ? json_member(json_doc_root(doc), "keys") : NULL;
    if (!json_value_is_array(list) || json_element_count(list) > JWKS_ENTRIES_MAX) {
        strbuf_printf(problem, "no JSON object with an array `keys` of at most %d keys",
                      JWKS_ENTRIES_MAX);
        err = ERR_INVALID;
    }
    for (size_t i = 0; err == OK && i < json_element_count(list); i++)
        err = read_entry(json_element(list, i), keys, skipped_out, problem);
    if (err == OK && keys_count(keys) == before) {
        strbuf_printf(problem, "no key for RS256 or ES256 signatures in it");
        err = ERR_INVALID;
    }
    json_doc_free(&doc);
    return err;
}
