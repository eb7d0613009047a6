/* tokens: whole tokens checked and issued; the attacks that JWT libraries are known for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "auth-worker/tokens.h"
#include "token_maker.h"

#define NOW_MS INT64_C(1700000000000)
#define SECRET STR("0123456789abcdef0123456789abcdef")
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define VALID "{\"userId\":\"ann\",\"exp\":1700000060}"
#define EXPIRED "{\"userId\":\"ann\",\"exp\":1699999999}"

static const claims_rules_t no_rules = {0};

static struct {
    EVP_PKEY *rsa, *ec;
    char *rsa_pem, *ec_pem;
    keys_t *keys;   /* a secret, an RSA and an EC key, none with a name */
    keys_t *public; /* the RSA and the EC key, named r and e */
} made;

static int make_keys(void **state) {
    (void)state;
    strbuf_t problem = {0};
    made.rsa = make_rsa_key(2048);
    made.ec = make_ec_key("P-256");
    made.rsa_pem = make_public_pem(made.rsa);
    made.ec_pem = make_public_pem(made.ec);
    made.keys = keys_new();
    made.public = keys_new();
    if (keys_add_secret(made.keys, STR(""), SECRET, &problem) != OK ||
        keys_add_pem(made.keys, STR(""), str_from(made.rsa_pem), &problem) != OK ||
        keys_add_pem(made.keys, STR(""), str_from(made.ec_pem), &problem) != OK ||
        keys_add_pem(made.public, STR("r"), str_from(made.rsa_pem), &problem) != OK ||
        keys_add_pem(made.public, STR("e"), str_from(made.ec_pem), &problem) != OK)
        return -1;
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    EVP_PKEY_free(made.rsa);
    EVP_PKEY_free(made.ec);
    free(made.rsa_pem);
    free(made.ec_pem);
    keys_free(&made.keys);
    keys_free(&made.public);
    return 0;
}

/* Consumes the token. */
static tokens_result_t verify(const keys_t *keys, char *token) {
    claims_t claims;
    tokens_result_t result = tokens_verify(keys, &no_rules, str_from(token), NOW_MS, &claims);
    free(token);
    return result;
}

static tokens_result_t verify_hs256(const char *header, const char *payload) {
    return verify(made.keys, make_hs256_token(header, payload, SECRET));
}

static void test_valid(void **state) {
    (void)state;
    claims_t claims;
    char *token = make_hs256_token(HEADER, VALID, SECRET);
    assert_int_equal(tokens_verify(made.keys, &no_rules, str_from(token), NOW_MS, &claims),
                     TOKENS_OK);
    assert_string_equal(claims.user_id, "ann");
    assert_true(claims.expires_at_ms == INT64_C(1700000060000));
    free(token);
    assert_int_equal(verify(made.keys, make_public_token("{\"alg\":\"RS256\"}", VALID, made.rsa)),
                     TOKENS_OK);
    assert_int_equal(verify(made.keys, make_public_token("{\"alg\":\"ES256\"}", VALID, made.ec)),
                     TOKENS_OK);
}

/* The signature comes first: nobody learns of a forged token that it expired. */
static void test_expired(void **state) {
    (void)state;
    assert_int_equal(verify_hs256(HEADER, EXPIRED), TOKENS_EXPIRED);
    assert_int_equal(verify(made.keys, make_hs256_token(HEADER, EXPIRED,
                                                        STR("another secret of 32 bytes......"))),
                     TOKENS_BAD_SIGNATURE);
}

static void test_no_algorithm(void **state) {
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",    "{\"alg\":\"None\"}", "{\"alg\":\"nONE\"}",
        "{\"alg\":\"\"}",        "{\"alg\":null}",     "{}",
        "{\"alg\":[\"HS256\"]}",
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_int_equal(verify(made.keys, make_token_with_signature(headers[i], VALID, STR(""))),
                         TOKENS_MALFORMED);
        assert_int_equal(verify_hs256(headers[i], VALID), TOKENS_MALFORMED);
    }
    /* The right algorithm, but nothing signed. */
    assert_int_equal(verify(made.keys, make_token_with_signature(HEADER, VALID, STR(""))),
                     TOKENS_MALFORMED);
}

