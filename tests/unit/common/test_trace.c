/* trace: ids as headers spell them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/trace.h"

#define ID "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void test_traceparent(void **state) {
    (void)state;
    trace_t trace = {0};
    char text[TRACE_TEXT + 1];
    assert_int_equal(trace_parse(STR("00-" ID "-" PARENT "-01"), &trace), OK);
    assert_true(trace.sampled);
    assert_string_equal(trace_format(&trace, text), ID);
    assert_int_equal(trace_parse(STR("00-" ID "-" PARENT "-02"), &trace), OK);
    assert_false(trace.sampled);
    assert_int_equal(trace_parse(STR("01-" ID "-" PARENT "-ff-later"), &trace), OK);
    assert_true(trace.sampled);
}

static void test_malformed_traceparent(void **state) {
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
    trace_t trace = {.id = {7}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(trace_parse(str_from(bad[i]), &trace), ERR_INVALID);
    assert_int_equal(trace.id[0], 7);
}

static void test_ids(void **state) {
    (void)state;
    trace_t trace = {0};
    char text[TRACE_TEXT + 1];
    assert_false(trace_is_set(&trace));
    assert_string_equal(trace_format(&trace, text), "");
    assert_int_equal(trace_parse_id(STR("0af76519-16cd-43dd-8448-eb211c80319c"), &trace), OK);
    assert_string_equal(trace_format(&trace, text), ID);
    assert_false(trace.sampled);
    assert_int_equal(trace_parse_id(STR(ID), &trace), OK);
    assert_true(trace_is_set(&trace));
    static const char *const bad[] = {
        "",
        "order-17",
        "0af7651916cd43dd8448eb211c80319",
        "0AF7651916cd43dd8448eb211c80319c",
        "0af76519-16cd-43dd-8448eb21-1c80319c",
        "00000000-0000-0000-0000-000000000000",
        "0af76519-16cd-43dd-8448-eb211c80319-",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(trace_parse_id(str_from(bad[i]), &trace), ERR_INVALID);
    assert_string_equal(trace_format(&trace, text), ID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traceparent),
        cmocka_unit_test(test_malformed_traceparent),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
