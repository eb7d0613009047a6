#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/users.h"

static void record_is_shared_until_the_last_lets_go(void **state) {
    (void)state;
    users_t *users = users_new();
    user_t *first = users_hold(users, STR("alice"));
    user_t *second = users_hold(users, STR("alice"));
    user_t *other = users_hold(users, STR("alic"));
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, other);
    assert_true(str_eq(user_id(first), STR("alice")));
    assert_int_equal(users_count(users), 2);
    users_release(users, first);
    assert_ptr_equal(users_find(users, STR("alice")), second);
    users_release(users, second);
    assert_null(users_find(users, STR("alice")));
    users_release(users, other);
    assert_int_equal(users_count(users), 0);
    users_free(&users);
    assert_null(users);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(record_is_shared_until_the_last_lets_go)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