static void test_key_confusion(void **state) {
    (void)state;
    const char *pems[] = {made.rsa_pem, made.ec_pem};
    static const char *const headers[] = {HEADER, "{\"alg\":\"HS256\",\"kid\":\"r\"}",
                                          "{\"alg\":\"HS256\",\"kid\":\"e\"}"};
    for (size_t p = 0; p < 2; p++) {
        for (size_t h = 0; h < 3; h++) {
            char *token = make_hs256_token(headers[h], VALID, str_from(pems[p]));
            assert_int_equal(verify(made.public, str_dup(str_from(token))), TOKENS_BAD_SIGNATURE);
            assert_int_equal(verify(made.keys, token), TOKENS_BAD_SIGNATURE);
        }
    }
    /* The other way round: an HMAC under the name of a public-key algorithm. */
    assert_int_equal(verify_hs256("{\"alg\":\"RS256\"}", VALID), TOKENS_BAD_SIGNATURE);
    assert_int_equal(verify_hs256("{\"alg\":\"ES256\"}", VALID), TOKENS_BAD_SIGNATURE);
    assert_int_equal(verify_hs256("{\"alg\":\"HS384\"}", VALID), TOKENS_MALFORMED);
    /* A signature of another kind and length. */
    char *token = make_public_token("{\"alg\":\"ES256\"}", VALID, made.rsa);
    assert_int_equal(verify(made.keys, token), TOKENS_BAD_SIGNATURE);
}

/* Keys that a token brings along are never looked at. */
static void test_keys_in_the_header(void **state) {
    (void)state;
    EVP_PKEY *mine = make_rsa_key(2048);
    char *jwk = make_jwk(mine, "");
    strbuf_t header = {0};
    strbuf_printf(&header, "{\"alg\":\"RS256\",\"jwk\":%s,\"jku\":\"http://127.0.0.1/\"}", jwk);
    assert_int_equal(verify(made.keys, make_public_token(strbuf_cstr(&header), VALID, mine)),
                     TOKENS_BAD_SIGNATURE);
    strbuf_fini(&header);
    free(jwk);
    EVP_PKEY_free(mine);
}

