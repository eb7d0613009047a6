/* sessions: users and addresses counted, limits kept, everything let go of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/sessions.h"

static session_t *add(sessions_t *sessions, const char *user, const char *name,
                      const char *address_text, bool *changed) {
    address_t *address = sessions_take_address(sessions, str_from(address_text));
    sessions_identity_t who = {str_from(user), str_from(name), STR("customer")};
    session_t *session = address ? sessions_add(sessions, &who, &address, changed) : NULL;
    sessions_give_back_address(sessions, &address);
    return session;
}

static void test_users_live_with_their_sessions(void **state) {
    (void)state;
    sessions_t *sessions = sessions_new(&(sessions_limits_t){0});
    bool changed = false;
    session_t *one = add(sessions, "a", "A", "1.1.1.1", &changed);
    assert_true(changed);
    session_t *two = add(sessions, "a", "A", "1.1.1.1", &changed);
    assert_false(changed);
    session_t *three = add(sessions, "a", "B", "1.1.1.1", &changed);
    assert_true(changed);
    assert_int_equal(one->number, 1);
    assert_int_equal(three->number, 3);
    assert_ptr_equal(one->user, three->user);
    assert_string_equal(one->user->name, "B");
    assert_int_equal(sessions_user_count(sessions), 1);
    sessions_remove(sessions, one);
    sessions_remove(sessions, three);
    assert_ptr_equal(sessions_first(sessions), two);
    assert_ptr_equal(sessions_find_user(sessions, STR("a")), two->user);
    sessions_remove(sessions, two);
    assert_null(sessions_find_user(sessions, STR("a")));
    one = add(sessions, "a", "A", "1.1.1.1", &changed);
    assert_int_equal(one->number, 4); /* numbers are never used again */
    assert_true(changed);
    sessions_remove(sessions, one);
    sessions_free(&sessions);
    assert_null(sessions);
}

static void test_limits(void **state) {
    (void)state;
    sessions_t *sessions =
        sessions_new(&(sessions_limits_t){.max_per_user = 2, .max_per_address = 3});
    bool changed = false;
    session_t *one = add(sessions, "a", "A", "1.1.1.1", &changed);
    session_t *two = add(sessions, "a", "A", "1.1.1.1", &changed);
    assert_non_null(two);
    assert_null(add(sessions, "a", "A", "2.2.2.2", &changed));
    session_t *three = add(sessions, "b", "B", "1.1.1.1", &changed);
    assert_null(add(sessions, "c", "C", "1.1.1.1", &changed));
    assert_null(sessions_find_user(sessions, STR("c")));
    sessions_remove(sessions, one);
    one = add(sessions, "c", "C", "1.1.1.1", &changed);
    assert_non_null(one);
    sessions_remove(sessions, one);
    sessions_remove(sessions, two);
    sessions_remove(sessions, three);
    sessions_free(&sessions);
}

static void test_an_unknown_address_counts_too(void **state) {
    (void)state;
    sessions_t *sessions = sessions_new(&(sessions_limits_t){.max_per_address = 1});
    address_t *one = sessions_take_address(sessions, STR(""));
    assert_non_null(one);
    assert_null(sessions_take_address(sessions, STR("")));
    sessions_give_back_address(sessions, &one);
    assert_null(one);
    one = sessions_take_address(sessions, STR(""));
    assert_non_null(one);
    sessions_give_back_address(sessions, &one);
    sessions_free(&sessions);
}

static void test_only_newer_changes_are_news(void **state) {
    (void)state;
    sessions_t *sessions = sessions_new(&(sessions_limits_t){0});
    bool changed = false;
    session_t *session = add(sessions, "a", "A", "1.1.1.1", &changed);
    user_t *user = session->user;
    assert_int_equal(sessions_news(user, STR("group_1")), 0);
    assert_true(sessions_is_news(user, STR("group_1"), 4));
    assert_false(sessions_is_news(user, STR("group_1"), 4));
    assert_false(sessions_is_news(user, STR("group_1"), 3));
    assert_true(sessions_is_news(user, STR("group_1"), 5));
    assert_int_equal(sessions_news(user, STR("group_1")), 5);
    for (int i = 2; i <= SESSIONS_NEWS_MAX; i++) {
        char group[16];
        snprintf(group, sizeof(group), "group_%d", i);
        assert_true(sessions_is_news(user, str_from(group), 1));
    }
    assert_int_equal(sessions_news(user, STR("group_1")), 5);
    assert_true(sessions_is_news(user, STR("group_0"), 1)); /* in place of the first */
    assert_int_equal(sessions_news(user, STR("group_1")), 0);
    assert_int_equal(sessions_news(user, STR("group_2")), 1);
    sessions_remove(sessions, session);
    sessions_free(&sessions);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users_live_with_their_sessions),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_an_unknown_address_counts_too),
        cmocka_unit_test(test_only_newer_changes_are_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
