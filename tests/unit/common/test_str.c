/* str, strbuf and sharedbuf: the bytes every other module passes around. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/sharedbuf.h"
#include "common/str.h"
#include "common/strbuf.h"

static void test_compare(void **state) {
    (void)state;
    assert_true(str_compare(STR("a"), STR("b")) < 0);
    assert_true(str_compare(STR("ab"), STR("a")) > 0);
    assert_int_equal(str_compare(STR(""), STR("")), 0);
    assert_true(str_eq(STR("same"), STR("same")));
    assert_false(str_eq(STR("same"), STR("sama")));
    assert_true(str_starts_with(STR("conv_1_2"), STR("conv_")));
    assert_false(str_starts_with(STR("con"), STR("conv_")));
}

static void test_to_u64(void **state) {
    (void)state;
    uint64_t value = 7;
    assert_int_equal(str_to_u64(STR("0"), 10, &value), OK);
    assert_int_equal(value, 0);
    assert_int_equal(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &value), OK);
    assert_true(value == UINT64_MAX);
    assert_int_equal(str_to_u64(STR("18446744073709551616"), UINT64_MAX, &value), ERR_INVALID);
    assert_int_equal(str_to_u64(STR("11"), 10, &value), ERR_INVALID);
    assert_int_equal(str_to_u64(STR("9"), 5, &value), ERR_INVALID);
    assert_int_equal(str_to_u64(STR(""), 10, &value), ERR_INVALID);
    assert_int_equal(str_to_u64(STR("-1"), 10, &value), ERR_INVALID);
    assert_int_equal(str_to_u64(STR("1 "), 10, &value), ERR_INVALID);
}

static void test_utf8(void **state) {
    (void)state;
    size_t n = 0;
    assert_int_equal(str_utf8_length(STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), &n), OK);
    assert_int_equal(n, 4);
    static const char *const bad[] = {
        "\xc0\x80",         /* overlong NUL */
        "\xe0\x80\x80",     /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\x80",             /* lone continuation */
        "\xe2\x82",         /* cut off */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(str_utf8_length(str_from(bad[i]), &n), ERR_INVALID);
}

static void test_json_string(void **state) {
    (void)state;
    strbuf_t b = {0};
    strbuf_append_json_string(&b, STR("a\"\\\n\x01\x1e\xc3\xa4"));
    assert_string_equal(strbuf_cstr(&b), "\"a\\\"\\\\\\n\\u0001\\u001e\xc3\xa4\"");
    strbuf_clear(&b);
    strbuf_append_i64(&b, INT64_MIN);
    strbuf_append_char(&b, ' ');
    strbuf_append_u64(&b, UINT64_MAX);
    strbuf_printf(&b, " %s=%d", "x", 5);
    char *text = strbuf_detach(&b);
    assert_string_equal(text, "-9223372036854775808 18446744073709551615 x=5");
    free(text);
    strbuf_fini(&b);
}

static void test_cutting(void **state) {
    (void)state;
    str_t rest = STR(" \t first word\r\n\nlast");
    str_t line = str_take_line(&rest);
    assert_true(str_eq(line, STR(" \t first word\r")));
    line = str_trim(line);
    assert_true(str_eq(line, STR("first word")));
    assert_true(str_eq(str_take_word(&line), STR("first")));
    assert_true(str_eq(line, STR(" word")));
    assert_int_equal(str_take_word(&line).n, 0);
    assert_int_equal(str_take_line(&rest).n, 0);
    assert_true(str_eq(str_take_line(&rest), STR("last")));
    assert_int_equal(rest.n, 0);
    assert_int_equal(str_take_line(&rest).n, 0);
    assert_int_equal(str_trim(STR(" \t\r ")).n, 0);
}

static void test_sharedbuf(void **state) {
    (void)state;
    sharedbuf_t *a = sharedbuf_new(STR("bytes"));
    sharedbuf_t *b = sharedbuf_ref(a);
    sharedbuf_unref(&a);
    assert_null(a);
    assert_true(str_eq(sharedbuf_str(b), STR("bytes")));
    sharedbuf_unref(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare), cmocka_unit_test(test_to_u64),
        cmocka_unit_test(test_utf8),    cmocka_unit_test(test_json_string),
        cmocka_unit_test(test_cutting), cmocka_unit_test(test_sharedbuf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
