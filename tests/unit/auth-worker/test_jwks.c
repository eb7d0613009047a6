/* jwks: keys read from a JSON Web Key Set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth-worker/jwks.h"
#include "token_maker.h"

#define PAYLOAD "{\"userId\":1,\"exp\":2000000000}"

static EVP_PKEY *rsa, *ec;

static int make_keys(void **state) {
    (void)state;
    rsa = make_rsa_key(2048);
    ec = make_ec_key("P-256");
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    return 0;
}

/* The outcome of reading {"keys":[entries]}. */
typedef struct {
    keys_t *keys;
    size_t skipped;
    err_t err;
    bool told; /* a problem was named */
} reading_t;

static reading_t read_text(str_t text) {
    reading_t reading = {.keys = keys_new()};
    strbuf_t problem = {0};
    reading.err = jwks_read(text, reading.keys, &reading.skipped, &problem);
    reading.told = problem.n > 0;
    strbuf_fini(&problem);
    return reading;
}

/* Of one key, with `members` in front; "" makes it a plain one. */
static reading_t read_key(EVP_PKEY *key, const char *members) {
    char *jwk = make_jwk(key, members);
    strbuf_t text = {0};
    strbuf_printf(&text, "{\"keys\":[%s]}", jwk);
    reading_t reading = read_text(strbuf_str(&text));
    strbuf_fini(&text);
    free(jwk);
    return reading;
}

static void assert_outcome(reading_t reading, err_t err, size_t keys, size_t skipped) {
    assert_int_equal(reading.err, err);
    assert_int_equal(reading.told, err != OK);
    assert_int_equal(keys_count(reading.keys), keys);
    assert_int_equal(reading.skipped, skipped);
    keys_free(&reading.keys);
}

static void assert_refused(const char *text) {
    assert_outcome(read_text(str_from(text)), ERR_INVALID, 0, 0);
}

static bool verifies(const keys_t *keys, const char *header, EVP_PKEY *key) {
    jws_t jws;
    char *token = make_public_token(header, PAYLOAD, key);
    assert_int_equal(jws_parse(str_from(token), &jws), OK);
    bool valid = keys_verify(keys, &jws, str_from(token));
    free(token);
    return valid;
}

static void test_rsa_and_ec(void **state) {
    (void)state;
    char *first = make_jwk(rsa, "\"kid\":\"r\",\"alg\":\"RS256\",\"use\":\"sig\",\"x5t\":\"?\",");
    char *second = make_jwk(ec, "\"kid\":\"e\",\"key_ops\":[\"verify\"],");
    strbuf_t text = {0};
    strbuf_printf(&text, "{\"x\":1,\"keys\":[%s,%s]}", first, second);
    reading_t reading = read_text(strbuf_str(&text));
    assert_true(verifies(reading.keys, "{\"alg\":\"RS256\",\"kid\":\"r\"}", rsa));
    assert_true(verifies(reading.keys, "{\"alg\":\"ES256\",\"kid\":\"e\"}", ec));
    assert_false(verifies(reading.keys, "{\"alg\":\"RS256\",\"kid\":\"e\"}", rsa));
    assert_false(verifies(reading.keys, "{\"alg\":\"RS256\"}", rsa));
    assert_outcome(reading, OK, 2, 0);
    strbuf_fini(&text);
    free(first);
    free(second);
}

static void test_without_kid(void **state) {
    (void)state;
    reading_t reading = read_key(ec, "");
    assert_true(verifies(reading.keys, "{\"alg\":\"ES256\"}", ec));
    assert_outcome(reading, OK, 1, 0);
}

