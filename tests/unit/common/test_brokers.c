/* The list of brokers and rendezvous hashing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/brokers.h"
#include "common/strbuf.h"

static brokers_t *list(const char *endpoints) {
    brokers_t *self = NULL;
    const char *why = NULL;
    assert_int_equal(brokers_new(str_from(endpoints), &self, &why), OK);
    return self;
}

static void test_refuses(void **state) {
    (void)state;
    static const char *const bad[] = {"", ",", "tcp://a:1,", "http://a:1", "tcp://a:1,tcp://a:1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        brokers_t *self = NULL;
        const char *why = NULL;
        assert_int_equal(brokers_new(str_from(bad[i]), &self, &why), ERR_INVALID);
        assert_non_null(why);
        assert_null(self);
    }
    strbuf_t many = {0};
    for (int i = 0; i <= BROKERS_MAX; i++)
        strbuf_printf(&many, "%stcp://b:%d", i ? "," : "", i + 1);
    brokers_t *self = NULL;
    const char *why = NULL;
    assert_int_equal(brokers_new(strbuf_str(&many), &self, &why), ERR_INVALID);
    strbuf_fini(&many);
}

static size_t room_endpoint(const brokers_t *self, int room, const char **endpoint_out) {
    char name[32];
    int n = snprintf(name, sizeof(name), "conv_%d_%d", room, room + 1);
    size_t index = brokers_of_room(self, (str_t){name, (size_t)n});
    *endpoint_out = brokers_endpoint(self, index);
    return index;
}

static void test_rooms_spread_and_stay(void **state) {
    (void)state;
    brokers_t *two = list("tcp://a:1,tcp://b:1");
    brokers_t *swapped = list("tcp://b:1,tcp://a:1");
    brokers_t *three = list("tcp://a:1,tcp://b:1,tcp://c:1");
    assert_true(brokers_digest(two) == brokers_digest(swapped));
    assert_true(brokers_digest(two) != brokers_digest(three));
    size_t on_first = 0, moved = 0;
    for (int room = 0; room < 3000; room++) {
        const char *in_two, *in_swapped, *in_three;
        on_first += room_endpoint(two, room, &in_two) == 0;
        room_endpoint(swapped, room, &in_swapped);
        room_endpoint(three, room, &in_three);
        assert_string_equal(in_two, in_swapped);
        if (strcmp(in_two, in_three) != 0) {
            assert_string_equal(in_three, "tcp://c:1"); /* only to the new one */
            moved++;
        }
    }
    assert_in_range(on_first, 1300, 1700);
    assert_in_range(moved, 800, 1200);
    assert_int_equal(brokers_find(three, STR("tcp://c:1")), 2);
    assert_int_equal(brokers_find(two, STR("tcp://c:1")), 2);
    brokers_free(&two);
    brokers_free(&swapped);
    brokers_free(&three);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_rooms_spread_and_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
