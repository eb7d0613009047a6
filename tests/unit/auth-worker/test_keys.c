/* keys: which keys are accepted, and which key a token is checked with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth-worker/keys.h"
#include "token_maker.h"

#define SECRET STR("0123456789abcdef0123456789abcdef")
#define OTHER_SECRET STR("fedcba9876543210fedcba9876543210")
#define PAYLOAD "{\"userId\":1,\"exp\":2000000000}"

static struct {
    EVP_PKEY *rsa, *other_rsa, *ec;
    char *rsa_pem, *ec_pem;
} made;

static int make_keys(void **state) {
    (void)state;
    made.rsa = make_rsa_key(2048);
    made.other_rsa = make_rsa_key(2048);
    made.ec = make_ec_key("P-256");
    made.rsa_pem = make_public_pem(made.rsa);
    made.ec_pem = make_public_pem(made.ec);
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    EVP_PKEY_free(made.rsa);
    EVP_PKEY_free(made.other_rsa);
    EVP_PKEY_free(made.ec);
    free(made.rsa_pem);
    free(made.ec_pem);
    return 0;
}

static void add_secret(keys_t *keys, str_t kid, str_t secret) {
    strbuf_t problem = {0};
    assert_int_equal(keys_add_secret(keys, kid, secret, &problem), OK);
    assert_int_equal(problem.n, 0);
}

static void add_pem(keys_t *keys, str_t kid, const char *pem) {
    strbuf_t problem = {0};
    assert_int_equal(keys_add_pem(keys, kid, str_from(pem), &problem), OK);
    assert_int_equal(problem.n, 0);
}

/* Consumes the token. */
static bool verify(const keys_t *keys, char *token) {
    jws_t jws;
    assert_int_equal(jws_parse(str_from(token), &jws), OK);
    bool valid = keys_verify(keys, &jws, str_from(token));
    free(token);
    return valid;
}

static bool verify_hs256(const keys_t *keys, const char *header, str_t secret) {
    return verify(keys, make_hs256_token(header, PAYLOAD, secret));
}

static bool verify_public(const keys_t *keys, const char *header, EVP_PKEY *key) {
    return verify(keys, make_public_token(header, PAYLOAD, key));
}

static void test_one_of_each(void **state) {
    (void)state;
    keys_t *keys = keys_new();
    assert_false(verify_hs256(keys, "{\"alg\":\"HS256\"}", SECRET));
    add_secret(keys, STR(""), SECRET);
    add_pem(keys, STR(""), made.rsa_pem);
    add_pem(keys, STR(""), made.ec_pem);
    assert_int_equal(keys_count(keys), 3);
    assert_true(verify_hs256(keys, "{\"alg\":\"HS256\"}", SECRET));
    assert_true(verify_public(keys, "{\"alg\":\"RS256\"}", made.rsa));
    assert_true(verify_public(keys, "{\"alg\":\"ES256\"}", made.ec));
    assert_false(verify_hs256(keys, "{\"alg\":\"HS256\"}", OTHER_SECRET));
    assert_false(verify_public(keys, "{\"alg\":\"RS256\"}", made.other_rsa));
    assert_false(verify_public(keys, "{\"alg\":\"ES256\"}", made.rsa));
    assert_false(verify_public(keys, "{\"alg\":\"RS256\"}", made.ec));
    keys_free(&keys);
    assert_null(keys);
}

/* The classic: the public key, which everybody has, as the secret of an HMAC. */
static void test_public_key_is_no_secret(void **state) {
    (void)state;
    keys_t *keys = keys_new();
    add_pem(keys, STR(""), made.rsa_pem);
    add_pem(keys, STR("r"), made.ec_pem);
    assert_false(verify_hs256(keys, "{\"alg\":\"HS256\"}", str_from(made.rsa_pem)));
    assert_false(verify_hs256(keys, "{\"alg\":\"RS256\"}", str_from(made.rsa_pem)));
    assert_false(verify_hs256(keys, "{\"alg\":\"HS256\",\"kid\":\"r\"}", str_from(made.ec_pem)));
    keys_free(&keys);
}

