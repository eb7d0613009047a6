/* query: cursor, limit, before and after with their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest/query.h"

static err_t conversations(const char *text, strbuf_t *storage, query_conversations_t *out) {
    const char *why = NULL;
    strbuf_clear(storage);
    err_t err = query_conversations(str_from(text), storage, out, &why);
    assert_true(err == OK || (err == ERR_INVALID && why && *why));
    return err;
}

static err_t messages(const char *text, query_messages_t *out) {
    const char *why = NULL;
    err_t err = query_messages(str_from(text), out, &why);
    assert_true(err == OK || (err == ERR_INVALID && why && *why));
    return err;
}

static void test_conversations(void **state) {
    (void)state;
    strbuf_t storage = {0};
    query_conversations_t query;
    assert_int_equal(conversations("", &storage, &query), OK);
    assert_int_equal(query.limit, QUERY_LIMIT_DEFAULT);
    assert_int_equal(query.cursor.n, 0);
    assert_int_equal(conversations("limit=200&cursor=a%2Bb%3D+c", &storage, &query), OK);
    assert_int_equal(query.limit, 200);
    assert_true(str_eq(query.cursor, STR("a+b= c")));
    assert_int_equal(conversations("cursor=", &storage, &query), OK);
    assert_int_equal(query.cursor.n, 0);
    assert_int_equal(conversations("&&x=1&%6cimit=7&", &storage, &query), OK);
    assert_int_equal(query.limit, 7);
    strbuf_fini(&storage);
}

static void test_conversations_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "limit=0",
        "limit=201",
        "limit=",
        "limit=-1",
        "limit=1.5",
        "limit=5&limit=5",
        "limit=abc",
        "limit",
        "limit=%",
        "%zz=1",
        "limit=99999999999999999999",
        "cursor=%ff",
        "cursor=%00",
        "cursor=a&cursor=a",
    };
    strbuf_t storage = {0};
    query_conversations_t query;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(conversations(bad[i], &storage, &query), ERR_INVALID);
    strbuf_fini(&storage);
}

static void test_cursor_limit(void **state) {
    (void)state;
    strbuf_t storage = {0}, text = {0};
    query_conversations_t query;
    strbuf_append(&text, STR("cursor="));
    for (size_t i = 0; i < QUERY_CURSOR_BYTES_MAX; i++)
        strbuf_append_char(&text, 'c');
    assert_int_equal(conversations(strbuf_cstr(&text), &storage, &query), OK);
    assert_int_equal(query.cursor.n, QUERY_CURSOR_BYTES_MAX);
    strbuf_append_char(&text, 'c');
    assert_int_equal(conversations(strbuf_cstr(&text), &storage, &query), ERR_INVALID);
    strbuf_fini(&text);
    strbuf_fini(&storage);
}

static void test_parameters_limit(void **state) {
    (void)state;
    strbuf_t text = {0};
    query_messages_t query;
    for (size_t i = 0; i < QUERY_PARAMETERS_MAX; i++)
        strbuf_append(&text, STR("x&"));
    assert_int_equal(messages(strbuf_cstr(&text), &query), OK);
    strbuf_append(&text, STR("x&"));
    assert_int_equal(messages(strbuf_cstr(&text), &query), ERR_INVALID);
    strbuf_fini(&text);
}

static void test_messages(void **state) {
    (void)state;
    query_messages_t query;
    assert_int_equal(messages("", &query), OK);
    assert_false(query.has_before || query.has_after);
    assert_int_equal(query.limit, QUERY_LIMIT_DEFAULT);
    assert_int_equal(messages("before=1&limit=1", &query), OK);
    assert_true(query.has_before && !query.has_after);
    assert_int_equal(query.before, 1);
    assert_int_equal(query.limit, 1);
    assert_int_equal(messages("after=0", &query), OK);
    assert_true(query.has_after && !query.has_before);
    assert_int_equal(query.after, 0);
    assert_int_equal(messages("after=9223372036854775807", &query), OK);
    assert_int_equal(query.after, INT64_MAX);
}

static void test_messages_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"before=0",
                                      "before=x",
                                      "before=",
                                      "after=-1",
                                      "after=9223372036854775808",
                                      "before=5&after=1",
                                      "limit=0",
                                      "limit=500",
                                      "before=1&before=1"};
    query_messages_t query;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(messages(bad[i], &query), ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversations), cmocka_unit_test(test_conversations_refused),
        cmocka_unit_test(test_cursor_limit),  cmocka_unit_test(test_parameters_limit),
        cmocka_unit_test(test_messages),      cmocka_unit_test(test_messages_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
