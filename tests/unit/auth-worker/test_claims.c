/* claims: each rule about what a token says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth-worker/claims.h"
#include "common/strbuf.h"

#define NOW_MS INT64_C(1700000000000)
#define EXP "\"exp\":1700000060"

static const claims_rules_t no_rules = {0};

static claims_result_t check(const char *payload, claims_t *claims_out) {
    return claims_check(str_from(payload), &no_rules, NOW_MS, claims_out);
}

static claims_result_t check_only(const char *payload) {
    claims_t claims;
    return check(payload, &claims);
}

static void assert_user(const char *payload, const char *user_id) {
    claims_t claims;
    assert_int_equal(check(payload, &claims), CLAIMS_OK);
    assert_string_equal(claims.user_id, user_id);
}

static void assert_all_refused(const char *const *payloads) {
    for (; *payloads; payloads++) {
        if (check_only(*payloads) != CLAIMS_UNAUTHORIZED)
            fail_msg("accepted: %s", *payloads);
    }
}

static void test_everything(void **state) {
    (void)state;
    claims_t claims;
    const char *payload =
        "{\"userId\":\"ann@example.org\",\"name\":\"Ann \xc3\x84\",\"role\":\"photographer\","
        "\"jti\":\"t-1\",\"iat\":1699999999.5,\"nbf\":1700000000,\"exp\":1700000060,\"x\":[{}]}";
    assert_int_equal(check(payload, &claims), CLAIMS_OK);
    assert_string_equal(claims.user_id, "ann@example.org");
    assert_string_equal(claims.name, "Ann \xc3\x84");
    assert_string_equal(claims.role, "photographer");
    assert_string_equal(claims.jti, "t-1");
    assert_true(claims.issued_at_ms == INT64_C(1699999999500));
    assert_true(claims.expires_at_ms == INT64_C(1700000060000));
}

static void test_user_id(void **state) {
    (void)state;
    char at_limit[160];
    assert_user("{\"userId\":\"a.b@c|d:e-F9\"," EXP "}", "a.b@c|d:e-F9");
    assert_user("{\"userId\":42," EXP "}", "42");
    assert_user("{\"userId\":0," EXP "}", "0");
    assert_user("{\"userId\":9223372036854775807," EXP "}", "9223372036854775807");
    assert_user("{\"sub\":\"42\"," EXP "}", "42");
    assert_user("{\"sub\":42," EXP "}", "42");
    assert_user("{\"userId\":\"1\",\"sub\":\"2\"," EXP "}", "1");
    snprintf(at_limit, sizeof(at_limit), "{\"userId\":\"%064d\"," EXP "}", 1);
    assert_int_equal(check_only(at_limit), CLAIMS_OK);
    snprintf(at_limit, sizeof(at_limit), "{\"userId\":\"%065d\"," EXP "}", 1);
    assert_int_equal(check_only(at_limit), CLAIMS_UNAUTHORIZED);
    static const char *const refused[] = {
        "{" EXP "}",
        "{\"userId\":\"\"," EXP "}",
        "{\"userId\":\"a_b\"," EXP "}",
        "{\"userId\":\"a b\"," EXP "}",
        "{\"userId\":\"\xc3\xa4\"," EXP "}",
        "{\"userId\":\"a\\u0000b\"," EXP "}",
        "{\"userId\":\"a\\n\"," EXP "}",
        "{\"userId\":1.0," EXP "}",
        "{\"userId\":1e3," EXP "}",
        "{\"userId\":-1," EXP "}",
        "{\"userId\":9223372036854775808," EXP "}",
        "{\"userId\":true," EXP "}",
        "{\"userId\":[\"1\"]," EXP "}",
        "{\"userId\":{}," EXP "}",
        "{\"userId\":null,\"sub\":\"2\"," EXP "}", /* sub stands in for an absent one only */
        "{\"userId\":\"a_b\",\"sub\":\"2\"," EXP "}",
        "{\"userid\":\"1\"," EXP "}",
        NULL,
    };
    assert_all_refused(refused);
}

