/* jws: a token taken apart, and every shape that isn't one refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth-worker/jws.h"

/* {"alg":"HS256","typ":"JWT"} . {} . three bytes */
#define HEADER "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

static err_t parse_header(const char *base64url_of_header) {
    strbuf_t token = {0};
    jws_t jws;
    strbuf_printf(&token, "%s.e30.AAAA", base64url_of_header);
    err_t err = jws_parse(strbuf_str(&token), &jws);
    strbuf_fini(&token);
    return err;
}

static void test_parts(void **state) {
    (void)state;
    jws_t jws;
    assert_int_equal(jws_parse(STR(HEADER ".e30.AAAA"), &jws), OK);
    assert_int_equal(jws.alg, JWS_HS256);
    assert_string_equal(jws.kid, "");
    assert_true(str_eq(jws.signing_input, STR(HEADER ".e30")));
    assert_true(str_eq(jws.payload, STR("e30")));
    assert_true(str_eq(jws.signature, STR("AAAA")));
}

static void test_header(void **state) {
    (void)state;
    jws_t jws;
    /* {"alg":"ES256","kid":"key 1"} */
    assert_int_equal(jws_parse(STR("eyJhbGciOiJFUzI1NiIsImtpZCI6ImtleSAxIn0.e30.AAAA"), &jws), OK);
    assert_int_equal(jws.alg, JWS_ES256);
    assert_string_equal(jws.kid, "key 1");
    static const char *const refused[] = {
        "eyJhbGciOiJub25lIn0",                      /* {"alg":"none"} */
        "eyJhbGciOiJOb25lIn0",                      /* {"alg":"None"} */
        "eyJhbGciOiJuT25FIn0",                      /* {"alg":"nOnE"} */
        "eyJhbGciOiIifQ",                           /* {"alg":""} */
        "eyJhbGciOiJIUzUxMiJ9",                     /* {"alg":"HS512"} */
        "eyJhbGciOiJoczI1NiJ9",                     /* {"alg":"hs256"} */
        "eyJhbGciOjF9",                             /* {"alg":1} */
        "e30",                                      /* {} */
        "W10",                                      /* [] */
        "bnVsbA",                                   /* null */
        "eyJhbGciOiJIUzI1NiIsImFsZyI6IlJTMjU2In0",  /* alg twice */
        "eyJhbGciOiJIUzI1NiIsImtpZCI6MX0",          /* kid a number */
        "eyJhbGciOiJIUzI1NiIsImtpZCI6IiJ9",         /* kid empty */
        "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiYjY0Il19", /* crit */
        "eyJhbGciOiJIUzI1NiJ9eA",                   /* something behind the object */
        "eyJhbGciOiJIUzI1NiJ",                      /* cut off */
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(parse_header(refused[i]), ERR_INVALID);
}

static void test_shape(void **state) {
    (void)state;
    jws_t jws;
    static const char *const refused[] = {
        "",
        ".",
        "..",
        HEADER,
        HEADER ".e30",
        HEADER ".e30.",
        HEADER "..AAAA",
        "." HEADER ".e30",
        HEADER ".e30.AAAA.",
        HEADER ".e30.AAAA.AAAA",
        " " HEADER ".e30.AAAA",
        HEADER "=.e30.AAAA",
        "!!!.e30.AAAA",
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(jws_parse(str_from(refused[i]), &jws), ERR_INVALID);
}

static void test_size(void **state) {
    (void)state;
    jws_t jws;
    strbuf_t token = {0};
    strbuf_append(&token, STR(HEADER "."));
    while (token.n < JWS_TOKEN_MAX_BYTES - 5)
        strbuf_append_char(&token, 'A');
    strbuf_append(&token, STR(".AAAA"));
    assert_int_equal(token.n, JWS_TOKEN_MAX_BYTES);
    assert_int_equal(jws_parse(strbuf_str(&token), &jws), OK);
    strbuf_append_char(&token, 'A');
    assert_int_equal(jws_parse(strbuf_str(&token), &jws), ERR_LIMIT);
    strbuf_fini(&token);
}

static err_t parse_kid_of(size_t length) {
    strbuf_t kid = {0};
    strbuf_t token = {0};
    jws_t jws;
    /* {"alg":"HS256","kid":" has 21 bytes; 'YWFh' is 'aaa', and 'IiB9' is '" }' */
    strbuf_append(&token, STR("eyJhbGciOiJIUzI1NiIsImtpZCI6"));
    strbuf_append(&token, STR("ImFh"));
    for (size_t n = 2; n < length; n += 3)
        strbuf_append(&token, STR("YWFh"));
    strbuf_append(&token, STR("IiB9.e30.AAAA"));
    err_t err = jws_parse(strbuf_str(&token), &jws);
    if (err == OK)
        assert_int_equal(strlen(jws.kid), length);
    strbuf_fini(&token);
    strbuf_fini(&kid);
    return err;
}

static void test_kid_length(void **state) {
    (void)state;
    assert_int_equal(JWS_KID_MAX_BYTES % 3, 2);
    assert_int_equal(parse_kid_of(JWS_KID_MAX_BYTES), OK);
    assert_int_equal(parse_kid_of(JWS_KID_MAX_BYTES + 3), ERR_INVALID);
}

static void test_decode_part(void **state) {
    (void)state;
    strbuf_t bytes = {0};
    assert_int_equal(jws_decode_part(STR("-_8"), &bytes), OK);
    assert_true(str_eq(strbuf_str(&bytes), STR("\xfb\xff")));
    assert_int_equal(jws_decode_part(STR("AA"), &bytes), OK);
    assert_int_equal(bytes.n, 3);
    assert_int_equal(jws_decode_part(STR("+/8"), &bytes), ERR_INVALID); /* the other alphabet */
    assert_int_equal(jws_decode_part(STR("AB"), &bytes), ERR_INVALID);  /* stray bits at the end */
    assert_int_equal(jws_decode_part(STR("A"), &bytes), ERR_INVALID);
    assert_int_equal(jws_decode_part(STR("AA=="), &bytes), ERR_INVALID);
    assert_int_equal(jws_decode_part(STR("A\nA"), &bytes), ERR_INVALID);
    assert_int_equal(jws_decode_part((str_t){"AA\0A", 4}, &bytes), ERR_INVALID);
    strbuf_fini(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),      cmocka_unit_test(test_header),
        cmocka_unit_test(test_shape),      cmocka_unit_test(test_size),
        cmocka_unit_test(test_kid_length), cmocka_unit_test(test_decode_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
