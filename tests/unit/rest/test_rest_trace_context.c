/* trace_context: request ids that may be taken over, traceparent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest/trace_context.h"

#define ID "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void test_request_ids(void **state) {
    (void)state;
    char longest[REQUEST_ID_BYTES_MAX + 1];
    memset(longest, 'a', sizeof(longest));
    assert_true(trace_context_is_request_id(STR("a.B_9-")));
    assert_true(trace_context_is_request_id((str_t){longest, REQUEST_ID_BYTES_MAX}));
    assert_false(trace_context_is_request_id((str_t){longest, sizeof(longest)}));
    assert_false(trace_context_is_request_id(STR("")));
    assert_false(trace_context_is_request_id(STR("a b")));
    assert_false(trace_context_is_request_id(STR("a\r\nX: y")));
    assert_false(trace_context_is_request_id((str_t){"a\0", 2}));
}

static void test_traceparent(void **state) {
    (void)state;
    uint8_t trace[TRACE_ID_BYTES] = {0};
    assert_int_equal(trace_context_parse(STR("00-" ID "-" PARENT "-01"), trace), OK);
    assert_int_equal(trace[0], 0x0a);
    assert_int_equal(trace[15], 0x9c);
    assert_int_equal(trace_context_parse(STR("01-" ID "-" PARENT "-01-later"), trace), OK);
}

static void test_malformed(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "00-" ID "-" PARENT,
        "00-" ID "-" PARENT "-01-x",
        "01-" ID "-" PARENT "-01x",
        "ff-" ID "-" PARENT "-01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-0AF7651916cd43dd8448eb211c80319c-" PARENT "-01",
        "00_" ID "-" PARENT "-01",
        "00-" ID PARENT "--01",
        "0g-" ID "-" PARENT "-01",
    };
    uint8_t trace[TRACE_ID_BYTES] = {7};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(trace_context_parse(str_from(bad[i]), trace), ERR_INVALID);
    assert_int_equal(trace[0], 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_ids),
        cmocka_unit_test(test_traceparent),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
