/* seen: remembers, forgets the least recently used, stays within its bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "persist-worker/seen.h"

static void test_remembers(void **state) {
    (void)state;
    seen_t *seen = seen_new(2);
    uint64_t number = 0;
    assert_false(seen_find(seen, STR("a"), &number));
    seen_put(seen, STR("a"), 1);
    seen_put(seen, STR("b"), 2);
    seen_put(seen, STR("a"), 3);
    assert_true(seen_find(seen, STR("a"), &number));
    assert_int_equal(number, 3);
    assert_int_equal(seen_count(seen), 2);
    assert_true(seen_find(seen, STR("b"), &number));
    seen_put(seen, STR("c"), 4); /* a was used longer ago */
    assert_int_equal(seen_count(seen), 2);
    assert_false(seen_find(seen, STR("a"), &number));
    assert_true(seen_find(seen, STR("b"), &number));
    seen_forget(seen, STR("nobody"));
    seen_forget(seen, STR("b"));
    assert_false(seen_find(seen, STR("b"), &number));
    assert_int_equal(seen_count(seen), 1);
    seen_clear(seen);
    assert_int_equal(seen_count(seen), 0);
    seen_put(seen, STR("c"), 4);
    seen_free(&seen);
    assert_null(seen);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_remembers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
