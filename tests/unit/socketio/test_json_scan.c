/* json_scan: JSON is checked without being built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/socketio/json_scan.h"

static const json_rules_t plain = {.max_depth = 4};

static err_t check(str_t text, const json_rules_t *rules) {
    json_kind_t kind;
    str_t value;
    err_t err = json_take_value(&text, rules, &kind, &value);
    return err == OK && text.n ? ERR_INVALID : err;
}

static void test_accepts(void **state) {
    (void)state;
    static const char *const good[] = {
        "0",
        "-0",
        "12.5e+10",
        "1E5",
        "123456789012345678901234567890",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\\u0000b\"",
        "\"\\ud800\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        " [ ] ",
        "{}",
        "[1,2]",
        "{\"a\":1,\"a\":2}",
        "[[[[]]]]",
        "{ \"a\" : [ { } , null ] }",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(check(str_from(good[i]), &plain), OK);
}

static void test_refuses(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",         " ",     "01",         "1.",    ".5",    "+1",     "1e",      "--1",
        "0x1",      "NaN",   "tru",        "nullx", "\"",    "\"\\\"", "\"\\x\"", "\"\\u12g4\"",
        "\"\n\"",   "[",     "[1",         "[1,]",  "[,1]",  "]",      "{",       "{\"a\"}",
        "{\"a\":}", "{a:1}", "{\"a\":1,}", "{1:2}", "[1 2]", "1 2",    "'a'",     "\"\\u12\"",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(check(str_from(bad[i]), &plain), ERR_INVALID);
    assert_int_equal(check((str_t){"\"\\", 2}, &plain), ERR_INVALID);
    assert_int_equal(check((str_t){"\"\\\0\"", 4}, &plain), ERR_INVALID);
}

static void test_depth(void **state) {
    (void)state;
    strbuf_t deep = {0};
    assert_int_equal(check(STR("[[[[[]]]]]"), &plain), ERR_LIMIT);
    assert_int_equal(check(STR("{\"a\":{\"a\":[[[]]]}}"), &plain), ERR_LIMIT);
    for (int i = 0; i < 1000000; i++)
        strbuf_append_char(&deep, '[');
    json_rules_t boundless = {.max_depth = UINT32_MAX};
    assert_int_equal(check(strbuf_str(&deep), &boundless), ERR_LIMIT);
    strbuf_fini(&deep);
}

static void test_takes_one_value(void **state) {
    (void)state;
    str_t text = STR("  {\"a\":[1]} , 2"), value;
    json_kind_t kind;
    assert_int_equal(json_take_value(&text, &plain, &kind, &value), OK);
    assert_int_equal(kind, JSON_KIND_OBJECT);
    assert_true(str_eq(value, STR("{\"a\":[1]}")));
    assert_true(str_eq(text, STR(", 2")));
}

static void test_placeholders(void **state) {
    (void)state;
    static const json_rules_t rules = {.max_depth = 4, .placeholders = true, .attachments = 2};
    static const char *const good[] = {
        "{\"_placeholder\":true,\"num\":0}", "[{\"num\":1,\"_placeholder\":true,\"x\":2}]",
        "{\"_placeholder\":false,\"num\":9}", "{\"_placeholder\":\"true\"}", "{\"num\":77}"};
    static const char *const bad[] = {
        "{\"_placeholder\":true}",
        "{\"_placeholder\":true,\"num\":2}",
        "{\"_placeholder\":true,\"num\":-1}",
        "{\"_placeholder\":true,\"num\":0.5}",
        "{\"_placeholder\":true,\"num\":\"0\"}",
        "{\"_placeholder\":true,\"num\":\"splice\"}",
        "{\"_placeholder\":true,\"num\":99999999999999999999}",
        "{\"_placeholder\":true,\"num\":0,\"num\":5}",
        "{\"\\u005fplaceholder\":true,\"num\":5}",
        "{\"_placeholder\":true,\"num\":[0]}",
        "{\"a\":[{\"_placeholder\":true,\"num\":null}]}",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(check(str_from(good[i]), &rules), OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(check(str_from(bad[i]), &rules), ERR_INVALID);
    assert_int_equal(check(str_from(bad[0]), &plain), OK);
}

static void test_unescape(void **state) {
    (void)state;
    static const struct {
        const char *json;
        str_t plain;
    } cases[] = {
        {"\"plain\"", {"plain", 5}},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", {"\"\\/\b\f\n\r\t", 8}},
        {"\"\\u0000\"", {"\0", 1}},
        {"\"\\u00e9\\u20AC\"", {"\xc3\xa9\xe2\x82\xac", 5}},
        {"\"\\ud83d\\ude00\"", {"\xf0\x9f\x98\x80", 4}},
        {"\"\\ud83dx\"", {"\xef\xbf\xbdx", 4}},
        {"\"\\ude00\"", {"\xef\xbf\xbd", 3}},
        {"\"\\ud83d\\u0041\"", {"\xef\xbf\xbd\x41", 4}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        strbuf_t to = {0};
        json_unescape(str_from(cases[i].json), &to);
        assert_true(str_eq(strbuf_str(&to), cases[i].plain));
        strbuf_fini(&to);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),      cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_depth),        cmocka_unit_test(test_takes_one_value),
        cmocka_unit_test(test_placeholders), cmocka_unit_test(test_unescape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