static void test_kid_chooses(void **state) {
    (void)state;
    keys_t *keys = keys_new();
    add_secret(keys, STR("new"), SECRET);
    add_secret(keys, STR("old"), OTHER_SECRET);
    add_pem(keys, STR("rsa"), made.rsa_pem);
    assert_true(verify_hs256(keys, "{\"alg\":\"HS256\",\"kid\":\"new\"}", SECRET));
    assert_true(verify_hs256(keys, "{\"alg\":\"HS256\",\"kid\":\"old\"}", OTHER_SECRET));
    assert_false(verify_hs256(keys, "{\"alg\":\"HS256\",\"kid\":\"old\"}", SECRET));
    assert_true(verify_public(keys, "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", made.rsa));
    assert_false(verify_hs256(keys, "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", SECRET));
    assert_false(verify_public(keys, "{\"alg\":\"RS256\",\"kid\":\"new\"}", made.rsa));
    /* Every key has a name: a token must name one. */
    assert_false(verify_hs256(keys, "{\"alg\":\"HS256\"}", SECRET));
    assert_false(verify_hs256(keys, "{\"alg\":\"HS256\",\"kid\":\"other\"}", SECRET));
    assert_false(verify_hs256(keys, "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}", STR("")));
    keys_free(&keys);
}

/* A key without a name is for every token that doesn't name another. */
static void test_nameless_key(void **state) {
    (void)state;
    keys_t *keys = keys_new();
    add_secret(keys, STR(""), SECRET);
    add_secret(keys, STR("named"), OTHER_SECRET);
    assert_true(verify_hs256(keys, "{\"alg\":\"HS256\"}", SECRET));
    assert_true(verify_hs256(keys, "{\"alg\":\"HS256\",\"kid\":\"elsewhere\"}", SECRET));
    assert_false(verify_hs256(keys, "{\"alg\":\"HS256\",\"kid\":\"elsewhere\"}", OTHER_SECRET));
    assert_false(verify_hs256(keys, "{\"alg\":\"HS256\",\"kid\":\"named\"}", SECRET));
    keys_free(&keys);
}

static void test_signature_tampered(void **state) {
    (void)state;
    keys_t *keys = keys_new();
    jws_t jws;
    add_secret(keys, STR(""), SECRET);
    add_pem(keys, STR(""), made.rsa_pem);
    add_pem(keys, STR(""), made.ec_pem);
    char *tokens[] = {make_hs256_token("{\"alg\":\"HS256\"}", PAYLOAD, SECRET),
                      make_public_token("{\"alg\":\"RS256\"}", PAYLOAD, made.rsa),
                      make_public_token("{\"alg\":\"ES256\"}", PAYLOAD, made.ec)};
    for (size_t t = 0; t < 3; t++) {
        str_t token = str_from(tokens[t]);
        size_t first = strlen("{\"alg\":\"HS256\"}") / 3 * 4; /* leaves the header as it is */
        for (size_t i = first + 1; i < token.n; i++) {
            char kept = tokens[t][i];
            tokens[t][i] = kept == 'A' ? 'B' : 'A';
            bool valid = jws_parse(token, &jws) == OK && keys_verify(keys, &jws, token);
            tokens[t][i] = kept;
            assert_false(valid);
        }
        assert_int_equal(jws_parse(token, &jws), OK);
        assert_true(keys_verify(keys, &jws, token));
        free(tokens[t]);
    }
    keys_free(&keys);
}

static void test_signature_garbage(void **state) {
    (void)state;
    char bytes[KEYS_RSA_MAX_BITS / 8 + 8] = {0};
    static const size_t lengths[] = {1, 31, 32, 33, 63, 64, 65, 255, 256, 257, sizeof(bytes)};
    static const char *const headers[] = {"{\"alg\":\"HS256\"}", "{\"alg\":\"RS256\"}",
                                          "{\"alg\":\"ES256\"}"};
    keys_t *keys = keys_new();
    add_secret(keys, STR(""), SECRET);
    add_pem(keys, STR(""), made.rsa_pem);
    add_pem(keys, STR(""), made.ec_pem);
    for (int fill = 0; fill < 256; fill += 255) { /* r = s = 0 among them */
        memset(bytes, fill, sizeof(bytes));
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            for (size_t h = 0; h < 3; h++)
                assert_false(verify(keys, make_token_with_signature(headers[h], PAYLOAD,
                                                                    (str_t){bytes, lengths[i]})));
        }
    }
    keys_free(&keys);
}

