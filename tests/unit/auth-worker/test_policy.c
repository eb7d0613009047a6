/* policy: who may register, and with what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth-worker/policy.h"
#include "common/ids.h"

static policy_registration_t good(void) {
    return (policy_registration_t){.id = STR("ann"),
                                   .name = STR("Ann"),
                                   .password = STR("correct horse"),
                                   .role = STR("customer"),
                                   .idempotency_key = STR("k-1")};
}

static void test_allowed(void **state) {
    (void)state;
    policy_registration_t registration = good();
    assert_int_equal(policy_check_registration(true, &registration), POLICY_ALLOWED);
    registration.id = STR("");
    assert_int_equal(policy_check_registration(true, &registration), POLICY_ALLOWED);
    registration.role = STR("Service");
    assert_int_equal(policy_check_registration(true, &registration), POLICY_ALLOWED);
}

static void test_closed_comes_first(void **state) {
    (void)state;
    policy_registration_t registration = {.role = STR("service")};
    assert_int_equal(policy_check_registration(false, &registration), POLICY_CLOSED);
}

static void test_each_rule(void **state) {
    (void)state;
    policy_registration_t registration = good();
    registration.role = STR("service");
    assert_int_equal(policy_check_registration(true, &registration), POLICY_FORBIDDEN_ROLE);
    registration = good();
    registration.role = STR("");
    assert_int_equal(policy_check_registration(true, &registration), POLICY_BAD_ROLE);
    registration = good();
    registration.id = STR("a_b");
    assert_int_equal(policy_check_registration(true, &registration), POLICY_BAD_ID);
    registration = good();
    registration.name = STR("");
    assert_int_equal(policy_check_registration(true, &registration), POLICY_BAD_NAME);
    registration = good();
    registration.password = STR("seven77");
    assert_int_equal(policy_check_registration(true, &registration), POLICY_BAD_PASSWORD);
    registration = good();
    registration.idempotency_key = STR("");
    assert_int_equal(policy_check_registration(true, &registration), POLICY_BAD_KEY);
    registration.idempotency_key = STR("a\x01");
    assert_int_equal(policy_check_registration(true, &registration), POLICY_BAD_KEY);
}

static void test_key_length(void **state) {
    (void)state;
    char key[POLICY_KEY_MAX_BYTES + 1];
    policy_registration_t registration = good();
    memset(key, 'k', sizeof(key));
    registration.idempotency_key = (str_t){key, POLICY_KEY_MAX_BYTES};
    assert_int_equal(policy_check_registration(true, &registration), POLICY_ALLOWED);
    registration.idempotency_key = (str_t){key, sizeof(key)};
    assert_int_equal(policy_check_registration(true, &registration), POLICY_BAD_KEY);
}

static void test_password(void **state) {
    (void)state;
    char password[POLICY_PASSWORD_MAX_BYTES + 1];
    memset(password, 'p', sizeof(password));
    assert_true(policy_password_valid((str_t){password, POLICY_PASSWORD_MIN_BYTES}));
    assert_false(policy_password_valid((str_t){password, POLICY_PASSWORD_MIN_BYTES - 1}));
    assert_true(policy_password_valid((str_t){password, POLICY_PASSWORD_MAX_BYTES}));
    assert_false(policy_password_valid((str_t){password, POLICY_PASSWORD_MAX_BYTES + 1}));
    assert_false(policy_password_valid(STR("nul\0inside")));
    assert_false(policy_password_valid(STR("not utf-8 \xff")));
    assert_true(policy_password_valid(STR("        ")));
}

static void test_messages(void **state) {
    (void)state;
    for (policy_result_t result = POLICY_CLOSED; result <= POLICY_BAD_KEY; result++)
        assert_true(strlen(policy_message(result)) > 0);
}

static void test_made_id(void **state) {
    (void)state;
    char one[POLICY_MADE_ID_BYTES + 1], again[POLICY_MADE_ID_BYTES + 1],
        other[POLICY_MADE_ID_BYTES + 1];
    policy_make_id(STR("key-1"), one);
    policy_make_id(STR("key-1"), again);
    policy_make_id(STR("key-2"), other);
    assert_string_equal(one, again);
    assert_string_not_equal(one, other);
    assert_true(ids_is_user(str_from(one)));
    assert_int_equal(strlen(one), POLICY_MADE_ID_BYTES);
    assert_int_equal(one[14], '8');
    assert_non_null(strchr("89ab", one[19]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowed),   cmocka_unit_test(test_closed_comes_first),
        cmocka_unit_test(test_each_rule), cmocka_unit_test(test_key_length),
        cmocka_unit_test(test_password),  cmocka_unit_test(test_messages),
        cmocka_unit_test(test_made_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