static void test_expiry(void **state) {
    (void)state;
    claims_t claims;
    assert_int_equal(check_only("{\"userId\":1,\"exp\":1700000001}"), CLAIMS_OK);
    assert_int_equal(check_only("{\"userId\":1,\"exp\":1700000000.5}"), CLAIMS_OK);
    assert_int_equal(check_only("{\"userId\":1,\"exp\":1700000000}"), CLAIMS_TOKEN_EXPIRED);
    assert_int_equal(check_only("{\"userId\":1,\"exp\":0}"), CLAIMS_TOKEN_EXPIRED);
    assert_int_equal(check_only("{\"userId\":1,\"exp\":-5}"), CLAIMS_TOKEN_EXPIRED);
    assert_int_equal(check_only("{\"userId\":1,\"exp\":-1e300}"), CLAIMS_TOKEN_EXPIRED);
    /* For ever, or milliseconds by mistake: cut to the last time that can be written. */
    assert_int_equal(check("{\"userId\":1,\"exp\":1e300}", &claims), CLAIMS_OK);
    assert_true(claims.expires_at_ms == CLAIMS_LATEST_SECONDS * 1000);
    assert_int_equal(check("{\"userId\":1,\"exp\":9223372036854775807}", &claims), CLAIMS_OK);
    assert_true(claims.expires_at_ms == CLAIMS_LATEST_SECONDS * 1000);
    static const char *const refused[] = {
        "{\"userId\":1}",
        "{\"userId\":1,\"exp\":null}",
        "{\"userId\":1,\"exp\":\"1700000060\"}",
        "{\"userId\":1,\"exp\":true}",
        "{\"userId\":1,\"exp\":[1700000060]}",
        "{\"userId\":1,\"exp\":1e999}",
        "{\"userId\":1,\"exp\":NaN}",
        /* Expired, and wrong besides: what is wrong comes first. */
        "{\"userId\":\"a_b\",\"exp\":1}",
        "{\"userId\":1,\"exp\":1,\"nbf\":1700000001}",
        NULL,
    };
    assert_all_refused(refused);
}

static void test_not_before_and_issued_at(void **state) {
    (void)state;
    assert_int_equal(check_only("{\"userId\":1," EXP ",\"nbf\":1700000000}"), CLAIMS_OK);
    assert_int_equal(check_only("{\"userId\":1," EXP ",\"iat\":1700000050}"), CLAIMS_OK);
    static const char *const refused[] = {
        "{\"userId\":1," EXP ",\"nbf\":1700000001}",
        "{\"userId\":1," EXP ",\"nbf\":1700000000.001}",
        "{\"userId\":1," EXP ",\"nbf\":1e300}",
        "{\"userId\":1," EXP ",\"nbf\":\"1\"}",
        "{\"userId\":1," EXP ",\"nbf\":null}",
        "{\"userId\":1," EXP ",\"iat\":\"1\"}",
        NULL,
    };
    assert_all_refused(refused);
}

static claims_result_t check_rules(const char *issuer, const char *audience, const char *members) {
    claims_t claims;
    claims_rules_t rules = {.issuer = issuer, .audience = audience};
    strbuf_t payload = {0};
    strbuf_printf(&payload, "{\"userId\":1," EXP "%s}", members);
    claims_result_t result = claims_check(strbuf_str(&payload), &rules, NOW_MS, &claims);
    strbuf_fini(&payload);
    return result;
}

static void test_issuer(void **state) {
    (void)state;
    assert_int_equal(check_rules(NULL, NULL, ",\"iss\":5"), CLAIMS_OK);
    assert_int_equal(check_rules("us", NULL, ",\"iss\":\"us\""), CLAIMS_OK);
    assert_int_equal(check_rules("us", NULL, ",\"iss\":\"US\""), CLAIMS_UNAUTHORIZED);
    assert_int_equal(check_rules("us", NULL, ",\"iss\":[\"us\"]"), CLAIMS_UNAUTHORIZED);
    assert_int_equal(check_rules("us", NULL, ",\"iss\":\"us\\u0020\""), CLAIMS_UNAUTHORIZED);
    assert_int_equal(check_rules("us", NULL, ""), CLAIMS_UNAUTHORIZED);
}

static void test_audience(void **state) {
    (void)state;
    assert_int_equal(check_rules(NULL, "chat", ",\"aud\":\"chat\""), CLAIMS_OK);
    assert_int_equal(check_rules(NULL, "chat", ",\"aud\":[\"shop\",\"chat\"]"), CLAIMS_OK);
    assert_int_equal(check_rules(NULL, "chat", ",\"aud\":\"chats\""), CLAIMS_UNAUTHORIZED);
    assert_int_equal(check_rules(NULL, "chat", ",\"aud\":[]"), CLAIMS_UNAUTHORIZED);
    assert_int_equal(check_rules(NULL, "chat", ",\"aud\":[1,null]"), CLAIMS_UNAUTHORIZED);
    assert_int_equal(check_rules(NULL, "chat", ",\"aud\":{\"chat\":1}"), CLAIMS_UNAUTHORIZED);
    assert_int_equal(check_rules(NULL, "chat", ""), CLAIMS_UNAUTHORIZED);
}

/* What name and role become; NULL for either member leaves it out. */
static void assert_display(const char *members, const char *name, const char *role) {
    claims_t claims;
    strbuf_t payload = {0};
    strbuf_printf(&payload, "{\"userId\":1," EXP "%s}", members);
    assert_int_equal(claims_check(strbuf_str(&payload), &no_rules, NOW_MS, &claims), CLAIMS_OK);
    assert_string_equal(claims.name, name);
    assert_string_equal(claims.role, role);
    strbuf_fini(&payload);
}

