/* timeouts: ordered lists of equal time-outs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/socketio/timeouts.h"

static void test_order(void **state) {
    (void)state;
    timeout_list_t list = {0};
    timeout_t a = {0}, b = {0}, c = {0};
    assert_true(timeout_first(&list) == TIMEOUT_NONE);
    timeout_set(&b, &list, 20);
    timeout_set(&c, &list, 30);
    timeout_set(&a, &list, 10);
    assert_true(timeout_first(&list) == 10);
    assert_null(timeout_pop_due(&list, 9));
    assert_ptr_equal(timeout_pop_due(&list, 25), &a);
    assert_ptr_equal(timeout_pop_due(&list, 25), &b);
    assert_null(timeout_pop_due(&list, 25));
    assert_ptr_equal(timeout_pop_due(&list, 30), &c);
    assert_null(list.head);
    assert_null(list.tail);
}

static void test_equal_times_keep_their_order(void **state) {
    (void)state;
    timeout_list_t list = {0};
    timeout_t a = {0}, b = {0};
    timeout_set(&a, &list, 5);
    timeout_set(&b, &list, 5);
    assert_ptr_equal(timeout_pop_due(&list, 5), &a);
    assert_ptr_equal(timeout_pop_due(&list, 5), &b);
}

static void test_moves_between_lists(void **state) {
    (void)state;
    timeout_list_t one = {0}, other = {0};
    timeout_t a = {0}, b = {0};
    timeout_set(&a, &one, 1);
    timeout_set(&b, &one, 2);
    timeout_set(&a, &other, 3);
    assert_ptr_equal(one.head, &b);
    assert_ptr_equal(other.tail, &a);
    timeout_clear(&b);
    timeout_clear(&b);
    assert_null(one.head);
    assert_null(one.tail);
    timeout_clear(&a);
    assert_null(other.head);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_equal_times_keep_their_order),
        cmocka_unit_test(test_moves_between_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
