/* ratelimit: burst, refill, retry times, and the table's limit and forgetting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/ratelimit.h"

static const ratelimit_rate_t ten_a_second = {.burst = 3, .count = 10, .per_ms = 1000};

static void test_burst_and_refill(void **state) {
    (void)state;
    ratelimit_bucket_t bucket = {0};
    int64_t retry = -1;
    for (int i = 0; i < 3; i++)
        assert_true(ratelimit_take(&bucket, &ten_a_second, 1, 5000, &retry));
    assert_int_equal(retry, -1);
    assert_false(ratelimit_take(&bucket, &ten_a_second, 1, 5000, &retry));
    assert_int_equal(retry, 100);
    assert_false(ratelimit_take(&bucket, &ten_a_second, 2, 5099, &retry));
    assert_int_equal(retry, 101);
    assert_false(ratelimit_take(&bucket, &ten_a_second, 1, 5099, &retry));
    assert_true(ratelimit_take(&bucket, &ten_a_second, 1, 5100, &retry));
    assert_false(ratelimit_take(&bucket, &ten_a_second, 1, 5100, &retry));
    /* However long it rests, no more than the burst gathers. */
    for (int i = 0; i < 3; i++)
        assert_true(ratelimit_take(&bucket, &ten_a_second, 1, 1000000, &retry));
    assert_false(ratelimit_take(&bucket, &ten_a_second, 1, 1000000, &retry));
}

/* The retry time is exact: a millisecond earlier is refused, at it one is let through. */
static void test_retry_is_exact(void **state) {
    (void)state;
    ratelimit_rate_t rate = {.burst = 1, .count = 7, .per_ms = 60000};
    ratelimit_bucket_t bucket = {0};
    int64_t now = 1, retry = 0;
    for (int i = 0; i < 100; i++) {
        assert_true(ratelimit_take(&bucket, &rate, 1, now, &retry));
        assert_false(ratelimit_take(&bucket, &rate, 1, now, &retry));
        int64_t next = now + retry;
        assert_false(ratelimit_take(&bucket, &rate, 1, next - 1, &retry));
        assert_int_equal(retry, 1);
        now = next;
    }
    assert_in_range(now, 100 * 60000 / 7, 100 * 60000 / 7 + 101);
}

static void test_cost(void **state) {
    (void)state;
    ratelimit_bucket_t bucket = {0};
    int64_t retry = 0;
    assert_true(ratelimit_take(&bucket, &ten_a_second, 100, 0, &retry));
    assert_false(ratelimit_take(&bucket, &ten_a_second, 100, 0, &retry));
    assert_int_equal(retry, 300);
    assert_true(ratelimit_take(&bucket, &ten_a_second, 100, 300, &retry));
}

static bool take(ratelimit_table_t *table, const char *name, int64_t now_ms) {
    int64_t retry = 0;
    return ratelimit_table_take(table, str_from(name), 1, now_ms, &retry);
}

static void test_table(void **state) {
    (void)state;
    ratelimit_table_t *table = ratelimit_table_new(&ten_a_second, 100);
    for (int i = 0; i < 3; i++)
        assert_true(take(table, "a", 1000));
    assert_false(take(table, "a", 1000));
    assert_true(take(table, "b", 1000));
    assert_int_equal(ratelimit_table_size(table), 2);
    ratelimit_table_give_back(table, STR("a"), 1);
    assert_true(take(table, "a", 1000));
    assert_false(take(table, "a", 1000));
    ratelimit_table_give_back(table, STR("nobody"), 1);
    /* Full again after 300 ms at the latest: forgotten on the next use. */
    assert_true(take(table, "c", 1300));
    assert_int_equal(ratelimit_table_size(table), 1);
    ratelimit_table_free(&table);
    assert_null(table);
    ratelimit_table_free(&table);
}

static void test_table_limit(void **state) {
    (void)state;
    ratelimit_table_t *table = ratelimit_table_new(&ten_a_second, 10);
    char name[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        assert_true(take(table, name, 1000));
        assert_true(ratelimit_table_size(table) <= 10);
    }
    assert_int_equal(ratelimit_table_size(table), 10);
    /* The ten used last are still known, and using one keeps it. */
    assert_true(take(table, "n990", 1000));
    assert_true(take(table, "n990", 1000));
    assert_false(take(table, "n990", 1000));
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        assert_true(take(table, name, 1000));
    }
    assert_false(take(table, "n990", 1000));
    ratelimit_table_free(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_and_refill),
        cmocka_unit_test(test_retry_is_exact),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_table_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