static void assert_secret_refused(str_t kid, str_t secret, err_t expected) {
    keys_t *keys = keys_new();
    strbuf_t problem = {0};
    add_secret(keys, STR("taken"), SECRET);
    assert_int_equal(keys_add_secret(keys, kid, secret, &problem), expected);
    assert_true(problem.n > 0);
    assert_null(strstr(strbuf_cstr(&problem), secret.p));
    assert_int_equal(keys_count(keys), 1);
    strbuf_fini(&problem);
    keys_free(&keys);
}

static void test_secrets_refused(void **state) {
    (void)state;
    char text[KEYS_SECRET_MAX_BYTES + 2];
    memset(text, 's', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_secret_refused(STR(""), (str_t){text, KEYS_SECRET_MIN_BYTES - 1}, ERR_INVALID);
    assert_secret_refused(STR(""), str_from(text), ERR_INVALID);
    assert_secret_refused(STR(""), str_from(made.rsa_pem), ERR_INVALID);
    assert_secret_refused(STR("taken"), OTHER_SECRET, ERR_EXISTS);
    assert_secret_refused((str_t){text, JWS_KID_MAX_BYTES + 1}, OTHER_SECRET, ERR_INVALID);
    keys_t *keys = keys_new();
    add_secret(keys, STR("a"), (str_t){text, KEYS_SECRET_MIN_BYTES});
    add_secret(keys, (str_t){text, JWS_KID_MAX_BYTES}, (str_t){text, KEYS_SECRET_MAX_BYTES});
    keys_free(&keys);
}

static void test_number_of_keys(void **state) {
    (void)state;
    keys_t *keys = keys_new();
    strbuf_t problem = {0};
    for (int i = 0; i < KEYS_MAX; i++)
        add_secret(keys, STR(""), SECRET);
    assert_int_equal(keys_add_secret(keys, STR(""), SECRET, &problem), ERR_LIMIT);
    assert_int_equal(keys_add_pem(keys, STR(""), str_from(made.ec_pem), &problem), ERR_LIMIT);
    assert_int_equal(keys_count(keys), KEYS_MAX);
    strbuf_fini(&problem);
    keys_free(&keys);
}

static void assert_pem_refused(const char *pem) {
    keys_t *keys = keys_new();
    strbuf_t problem = {0};
    assert_int_equal(keys_add_pem(keys, STR(""), str_from(pem), &problem), ERR_INVALID);
    assert_true(problem.n > 0);
    assert_int_equal(keys_count(keys), 0);
    strbuf_fini(&problem);
    keys_free(&keys);
}

static void assert_key_refused(EVP_PKEY *key) {
    char *pem = make_public_pem(key);
    assert_pem_refused(pem);
    free(pem);
    EVP_PKEY_free(key);
}

static void test_pem_refused(void **state) {
    (void)state;
    assert_pem_refused("");
    assert_pem_refused("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    assert_pem_refused("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    char *huge = xcalloc(1, KEYS_PEM_MAX_BYTES + 2);
    memset(huge, ' ', KEYS_PEM_MAX_BYTES + 1);
    memcpy(huge, made.rsa_pem, strlen(made.rsa_pem));
    assert_pem_refused(huge);
    free(huge);
    assert_key_refused(make_rsa_key(1024));
    assert_key_refused(make_ec_key("P-384"));
    assert_key_refused(make_ec_key("secp256k1"));
    assert_key_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

static void test_signer(void **state) {
    (void)state;
    const char *kid;
    str_t secret;
    keys_t *keys = keys_new();
    assert_false(keys_signer(keys, &kid, &secret));
    add_pem(keys, STR("pub"), made.rsa_pem);
    assert_false(keys_signer(keys, &kid, &secret));
    add_secret(keys, STR("first"), SECRET);
    add_secret(keys, STR("second"), OTHER_SECRET);
    assert_true(keys_signer(keys, &kid, &secret));
    assert_string_equal(kid, "first");
    assert_true(str_eq(secret, SECRET));
    keys_free(&keys);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_of_each),        cmocka_unit_test(test_public_key_is_no_secret),
        cmocka_unit_test(test_kid_chooses),        cmocka_unit_test(test_nameless_key),
        cmocka_unit_test(test_signature_tampered), cmocka_unit_test(test_signature_garbage),
        cmocka_unit_test(test_secrets_refused),    cmocka_unit_test(test_number_of_keys),
        cmocka_unit_test(test_pem_refused),        cmocka_unit_test(test_signer),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
