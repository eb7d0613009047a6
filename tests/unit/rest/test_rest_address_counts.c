/* address_counts: the limit on connections of one address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest/address_counts.h"

static void test_limit(void **state) {
    (void)state;
    address_counts_t *counts = address_counts_new(2);
    client_address_t one = {{1}}, two = {{2}};
    assert_true(address_counts_take(counts, &one));
    assert_true(address_counts_take(counts, &one));
    assert_false(address_counts_take(counts, &one));
    assert_true(address_counts_take(counts, &two));
    assert_int_equal(address_counts_addresses(counts), 2);
    address_counts_give_back(counts, &one);
    assert_true(address_counts_take(counts, &one));
    address_counts_give_back(counts, &one);
    address_counts_give_back(counts, &one);
    assert_int_equal(address_counts_addresses(counts), 1);
    address_counts_give_back(counts, &two);
    assert_int_equal(address_counts_addresses(counts), 0);
    address_counts_free(&counts);
    assert_null(counts);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
