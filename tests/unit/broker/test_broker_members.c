#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/members.h"

static void order_does_not_matter_and_twice_counts_once(void **state) {
    (void)state;
    char late[] = "10";
    str_t ids[] = {STR("9"), {late, 2}, STR("1"), STR("9")};
    members_t *members = members_new(ids, 4);
    memset(late, 'x', 2);
    assert_int_equal(members_count(members), 3);
    assert_true(members_contain(members, STR("1")));
    assert_true(members_contain(members, STR("10")));
    assert_true(members_contain(members, STR("9")));
    assert_false(members_contain(members, STR("")));
    assert_false(members_contain(members, STR("99")));
    assert_false(members_contain(members, STR("xx")));
    assert_true(members_bytes(members) >= 4 * sizeof(str_t) + 5);
    members_free(&members);
    assert_null(members);
}

static void empty_set_holds_nobody(void **state) {
    (void)state;
    members_t *members = members_new(NULL, 0);
    assert_int_equal(members_count(members), 0);
    assert_false(members_contain(members, STR("1")));
    members_free(&members);
}

static void change_takes_out_and_adds(void **state) {
    (void)state;
    str_t ids[] = {STR("1"), STR("2"), STR("3")};
    str_t added[] = {STR("4"), STR("3")};
    str_t removed[] = {STR("1"), STR("7")};
    members_t *before = members_new(ids, 3);
    members_t *after = members_changed(before, added, 2, removed, 2);
    assert_int_equal(members_count(after), 3);
    assert_false(members_contain(after, STR("1")));
    assert_true(members_contain(after, STR("4")));
    assert_int_equal(members_count(before), 3);
    members_t *same = members_changed(after, NULL, 0, NULL, 0);
    assert_int_equal(members_count(same), 3);
    members_free(&before);
    members_free(&after);
    members_free(&same);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_does_not_matter_and_twice_counts_once),
        cmocka_unit_test(empty_set_holds_nobody),
        cmocka_unit_test(change_takes_out_and_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
