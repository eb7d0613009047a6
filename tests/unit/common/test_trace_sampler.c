/* trace_sampler: whose trace it is, and how many are logged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/trace_sampler.h"

#define ID "0af7651916cd43dd8448eb211c80319c"
#define ASKED STR("00-" ID "-b7ad6b7169203331-01")
#define DECLINED STR("00-" ID "-b7ad6b7169203331-00")

static const uint8_t random_bytes[TRACE_ID_BYTES] = {1, 2, 3};
static const uint8_t other_bytes[TRACE_ID_BYTES] = {9};

static void test_headers(void **state) {
    (void)state;
    char text[TRACE_TEXT + 1];
    trace_context_t asked = trace_context_begin(ASKED, STR(""), random_bytes);
    assert_int_equal(asked.wish, TRACE_ASKED);
    assert_false(asked.trace.sampled);
    assert_string_equal(trace_format(&asked.trace, text), ID);
    assert_int_equal(trace_context_begin(DECLINED, STR(""), random_bytes).wish, TRACE_DECLINED);
    trace_context_t edge = trace_context_begin(STR("x"), STR(ID), random_bytes);
    assert_int_equal(edge.wish, TRACE_OPEN);
    assert_string_equal(trace_format(&edge.trace, text), ID);
    trace_context_t own = trace_context_begin(STR(""), STR("order-17"), random_bytes);
    assert_int_equal(own.wish, TRACE_OPEN);
    assert_memory_equal(own.trace.id, random_bytes, TRACE_ID_BYTES);
    const uint8_t zeros[TRACE_ID_BYTES] = {0};
    own = trace_context_begin(STR(""), STR(""), zeros);
    assert_true(trace_is_set(&own.trace));
}

static void test_events_of_a_connection(void **state) {
    (void)state;
    trace_context_t connection = trace_context_begin(ASKED, STR(""), random_bytes);
    trace_sampler_t sampler = trace_sampler_make(1);
    trace_sampler_decide(&sampler, &connection, 0);
    trace_context_t event = trace_context_next(&connection, other_bytes);
    assert_memory_equal(event.trace.id, other_bytes, TRACE_ID_BYTES);
    assert_int_equal(event.wish, TRACE_ASKED);
    assert_false(event.trace.sampled);
    trace_sampler_decide(&sampler, &event, 0);
    assert_true(event.trace.sampled);
}

static size_t count_sampled(trace_sampler_t *sampler, str_t traceparent, size_t n, int64_t now_ms) {
    size_t sampled = 0;
    for (size_t i = 0; i < n; i++) {
        trace_context_t context = trace_context_begin(traceparent, STR(""), random_bytes);
        trace_sampler_decide(sampler, &context, now_ms);
        trace_sampler_decide(sampler, &context, now_ms); /* counts once */
        sampled += context.trace.sampled;
    }
    return sampled;
}

static void test_rate(void **state) {
    (void)state;
    trace_sampler_t sampler = trace_sampler_make(2);
    assert_int_equal(count_sampled(&sampler, STR(""), 100, 0), 2 * TRACE_BURST_SECONDS);
    assert_int_equal(count_sampled(&sampler, STR(""), 100, 1000), 2);
    /* Load doesn't use up what callers may ask for, nor they without end. */
    assert_int_equal(count_sampled(&sampler, ASKED, 100, 1000), 2 * TRACE_BURST_SECONDS);
    assert_int_equal(count_sampled(&sampler, DECLINED, 100, 100000), 0);
}

static void test_off(void **state) {
    (void)state;
    trace_sampler_t sampler = trace_sampler_make(0);
    assert_int_equal(count_sampled(&sampler, STR(""), 10, 0), 0);
    assert_int_equal(count_sampled(&sampler, ASKED, 10, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_events_of_a_connection),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
