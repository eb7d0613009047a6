/* json: the limits before parsing, what is refused, and the typed getters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/json.h"
#include "common/strbuf.h"

static const json_limits_t limits = {
    .max_bytes = 1000000, .max_depth = JSON_DEPTH_DEFAULT, .max_values = JSON_VALUES_DEFAULT};

static err_t try_parse(str_t text) {
    json_doc_t *doc = NULL;
    err_t err = json_doc_new(text, &limits, &doc);
    assert_int_equal(err == OK, doc != NULL);
    if (doc)
        json_doc_free(&doc);
    assert_null(doc);
    return err;
}

/* Nested arrays, objects, or both. */
static str_t nested(strbuf_t *text, size_t depth, const char *open, const char *close) {
    strbuf_clear(text);
    for (size_t i = 0; i < depth; i++)
        strbuf_append(text, str_from(open));
    strbuf_append_char(text, '1');
    for (size_t i = 0; i < depth; i++)
        strbuf_append(text, str_from(close));
    return strbuf_str(text);
}

static void test_depth(void **state) {
    (void)state;
    strbuf_t text = {0};
    assert_int_equal(try_parse(nested(&text, 32, "[", "]")), OK);
    assert_int_equal(try_parse(nested(&text, 33, "[", "]")), ERR_LIMIT);
    assert_int_equal(try_parse(nested(&text, 32, "{\"a\":", "}")), OK);
    assert_int_equal(try_parse(nested(&text, 33, "{\"a\":", "}")), ERR_LIMIT);
    assert_int_equal(try_parse(nested(&text, 100000, "[", "]")), ERR_LIMIT);
    assert_int_equal(try_parse(nested(&text, 100000, "[", "")), ERR_LIMIT);
    assert_int_equal(try_parse(nested(&text, 33, "", "]")), ERR_INVALID);
    strbuf_fini(&text);
    assert_true(json_depth_ok(STR("[[]]"), 2));
    assert_false(json_depth_ok(STR("[[]]"), 1));
    assert_true(json_depth_ok(STR("1"), 0));
    assert_true(json_depth_ok(STR(""), 0));
    /* Brackets in strings don't count, whatever is escaped; those behind the string do. */
    assert_true(json_depth_ok(STR("\"[[[[\""), 0));
    assert_true(json_depth_ok(STR("[\"\\\"[[[\"]"), 1));
    assert_false(json_depth_ok(STR("[\"\\\\\",[[]]]"), 2));
    assert_true(json_depth_ok(STR("[\"\\"), 1));
    /* Side by side is not deep. */
    assert_true(json_depth_ok(STR("[[],[],[],[]]"), 2));
}

static void test_sizes(void **state) {
    (void)state;
    json_limits_t small = {.max_bytes = 5, .max_depth = 1, .max_values = 3};
    json_doc_t *doc = NULL;
    assert_int_equal(json_doc_new(STR("[1,2]"), &small, &doc), OK);
    json_doc_free(&doc);
    assert_int_equal(json_doc_new(STR("[1,2] "), &small, &doc), ERR_LIMIT);
    small.max_bytes = 100;
    assert_int_equal(json_doc_new(STR("[1,2,3]"), &small, &doc), ERR_LIMIT);
    assert_int_equal(json_doc_new(STR("[\",,,,,,,\"]"), &small, &doc), OK);
    json_doc_free(&doc);
}

static void test_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "[",
        "{\"a\":1,}",
        "{'a':1}",
        "[1] 2",
        "nul",
        "01",
        "\"a",
        "\"\xff\"",
        "\"\\u0000\"",
        "{\"a\":1,\"a\":2}",
        "[1,]",
        "\"\\ud800\"",
        "\"\t\"",
        "NaN",
        "1e999",
        "9223372036854775808",
        "\"\xc0\x80\"",
        "{1:2}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(try_parse(str_from(bad[i])), ERR_INVALID);
    assert_int_equal(try_parse((str_t){"\"a\0b\"", 5}), ERR_INVALID);
    static const char *const good[] = {"1", "\"conv_1_2\"", "null", " [ ] ", "{}", "-1.5e3"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(try_parse(str_from(good[i])), OK);
}