static void test_display(void **state) {
    (void)state;
    assert_display("", "", "");
    assert_display(",\"name\":5,\"role\":[\"service\"]", "", "");
    assert_display(",\"name\":\"\",\"role\":\"\"", "", "");
    assert_display(",\"name\":\"a\\nb\",\"role\":\"service \"", "", "");
    assert_display(",\"name\":null,\"role\":\"service\"", "", "service");
}

static void test_display_limits(void **state) {
    (void)state;
    strbuf_t text = {0};
    for (int i = 0; i < CLAIMS_NAME_MAX_CHARACTERS; i++)
        strbuf_append(&text, STR("\xf0\x9f\x98\x80"));
    assert_int_equal(text.n, CLAIMS_NAME_MAX_BYTES);
    assert_true(claims_name_valid(strbuf_str(&text)));
    strbuf_append_char(&text, 'x');
    assert_false(claims_name_valid(strbuf_str(&text)));
    assert_false(claims_name_valid(STR("")));
    assert_false(claims_name_valid(STR("\xff")));
    assert_false(claims_name_valid(STR("a\x7f")));
    strbuf_clear(&text);
    while (text.n < CLAIMS_ROLE_MAX_BYTES)
        strbuf_append_char(&text, 'r');
    assert_true(claims_role_valid(strbuf_str(&text)));
    strbuf_append_char(&text, 'r');
    assert_false(claims_role_valid(strbuf_str(&text)));
    assert_false(claims_role_valid(STR("a b")));
    assert_true(claims_role_valid(STR("A-z_0.9:x")));
    strbuf_fini(&text);
}

static void test_token_id(void **state) {
    (void)state;
    claims_t claims;
    strbuf_t payload = {0};
    strbuf_printf(&payload, "{\"userId\":1," EXP ",\"jti\":\"%0128d\"}", 7);
    assert_int_equal(claims_check(strbuf_str(&payload), &no_rules, NOW_MS, &claims), CLAIMS_OK);
    assert_int_equal(strlen(claims.jti), CLAIMS_TOKEN_ID_MAX_BYTES);
    strbuf_clear(&payload);
    strbuf_printf(&payload, "{\"userId\":1," EXP ",\"jti\":\"%0129d\"}", 7);
    assert_int_equal(claims_check(strbuf_str(&payload), &no_rules, NOW_MS, &claims),
                     CLAIMS_UNAUTHORIZED);
    assert_int_equal(check_only("{\"userId\":1," EXP ",\"jti\":7}"), CLAIMS_UNAUTHORIZED);
    assert_int_equal(check_only("{\"userId\":1," EXP ",\"sid\":7}"), CLAIMS_UNAUTHORIZED);
    assert_int_equal(check("{\"userId\":1," EXP ",\"sid\":\"s-1\"}", &claims), CLAIMS_OK);
    assert_string_equal(claims.sid, "s-1");
    assert_string_equal(claims.jti, "");
    strbuf_fini(&payload);
}

static void test_not_an_object(void **state) {
    (void)state;
    static const char *const refused[] = {
        "",
        "[]",
        "null",
        "\"x\"",
        "{",
        "{}x",
        "{\"userId\":1," EXP ",}",
        "{\"userId\":1,\"userId\":2," EXP "}",
        "{\"userId\":1," EXP "," EXP "}",
        "{\"userId\":1," EXP ",\"x\":{\"y\":1,\"y\":2}}",
        "{\"userId\":1," EXP ",\"x\":\"\xff\"}",
        "{\"userId\":1," EXP ",\"x\":\"\\ud800\"}",
        NULL,
    };
    assert_all_refused(refused);
    assert_int_equal(claims_check((str_t){NULL, 0}, &no_rules, NOW_MS, &(claims_t){0}),
                     CLAIMS_UNAUTHORIZED);
}

static void test_depth(void **state) {
    (void)state;
    strbuf_t payload = {0};
    strbuf_append(&payload, STR("{\"userId\":1," EXP ",\"x\":"));
    for (int i = 0; i < 6000; i++)
        strbuf_append_char(&payload, '[');
    claims_t claims;
    assert_int_equal(claims_check(strbuf_str(&payload), &no_rules, NOW_MS, &claims),
                     CLAIMS_UNAUTHORIZED);
    strbuf_fini(&payload);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything), cmocka_unit_test(test_user_id),
        cmocka_unit_test(test_expiry),     cmocka_unit_test(test_not_before_and_issued_at),
        cmocka_unit_test(test_issuer),     cmocka_unit_test(test_audience),
        cmocka_unit_test(test_display),    cmocka_unit_test(test_display_limits),
        cmocka_unit_test(test_token_id),   cmocka_unit_test(test_not_an_object),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
