/* seen_users: what is remembered, for how long, of how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "rest/seen_users.h"

static void test_knows(void **state) {
    (void)state;
    seen_users_t *seen = seen_users_new(10, 1000);
    assert_false(seen_users_knows(seen, STR("1"), STR("A"), STR("r"), 0));
    seen_users_note(seen, STR("1"), STR("A"), STR("r"), 0);
    assert_true(seen_users_knows(seen, STR("1"), STR("A"), STR("r"), 999));
    assert_false(seen_users_knows(seen, STR("1"), STR("B"), STR("r"), 1));
    assert_false(seen_users_knows(seen, STR("1"), STR("A"), STR(""), 1));
    assert_false(seen_users_knows(seen, STR("2"), STR("A"), STR("r"), 1));
    assert_false(seen_users_knows(seen, STR("1"), STR("A"), STR("r"), 1000));
    assert_int_equal(seen_users_count(seen), 0);
    seen_users_free(&seen);
    assert_null(seen);
}

static void test_noted_again(void **state) {
    (void)state;
    seen_users_t *seen = seen_users_new(10, 1000);
    seen_users_note(seen, STR("1"), STR("A"), STR(""), 0);
    seen_users_note(seen, STR("1"), STR("B"), STR(""), 500);
    assert_int_equal(seen_users_count(seen), 1);
    assert_true(seen_users_knows(seen, STR("1"), STR("B"), STR(""), 1400));
    seen_users_free(&seen);
}

static void test_limit(void **state) {
    (void)state;
    seen_users_t *seen = seen_users_new(3, 1000);
    char user[8];
    for (int i = 0; i < 5; i++) {
        snprintf(user, sizeof(user), "%d", i);
        seen_users_note(seen, str_from(user), STR(""), STR(""), i);
        assert_true(seen_users_count(seen) <= 3);
    }
    assert_false(seen_users_knows(seen, STR("1"), STR(""), STR(""), 5));
    assert_true(seen_users_knows(seen, STR("2"), STR(""), STR(""), 5));
    assert_true(seen_users_knows(seen, STR("4"), STR(""), STR(""), 5));
    seen_users_free(&seen);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knows),
        cmocka_unit_test(test_noted_again),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