static void test_getters(void **state) {
    (void)state;
    json_doc_t *doc = NULL;
    str_t text = STR("[{\"s\":\"h\xc3\xa9\xf0\x9f\x98\x80\",\"n\":5,\"r\":5.0,\"neg\":-1,"
                     "\"b\":true,\"z\":null,\"e\":\"\"},\"x\"]");
    assert_int_equal(json_doc_new(text, &limits, &doc), OK);
    const json_value_t *root = json_doc_root(doc);
    assert_true(json_value_is_array(root));
    assert_int_equal(json_element_count(root), 2);
    assert_null(json_element(root, 2));
    assert_null(json_member(root, "s"));
    const json_value_t *o = json_element(root, 0);
    assert_true(json_value_is_object(o));
    str_t s = STR("before");
    assert_int_equal(json_get_string(o, "s", 4, 8000, &s), JSON_FIELD_OUT_OF_RANGE);
    assert_int_equal(json_get_string(o, "s", 0, 2, &s), JSON_FIELD_OUT_OF_RANGE);
    assert_int_equal(json_get_string(o, "e", 1, 2, &s), JSON_FIELD_OUT_OF_RANGE);
    assert_int_equal(json_get_string(o, "n", 0, 9, &s), JSON_FIELD_WRONG_TYPE);
    assert_int_equal(json_get_string(o, "z", 0, 9, &s), JSON_FIELD_MISSING);
    assert_int_equal(json_get_string(o, "none", 0, 9, &s), JSON_FIELD_MISSING);
    assert_int_equal(json_get_string(root, "s", 0, 9, &s), JSON_FIELD_WRONG_TYPE);
    assert_int_equal(json_get_string(NULL, "s", 0, 9, &s), JSON_FIELD_WRONG_TYPE);
    assert_true(str_eq(s, STR("before")));
    assert_int_equal(json_get_string(o, "s", 3, 3, &s), JSON_FIELD_OK);
    assert_int_equal(s.n, 7);
    assert_int_equal(json_as_string(json_element(root, 1), 1, 1, &s), JSON_FIELD_OK);
    uint64_t n = 99;
    assert_int_equal(json_get_u64(o, "r", 0, 9, &n), JSON_FIELD_WRONG_TYPE);
    assert_int_equal(json_get_u64(o, "neg", 0, 9, &n), JSON_FIELD_OUT_OF_RANGE);
    assert_int_equal(json_get_u64(o, "n", 6, 9, &n), JSON_FIELD_OUT_OF_RANGE);
    assert_int_equal(json_get_u64(o, "n", 0, 4, &n), JSON_FIELD_OUT_OF_RANGE);
    assert_int_equal(json_get_u64(o, "s", 0, 4, &n), JSON_FIELD_WRONG_TYPE);
    assert_int_equal(n, 99);
    assert_int_equal(json_get_u64(o, "n", 5, 5, &n), JSON_FIELD_OK);
    assert_int_equal(n, 5);
    int64_t i = 0;
    assert_int_equal(json_as_i64(json_member(o, "neg"), &i), JSON_FIELD_OK);
    assert_int_equal(i, -1);
    bool b = false;
    assert_int_equal(json_get_bool(o, "n", &b), JSON_FIELD_WRONG_TYPE);
    assert_int_equal(json_get_bool(o, "none", &b), JSON_FIELD_MISSING);
    assert_false(b);
    assert_int_equal(json_get_bool(o, "b", &b), JSON_FIELD_OK);
    assert_true(b);
    json_doc_free(&doc);
    assert_string_equal(json_field_name(JSON_FIELD_MISSING), "missing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_getters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
