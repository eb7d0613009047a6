/* rates: both buckets count, and off is off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/rates.h"

static const rates_t rates = {
    .on = true,
    .socket =
        {[RATE_SEND] = {2, 1, 1000}, [RATE_TYPING] = {1, 1, 1000}, [RATE_REQUEST] = {1, 1, 1000}},
    .user =
        {[RATE_SEND] = {3, 1, 1000}, [RATE_TYPING] = {1, 1, 1000}, [RATE_REQUEST] = {1, 1, 1000}},
};

static void test_both_count(void **state) {
    (void)state;
    rate_buckets_t one = {0}, two = {0}, user = {0};
    int64_t retry = 0;
    assert_true(rates_take(&rates, &one, &user, RATE_SEND, 1000, &retry));
    assert_true(rates_take(&rates, &one, &user, RATE_SEND, 1000, &retry));
    assert_false(rates_take(&rates, &one, &user, RATE_SEND, 1000, &retry));
    assert_int_equal(retry, 1000);
    assert_true(rates_take(&rates, &two, &user, RATE_SEND, 1000, &retry));
    assert_false(rates_take(&rates, &two, &user, RATE_SEND, 1500, &retry));
    assert_int_equal(retry, 500);
    assert_true(rates_take(&rates, &one, &user, RATE_TYPING, 1000, &retry));
    assert_false(rates_take(&rates, &two, &user, RATE_TYPING, 1000, &retry));
}

static void test_off(void **state) {
    (void)state;
    rates_t off = rates;
    rate_buckets_t socket = {0}, user = {0};
    int64_t retry = 0;
    off.on = false;
    for (int i = 0; i < 1000; i++)
        assert_true(rates_take(&off, &socket, &user, RATE_SEND, 0, &retry));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_count),
        cmocka_unit_test(test_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
