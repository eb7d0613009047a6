/* attempts: neither one account nor one address can be used to guess without end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth-worker/attempts.h"
#include "common/strbuf.h"

static const attempts_settings_t settings = {
    .account = {.burst = 3, .count = 1, .per_ms = 10000},
    .address = {.burst = 5, .count = 1, .per_ms = 1000},
    .max_entries = 100,
};

static bool take(attempts_t *attempts, const char *account, const char *address, int64_t now_ms) {
    int64_t retry_after_ms = -1;
    bool allowed =
        attempts_take(attempts, str_from(account), str_from(address), now_ms, &retry_after_ms);
    if (!allowed)
        assert_true(retry_after_ms > 0);
    return allowed;
}

static void test_account(void **state) {
    (void)state;
    attempts_t *attempts = attempts_new(&settings);
    int64_t retry_after_ms = 0;
    assert_true(take(attempts, "ann", "10.0.0.1", 0));
    assert_true(take(attempts, "ann", "10.0.0.2", 0));
    assert_true(take(attempts, "ann", "10.0.0.3", 0));
    assert_false(attempts_take(attempts, STR("ann"), STR("10.0.0.4"), 0, &retry_after_ms));
    assert_int_equal(retry_after_ms, 10000);
    assert_true(take(attempts, "bob", "10.0.0.4", 0));
    assert_true(take(attempts, "ann", "10.0.0.4", 10000));
    assert_false(take(attempts, "ann", "10.0.0.4", 10000));
    attempts_free(&attempts);
    assert_null(attempts);
}

static void test_address(void **state) {
    (void)state;
    attempts_t *attempts = attempts_new(&settings);
    static const char *const accounts[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++)
        assert_true(take(attempts, accounts[i], "10.0.0.1", 0));
    assert_false(take(attempts, "f", "10.0.0.1", 0));
    assert_true(take(attempts, "f", "10.0.0.2", 0));
    assert_true(take(attempts, "f", "10.0.0.1", 1000));
    attempts_free(&attempts);
}

/* Being refused for the account costs the address nothing. */
static void test_refusal_costs_nothing(void **state) {
    (void)state;
    attempts_t *attempts = attempts_new(&settings);
    for (int i = 0; i < 3; i++)
        assert_true(take(attempts, "ann", "10.0.0.1", 0));
    for (int i = 0; i < 50; i++)
        assert_false(take(attempts, "ann", "10.0.0.1", 0));
    assert_true(take(attempts, "bob", "10.0.0.1", 0));
    assert_true(take(attempts, "bob", "10.0.0.1", 0));
    assert_false(take(attempts, "bob", "10.0.0.1", 0));
    attempts_free(&attempts);
}

static void test_success_gives_back(void **state) {
    (void)state;
    attempts_t *attempts = attempts_new(&settings);
    for (int i = 0; i < 100; i++) {
        assert_true(take(attempts, "ann", "10.0.0.1", 0));
        attempts_give_back(attempts, STR("ann"), STR("10.0.0.1"));
    }
    attempts_free(&attempts);
}

static void test_address_forms(void **state) {
    (void)state;
    attempts_t *attempts = attempts_new(&settings);
    static const char *const one_network[] = {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9",
                                              "2001:db8:1:2::2", "2001:DB8:1:2::3",
                                              "2001:db8:1:2::4"};
    for (size_t i = 0; i < 5; i++)
        assert_true(take(attempts, "", one_network[i], 0));
    assert_false(take(attempts, "", "2001:db8:1:2::5", 0));
    assert_true(take(attempts, "", "2001:db8:1:3::5", 0));
    for (int i = 0; i < 5; i++)
        assert_true(take(attempts, "", "::ffff:10.0.0.9", 0));
    assert_false(take(attempts, "", "10.0.0.9", 0));
    assert_true(take(attempts, "", "::ffff:10.0.0.8", 0));
    for (int i = 0; i < 5; i++)
        assert_true(take(attempts, "", "", 0));
    assert_false(take(attempts, "", "", 0));
    attempts_free(&attempts);
}

static void test_bounded(void **state) {
    (void)state;
    attempts_t *attempts = attempts_new(&settings);
    strbuf_t name = {0};
    for (int i = 0; i < 10000; i++) {
        strbuf_clear(&name);
        strbuf_printf(&name, "10.%d.%d.1", i / 256, i % 256);
        assert_true(take(attempts, strbuf_cstr(&name), strbuf_cstr(&name), 0));
    }
    assert_true(attempts_entries(attempts) <= 2 * settings.max_entries);
    strbuf_fini(&name);
    attempts_free(&attempts);
}

static void test_off(void **state) {
    (void)state;
    attempts_settings_t off = settings;
    off.off = true;
    attempts_t *attempts = attempts_new(&off);
    for (int i = 0; i < 100; i++)
        assert_true(take(attempts, "ann", "10.0.0.1", 0));
    attempts_give_back(attempts, STR("ann"), STR("10.0.0.1"));
    assert_int_equal(attempts_entries(attempts), 0);
    attempts_free(&attempts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_account),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_refusal_costs_nothing),
        cmocka_unit_test(test_success_gives_back),
        cmocka_unit_test(test_address_forms),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
