/* gateway_metrics: labels that must agree with other tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/events.h"
#include "gateway/gateway_metrics.h"
#include "gateway/socketio/engineio.h"
#include "proto/proto.h"

static void test_close_reasons_are_the_librarys(void **state) {
    (void)state;
    const char *const *names = gateway_metric_defs[METRIC_ENGINE_CLOSES].labels[0].values;
    for (int reason = 0; reason < EIO_CLOSE_REASONS; reason++)
        assert_string_equal(names[reason], eio_close_name((eio_close_t)reason));
}

static void test_answers_have_a_series_for_each_event_and_code(void **state) {
    (void)state;
    metrics_t *metrics = metrics_new(gateway_metric_defs, METRIC_COUNT);
    size_t last = metrics_series(metrics, METRIC_ACKS, EVENT_UNKNOWN, CODE_INTERNAL);
    assert_int_equal(last, (EVENT_KINDS + 1) * CODE_COUNT - 1);
    metrics_free(&metrics);
}

static void test_written(void **state) {
    (void)state;
    metrics_t *metrics = metrics_new(gateway_metric_defs, METRIC_COUNT);
    strbuf_t text = {0};
    metrics_set(metrics, METRIC_SESSIONS, 0, 3);
    metrics_write(metrics, &text);
    assert_non_null(strstr(strbuf_cstr(&text), "\nparley_gateway_sessions 3\n"));
    assert_non_null(strstr(strbuf_cstr(&text),
                           "parley_gateway_answers_total{event=\"typing\",code=\"ok\"} 0\n"));
    strbuf_fini(&text);
    metrics_free(&metrics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_reasons_are_the_librarys),
        cmocka_unit_test(test_answers_have_a_series_for_each_event_and_code),
        cmocka_unit_test(test_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