/* What isn't for our signatures is passed over; a set of such keys alone is a mistake. */
static void test_passed_over(void **state) {
    (void)state;
    static const char *const members[] = {
        "\"use\":\"enc\",",   "\"use\":1,",         "\"alg\":\"RS512\",",
        "\"alg\":\"PS256\",", "\"alg\":\"HS256\",", "\"key_ops\":[\"encrypt\",5],",
        "\"key_ops\":[],",
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        assert_outcome(read_key(rsa, members[i]), ERR_INVALID, 0, 1);
    char *good = make_jwk(rsa, "");
    strbuf_t text = {0};
    strbuf_printf(&text,
                  "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmU\"},"
                  "{\"kty\":\"EC\",\"crv\":\"P-521\"},{\"kty\":\"OKP\"},{},5,null,%s]}",
                  good);
    assert_outcome(read_text(strbuf_str(&text)), OK, 1, 6);
    strbuf_fini(&text);
    free(good);
}

static void test_broken_keys(void **state) {
    (void)state;
#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    assert_refused("{\"keys\":[{\"kty\":\"RSA\"}]}");
    assert_refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}");
    assert_refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":1,\"e\":2}]}");
    assert_refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"*\",\"e\":\"AQAB\"}]}");
    assert_refused("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\"}]}");
    assert_refused("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\",\"y\":\"AQ\"}]}");
    /* (0, 0) isn't on the curve. */
    assert_refused("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ZEROS "\",\"y\":\"" ZEROS
                   "\"}]}");
    assert_outcome(read_key(rsa, "\"kid\":5,"), ERR_INVALID, 0, 0);
    assert_outcome(read_key(rsa, "\"kid\":\"\","), ERR_INVALID, 0, 0);
}

static void test_rsa_bounds(void **state) {
    (void)state;
    EVP_PKEY *small = make_rsa_key(1024);
    assert_outcome(read_key(small, ""), ERR_INVALID, 0, 0);
    EVP_PKEY_free(small);
    strbuf_t text = {0};
    strbuf_append(&text, STR("{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""));
    for (int i = 0; i < (KEYS_RSA_MAX_BITS / 8 + 3) / 3 * 4; i++)
        strbuf_append_char(&text, '_');
    strbuf_append(&text, STR("\"}]}"));
    assert_refused(strbuf_cstr(&text));
    strbuf_fini(&text);
    /* An exponent of 5 bytes. */
    char *jwk = make_jwk(rsa, "");
    char *exponent = strstr(jwk, "AQAB");
    assert_non_null(exponent);
    strbuf_printf(&text, "{\"keys\":[%.*sAQAAAAE%s]}", (int)(exponent - jwk), jwk, exponent + 4);
    assert_refused(strbuf_cstr(&text));
    strbuf_fini(&text);
    free(jwk);
}

static void test_same_kid_twice(void **state) {
    (void)state;
    char *first = make_jwk(rsa, "\"kid\":\"a\",");
    char *second = make_jwk(ec, "\"kid\":\"a\",");
    strbuf_t text = {0};
    strbuf_printf(&text, "{\"keys\":[%s,%s]}", first, second);
    assert_outcome(read_text(strbuf_str(&text)), ERR_EXISTS, 1, 0);
    strbuf_fini(&text);
    free(first);
    free(second);
}

static void test_not_a_jwks(void **state) {
    (void)state;
    assert_refused("");
    assert_refused("[]");
    assert_refused("{}");
    assert_refused("{\"keys\":{}}");
    assert_refused("{\"keys\":[]}");
    assert_refused("{\"keys\":[],\"keys\":[]}");
    assert_refused("{\"keys\":[");
    assert_refused("-----BEGIN PUBLIC KEY-----");
}

static void test_bounds(void **state) {
    (void)state;
    strbuf_t text = {0};
    strbuf_append(&text, STR("{\"keys\":["));
    for (int i = 0; i <= JWKS_ENTRIES_MAX; i++)
        strbuf_append(&text, i ? STR(",{}") : STR("{}"));
    strbuf_append(&text, STR("]}"));
    assert_refused(strbuf_cstr(&text));
    strbuf_clear(&text);
    char *jwk = make_jwk(ec, "");
    strbuf_printf(&text, "{\"keys\":[%s]}", jwk);
    while (text.n < JWKS_MAX_BYTES)
        strbuf_append_char(&text, ' ');
    assert_outcome(read_text(strbuf_str(&text)), OK, 1, 0);
    strbuf_append_char(&text, ' ');
    assert_refused(strbuf_cstr(&text));
    strbuf_fini(&text);
    free(jwk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rsa_and_ec),  cmocka_unit_test(test_without_kid),
        cmocka_unit_test(test_passed_over), cmocka_unit_test(test_broken_keys),
        cmocka_unit_test(test_rsa_bounds),  cmocka_unit_test(test_same_kid_twice),
        cmocka_unit_test(test_not_a_jwks),  cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
