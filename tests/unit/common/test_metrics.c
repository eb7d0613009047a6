/* metrics: the exposition text, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/metrics.h"

static const char *const directions[] = {"in", "out", NULL};
static const char *const results[] = {"ok", "say \"no\"\\\n", NULL};
static const double buckets[] = {0.1, 1, 2.5, 0};

enum { MESSAGES, SOCKETS, LATENCY, RESULTS, COUNT };

static const metrics_def_t defs[COUNT] = {
    [MESSAGES] = {.kind = METRICS_COUNTER,
                  .name = "parley_messages_total",
                  .help = "Messages \"moved\".",
                  .labels = {{"direction", directions}}},
    [SOCKETS] = {.kind = METRICS_GAUGE, .name = "parley_sockets", .help = "Open\\sockets\nnow."},
    [LATENCY] = {.kind = METRICS_HISTOGRAM,
                 .name = "parley_send_seconds",
                 .help = "Time.",
                 .labels = {{"direction", directions}},
                 .buckets = buckets},
    [RESULTS] = {.kind = METRICS_COUNTER,
                 .name = "parley_results_total",
                 .help = "Results.",
                 .labels = {{"direction", directions}, {"result", results}}},
};

static const char expected[] =
    "# HELP parley_messages_total Messages \"moved\".\n"
    "# TYPE parley_messages_total counter\n"
    "parley_messages_total{direction=\"in\"} 3\n"
    "parley_messages_total{direction=\"out\"} 9007199254740991\n"
    "# HELP parley_sockets Open\\\\sockets\\nnow.\n"
    "# TYPE parley_sockets gauge\n"
    "parley_sockets -1.5\n"
    "# HELP parley_send_seconds Time.\n"
    "# TYPE parley_send_seconds histogram\n"
    "parley_send_seconds_bucket{direction=\"in\",le=\"0.1\"} 2\n"
    "parley_send_seconds_bucket{direction=\"in\",le=\"1\"} 2\n"
    "parley_send_seconds_bucket{direction=\"in\",le=\"2.5\"} 3\n"
    "parley_send_seconds_bucket{direction=\"in\",le=\"+Inf\"} 4\n"
    "parley_send_seconds_sum{direction=\"in\"} 12.65\n"
    "parley_send_seconds_count{direction=\"in\"} 4\n"
    "parley_send_seconds_bucket{direction=\"out\",le=\"0.1\"} 0\n"
    "parley_send_seconds_bucket{direction=\"out\",le=\"1\"} 0\n"
    "parley_send_seconds_bucket{direction=\"out\",le=\"2.5\"} 0\n"
    "parley_send_seconds_bucket{direction=\"out\",le=\"+Inf\"} 0\n"
    "parley_send_seconds_sum{direction=\"out\"} 0\n"
    "parley_send_seconds_count{direction=\"out\"} 0\n"
    "# HELP parley_results_total Results.\n"
    "# TYPE parley_results_total counter\n"
    "parley_results_total{direction=\"in\",result=\"ok\"} 0\n"
    "parley_results_total{direction=\"in\",result=\"say \\\"no\\\"\\\\\\n\"} 0\n"
    "parley_results_total{direction=\"out\",result=\"ok\"} 0\n"
    "parley_results_total{direction=\"out\",result=\"say \\\"no\\\"\\\\\\n\"} 1\n";

static void test_text(void **state) {
    (void)state;
    metrics_t *m = metrics_new(defs, COUNT);
    metrics_increment(m, MESSAGES, 0);
    metrics_add(m, MESSAGES, 0, 2);
    metrics_set(m, MESSAGES, 1, 9007199254740991.0);
    metrics_add(m, SOCKETS, 0, 1);
    metrics_set(m, SOCKETS, 0, 0.5);
    metrics_add(m, SOCKETS, 0, -2);
    /* 0.1 itself is still in the first bucket, what is above all only in +Inf. */
    metrics_observe(m, LATENCY, 0, 0.1);
    metrics_observe(m, LATENCY, 0, 0.05);
    metrics_observe(m, LATENCY, 0, 2.5);
    metrics_observe(m, LATENCY, 0, 10);
    metrics_increment(m, RESULTS, metrics_series(m, RESULTS, 1, 1));
    assert_int_equal(metrics_series(m, MESSAGES, 1, 0), 1);
    assert_true(metrics_value(m, MESSAGES, 0) == 3);
    assert_true(metrics_value(m, LATENCY, 0) == 4);
    strbuf_t text = {0};
    metrics_write(m, &text);
    assert_string_equal(strbuf_cstr(&text), expected);
    strbuf_fini(&text);
    metrics_free(&m);
    assert_null(m);
    metrics_free(&m);
}

static void test_shared_buckets_rise(void **state) {
    (void)state;
    const double *lists[] = {metrics_latency_buckets, metrics_size_buckets};
    for (size_t i = 0; i < 2; i++) {
        assert_true(lists[i][0] > 0);
        for (size_t j = 1; lists[i][j] > 0; j++)
            assert_true(lists[i][j] > lists[i][j - 1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text),
                                       cmocka_unit_test(test_shared_buckets_rise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
