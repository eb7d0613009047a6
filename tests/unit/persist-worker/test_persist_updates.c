/* updates: coalesced, due in time, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "persist-worker/updates.h"

static const str_t everybody = {"", 0};

static void test_coalesced(void **state) {
    (void)state;
    updates_t *updates = updates_new(100);
    const update_t *taken;
    assert_int_equal(updates_next_ms(updates), INT64_MAX);
    updates_add(updates, STR("conv_1_2"), STR("1"), 0);
    updates_add(updates, STR("conv_1_2"), everybody, 10);
    updates_add(updates, STR("conv_1_2"), STR("2"), 20); /* everybody is him, too */
    updates_add(updates, STR("conv_1_2"), everybody, 30);
    updates_add(updates, STR("conv_1_3"), everybody, 40);
    assert_int_equal(updates_count(updates), 3);
    assert_int_equal(updates_next_ms(updates), UPDATES_DELAY_MS);
    assert_int_equal(updates_take(updates, UPDATES_DELAY_MS - 1, &taken), 0);
    assert_int_equal(updates_take(updates, UPDATES_DELAY_MS + 10, &taken), 2);
    assert_true(str_eq(taken[0].conversation, STR("conv_1_2")));
    assert_true(str_eq(taken[0].user, STR("1")));
    assert_int_equal(taken[1].user.n, 0);
    updates_add(updates, STR("conv_1_2"), everybody, 300);
    assert_int_equal(updates_take(updates, 1000, &taken), 2);
    assert_true(str_eq(taken[0].conversation, STR("conv_1_3")));
    updates_free(&updates);
}

static void test_bounded(void **state) {
    (void)state;
    updates_t *updates = updates_new(600);
    const update_t *taken;
    for (int i = 0; i < 700; i++) {
        char room[32];
        snprintf(room, sizeof(room), "conv_1_%d", i + 2);
        updates_add(updates, str_from(room), everybody, 0);
    }
    assert_int_equal(updates_count(updates), 600);
    assert_int_equal(updates_dropped(updates), 100);
    assert_int_equal(updates_take(updates, 1000, &taken), UPDATES_TAKEN_MAX);
    assert_int_equal(updates_take(updates, 1000, &taken), 600 - UPDATES_TAKEN_MAX);
    updates_add(updates, STR("conv_1_2"), everybody, 0);
    updates_free(&updates);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coalesced),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