static void test_kid(void **state) {
    (void)state;
    static const struct {
        const char *header;
        tokens_result_t result;
    } table[] = {
        {"{\"alg\":\"RS256\",\"kid\":\"r\"}", TOKENS_OK},
        {"{\"alg\":\"RS256\",\"kid\":\"e\"}", TOKENS_BAD_SIGNATURE},
        {"{\"alg\":\"RS256\",\"kid\":\"x\"}", TOKENS_BAD_SIGNATURE},
        {"{\"alg\":\"RS256\",\"kid\":\"R\"}", TOKENS_BAD_SIGNATURE},
        {"{\"alg\":\"RS256\",\"kid\":\"r\\u0000\"}", TOKENS_MALFORMED},
        {"{\"alg\":\"RS256\",\"kid\":[\"r\"]}", TOKENS_MALFORMED},
        {"{\"alg\":\"RS256\"}", TOKENS_BAD_SIGNATURE},
        {"{\"alg\":\"RS256\",\"kid\":\"r\",\"kid\":\"r\"}", TOKENS_MALFORMED},
        {"{\"alg\":\"RS256\",\"kid\":\"r\",\"crit\":[\"exp\"]}", TOKENS_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(verify(made.public, make_public_token(table[i].header, VALID, made.rsa)),
                         table[i].result);
}

static void test_bad_claims(void **state) {
    (void)state;
    static const char *const payloads[] = {
        "{\"userId\":\"ann\"}",
        "{\"userId\":\"ann\",\"exp\":\"1700000060\"}",
        "{\"userId\":\"ann\",\"exp\":1700000060,\"nbf\":1700000030}",
        "{\"userId\":\"an_n\",\"exp\":1700000060}",
        "{\"userId\":1.5,\"exp\":1700000060}",
        "{\"userId\":-1,\"exp\":1700000060}",
        "{\"userId\":\"ann\",\"userId\":\"bob\",\"exp\":1700000060}",
        "{\"exp\":1700000060}",
        "[]",
        "not json",
    };
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        tokens_result_t result = verify_hs256(HEADER, payloads[i]);
        /* libjwt itself refuses a payload that is no JSON while it checks an HMAC. */
        assert_true(result == TOKENS_BAD_CLAIMS || (i == 9 && result == TOKENS_BAD_SIGNATURE));
        result = verify(made.keys, make_public_token("{\"alg\":\"ES256\"}", payloads[i], made.ec));
        assert_int_equal(result, TOKENS_BAD_CLAIMS);
    }
}

static void test_garbage(void **state) {
    (void)state;
    static const char *const tokens[] = {
        "", "a.b.c", "...", "AAAA.AAAA.AAAA", "e30.e30.e30", "Bearer x.y.z", "\xff\xff.\xff.\xff"};
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
        assert_int_equal(verify(made.keys, str_dup(str_from(tokens[i]))), TOKENS_MALFORMED);
}

static void test_huge(void **state) {
    (void)state;
    strbuf_t payload = {0};
    strbuf_append(&payload, STR("{\"userId\":\"ann\",\"exp\":1700000060,\"x\":\""));
    size_t fits = JWS_TOKEN_MAX_BYTES / 4 * 3 - 100;
    while (payload.n < fits - 2)
        strbuf_append_char(&payload, 'x');
    strbuf_append(&payload, STR("\"}"));
    assert_int_equal(verify_hs256(HEADER, strbuf_cstr(&payload)), TOKENS_OK);
    payload.n -= 2;
    while (payload.n < 1000000)
        strbuf_append_char(&payload, 'x');
    strbuf_append(&payload, STR("\"}"));
    assert_int_equal(verify_hs256(HEADER, strbuf_cstr(&payload)), TOKENS_MALFORMED);
    strbuf_fini(&payload);
}

/* Brackets inside each other would make a parser recurse, before anything is verified. */
static void test_deep(void **state) {
    (void)state;
    strbuf_t text = {0};
    strbuf_append(&text, STR("{\"alg\":\"HS256\",\"x\":"));
    for (int i = 0; i < 4000; i++)
        strbuf_append_char(&text, '[');
    assert_int_equal(verify_hs256(strbuf_cstr(&text), VALID), TOKENS_MALFORMED);
    assert_int_equal(verify_hs256(HEADER, strbuf_cstr(&text)), TOKENS_MALFORMED);
    strbuf_clear(&text);
    strbuf_append(&text, STR("{\"userId\":1,\"exp\":1700000060,\"x\":[[[[[[[[[[]]]]]]]]]]}"));
    assert_int_equal(verify_hs256(HEADER, strbuf_cstr(&text)), TOKENS_OK);
    strbuf_fini(&text);
}

static void test_issue(void **state) {
    (void)state;
    claims_rules_t rules = {.issuer = "parley", .audience = "chat"};
    claims_t claims = {.user_id = "ann",
                       .name = "Ann \"\xc3\x84\"",
                       .role = "customer",
                       .jti = "id-2",
                       .sid = "id-1",
                       .issued_at_ms = NOW_MS,
                       .expires_at_ms = NOW_MS + 60000};
    claims_t read;
    strbuf_t token = {0};
    assert_true(tokens_issue(made.keys, &rules, &claims, &token));
    assert_int_equal(tokens_verify(made.keys, &rules, strbuf_str(&token), NOW_MS, &read),
                     TOKENS_OK);
    assert_memory_equal(&read, &claims, sizeof(claims));
    assert_int_equal(
        tokens_verify(made.keys, &rules, strbuf_str(&token), claims.expires_at_ms, &read),
        TOKENS_EXPIRED);
    strbuf_fini(&token);
    assert_false(tokens_issue(made.public, &rules, &claims, &token));
    assert_int_equal(token.n, 0);
}

/* The largest values there may be still make a token that we take back. */
static void test_issue_largest(void **state) {
    (void)state;
    claims_t read, claims = {.issued_at_ms = NOW_MS, .expires_at_ms = CLAIMS_LATEST_SECONDS * 1000};
    memset(claims.user_id, 'u', CLAIMS_USER_ID_MAX_BYTES);
    memset(claims.role, 'r', CLAIMS_ROLE_MAX_BYTES);
    memset(claims.jti, 'j', CLAIMS_TOKEN_ID_MAX_BYTES);
    memset(claims.sid, 's', CLAIMS_TOKEN_ID_MAX_BYTES);
    for (size_t i = 0; i < CLAIMS_NAME_MAX_BYTES; i += 4)
        memcpy(claims.name + i, "\xf0\x9f\x98\x80", 4);
    strbuf_t token = {0};
    assert_true(tokens_issue(made.keys, &no_rules, &claims, &token));
    assert_int_equal(tokens_verify(made.keys, &no_rules, strbuf_str(&token), NOW_MS, &read),
                     TOKENS_OK);
    assert_memory_equal(&read, &claims, sizeof(claims));
    strbuf_fini(&token);
}

static void test_issue_with_kid(void **state) {
    (void)state;
    claims_t claims = {.user_id = "1", .issued_at_ms = NOW_MS, .expires_at_ms = NOW_MS + 1000};
    strbuf_t problem = {0}, token = {0};
    jws_t jws;
    keys_t *keys = keys_new();
    assert_int_equal(keys_add_secret(keys, STR("2030"), SECRET, &problem), OK);
    assert_true(tokens_issue(keys, &no_rules, &claims, &token));
    assert_int_equal(jws_parse(strbuf_str(&token), &jws), OK);
    assert_string_equal(jws.kid, "2030");
    assert_int_equal(jws.alg, JWS_HS256);
    strbuf_fini(&token);
    keys_free(&keys);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_no_algorithm),
        cmocka_unit_test(test_key_confusion),
        cmocka_unit_test(test_keys_in_the_header),
        cmocka_unit_test(test_kid),
        cmocka_unit_test(test_bad_claims),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_huge),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_issue),
        cmocka_unit_test(test_issue_largest),
        cmocka_unit_test(test_issue_with_kid),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
