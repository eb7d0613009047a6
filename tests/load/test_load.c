#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/load/histogram.h"
#include "tests/load/ledger.h"

static void test_percentiles_are_near(void **state) {
    (void)state;
    static histogram_t histogram, other;
    for (int64_t us = 1; us <= 50000; us++)
        histogram_add(&histogram, us * 1000);
    for (int64_t us = 50001; us <= 100000; us++)
        histogram_add(&other, us * 1000);
    histogram_merge(&histogram, &other);
    assert_int_equal(histogram.count, 100000);
    assert_in_range(histogram_percentile(&histogram, 0.5), 50000000, 50400000);
    assert_in_range(histogram_percentile(&histogram, 0.99), 99000000, 99800000);
    assert_int_equal(histogram_percentile(&histogram, 1), 100000000);
}

static void test_extremes_have_a_place(void **state) {
    (void)state;
    static histogram_t histogram;
    assert_int_equal(histogram_percentile(&histogram, 0.5), 0);
    histogram_add(&histogram, -5);
    histogram_add(&histogram, INT64_MAX);
    assert_int_equal(histogram_percentile(&histogram, 0), 0);
    assert_int_equal(histogram.max_ns, INT64_MAX);
}

static void test_all_in_order(void **state) {
    (void)state;
    ledger_t ledger;
    ledger_init(&ledger, 7);
    for (uint64_t seq = 8; seq < 5000; seq++) {
        if (seq % 3)
            ledger_event(&ledger, seq);
        else
            ledger_own(&ledger, seq);
    }
    ledger_close(&ledger, 4999);
    assert_int_equal(ledger.lost + ledger.doubled + ledger.out_of_order, 0);
}

/* Acknowledgements and others' messages may overtake each other. */
static void test_own_messages_may_overtake(void **state) {
    (void)state;
    ledger_t ledger;
    ledger_init(&ledger, 0);
    ledger_own(&ledger, 2);
    ledger_event(&ledger, 1);
    ledger_event(&ledger, 4);
    ledger_own(&ledger, 3);
    ledger_close(&ledger, 4);
    assert_int_equal(ledger.lost + ledger.doubled + ledger.out_of_order, 0);
}

static void test_faults_are_counted(void **state) {
    (void)state;
    ledger_t ledger;
    ledger_init(&ledger, 0);
    const uint64_t seqs[] = {1, 2, 2, 5, 4, 9, 1}; /* 3, 6, 7, 8 are lost */
    for (size_t i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++)
        ledger_event(&ledger, seqs[i]);
    ledger_close(&ledger, 10); /* and 10 */
    assert_int_equal(ledger.doubled, 2);
    assert_int_equal(ledger.out_of_order, 1);
    assert_int_equal(ledger.lost, 5);
}

static void test_a_wide_gap_is_lost(void **state) {
    (void)state;
    ledger_t ledger;
    ledger_init(&ledger, 10);
    ledger_event(&ledger, 12); /* without 11 */
    ledger_event(&ledger, 100000);
    ledger_event(&ledger, 100001);
    ledger_close(&ledger, 100001);
    assert_int_equal(ledger.lost, 1 + 100000 - 13);
    assert_int_equal(ledger.doubled + ledger.out_of_order, 0);
    ledger_event(&ledger, 11);
    assert_int_equal(ledger.doubled, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentiles_are_near),
        cmocka_unit_test(test_extremes_have_a_place),
        cmocka_unit_test(test_all_in_order),
        cmocka_unit_test(test_own_messages_may_overtake),
        cmocka_unit_test(test_faults_are_counted),
        cmocka_unit_test(test_a_wide_gap_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
