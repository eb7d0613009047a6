/* replies: the exact JSON of what scenario tests do not show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/replies.h"

static void test_every_code_has_words(void **state) {
    (void)state;
    for (int code = 0; code < CODE_COUNT; code++)
        assert_true(strlen(replies_default_message((code_t)code)) > 0);
}

static void test_error(void **state) {
    (void)state;
    strbuf_t out = {0};
    replies_error(&out, CODE_RATE_LIMITED, STR("a \"quoted\"\n"), 5);
    assert_string_equal(strbuf_cstr(&out),
                        "{\"ok\":false,\"error\":{\"code\":\"rate_limited\","
                        "\"message\":\"a \\\"quoted\\\"\\n\",\"retryAfterMs\":5}}");
    strbuf_fini(&out);
}

static void expect_event_error(str_t event, const char *expected) {
    strbuf_t out = {0};
    replies_event_error(&out, event, CODE_INTERNAL, STR("m"));
    assert_string_equal(strbuf_cstr(&out), expected);
    strbuf_fini(&out);
}

static void test_event_names_are_bounded(void **state) {
    (void)state;
    char name[65];
    memset(name, 'x', sizeof(name));
    expect_event_error(STR("a\"b"),
                       "{\"event\":\"a\\\"b\",\"code\":\"internal\",\"message\":\"m\"}");
    expect_event_error((str_t){name, 65},
                       "{\"event\":\"\",\"code\":\"internal\",\"message\":\"m\"}");
    expect_event_error(STR("\xed\xa0\x80"),
                       "{\"event\":\"\",\"code\":\"internal\",\"message\":\"m\"}");
    strbuf_t out = {0};
    replies_event_error(&out, (str_t){name, 64}, CODE_INTERNAL, STR("m"));
    assert_int_equal(out.n,
                     64 + strlen("{\"event\":\"\",\"code\":\"internal\",\"message\":\"m\"}"));
    strbuf_fini(&out);
}

static void test_joined(void **state) {
    (void)state;
    str_t messages[] = {STR("{\"seq\":1}"), STR("{\"seq\":2}")};
    proto_conversation_t conversation = {.conversation = STR("{}"),
                                         .head_seq = 2,
                                         .generation = STR("g"),
                                         .messages = {messages, 2},
                                         .truncated = 1,
                                         .reset = 1};
    strbuf_t out = {0};
    replies_joined(&out, &conversation, STR("[]"));
    assert_string_equal(strbuf_cstr(&out),
                        "{\"ok\":true,\"conversation\":{},\"participants\":[],\"headSeq\":2,"
                        "\"generation\":\"g\",\"messages\":[{\"seq\":1},{\"seq\":2}],"
                        "\"truncated\":true,\"reset\":true}");
    strbuf_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_words),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_event_names_are_bounded),
        cmocka_unit_test(test_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
