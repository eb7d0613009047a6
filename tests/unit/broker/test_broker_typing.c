#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/peers.h"

typedef struct {
    users_t *users;
    rooms_t *rooms;
    typing_t *typing;
    peer_t gateway;
} fixture_t;

static void init(fixture_t *self, size_t max_rooms, size_t max_entries) {
    rooms_limits_t rooms = {.max_rooms = max_rooms, .max_memberships_per_gateway = 10};
    typing_limits_t typing = {.max_entries = max_entries, .timeout_ms = 5000};
    *self = (fixture_t){.users = users_new()};
    self->rooms = rooms_new(&rooms, self->users);
    self->typing = typing_new(&typing, self->users, self->rooms);
}

static void fini(fixture_t *self) {
    while (self->gateway.typing)
        typing_end(self->typing, self->gateway.typing);
    typing_free(&self->typing);
    rooms_free(&self->rooms);
    users_free(&self->users);
}

static err_t type(fixture_t *self, const char *room, const char *user, uint64_t session,
                  int64_t now_ms) {
    rooms_join_t who = {.room = str_from(room), .user = str_from(user), .session = session};
    return typing_start(self->typing, &self->gateway, &who, now_ms);
}

static void indicators_expire_by_age_of_their_refresh(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10);
    assert_int_equal(type(&f, "conv_1_2", "1", 5, 0), OK);
    assert_int_equal(type(&f, "conv_1_2", "2", 6, 1000), OK);
    assert_int_equal(type(&f, "conv_1_2", "1", 5, 2000), OK);
    assert_int_equal(typing_count(f.typing), 2);
    assert_null(typing_expired(f.typing, 5999));
    typing_entry_t *first = typing_expired(f.typing, 6000);
    assert_int_equal(first->key.session, 6);
    typing_end(f.typing, first);
    assert_null(typing_expired(f.typing, 6999));
    typing_end(f.typing, typing_expired(f.typing, 7000));
    assert_int_equal(typing_count(f.typing), 0);
    assert_int_equal(rooms_count(f.rooms), 0);
    fini(&f);
}

static void last_session_of_a_user_is_known(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10);
    assert_int_equal(type(&f, "conv_1_2", "1", 5, 0), OK);
    assert_int_equal(type(&f, "conv_1_2", "2", 6, 0), OK);
    assert_int_equal(type(&f, "conv_1_2", "1", 7, 0), OK);
    room_t *room = rooms_find(f.rooms, STR("conv_1_2"));
    typing_entry_t *five = typing_find(f.typing, room, &f.gateway, 5);
    assert_false(typing_is_last_of_user(five));
    assert_true(typing_is_last_of_user(typing_find(f.typing, room, &f.gateway, 6)));
    assert_ptr_equal(typing_of_user(room, five->user), five);
    typing_end(f.typing, five);
    assert_true(typing_is_last_of_user(typing_find(f.typing, room, &f.gateway, 7)));
    assert_null(typing_find(f.typing, room, &f.gateway, 5));
    fini(&f);
}

static void indicators_and_their_rooms_have_limits(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 1, 2);
    assert_int_equal(type(&f, "conv_1_2", "1", 5, 0), OK);
    assert_int_equal(type(&f, "conv_1_3", "1", 5, 0), ERR_LIMIT);
    assert_int_equal(type(&f, "conv_1_2", "1", 6, 0), OK);
    assert_int_equal(type(&f, "conv_1_2", "1", 7, 0), ERR_LIMIT);
    assert_int_equal(type(&f, "conv_1_2", "1", 6, 0), OK);
    assert_int_equal(type(&f, "conv_1_2", "2", 6, 0), ERR_EXISTS);
    assert_int_equal(typing_count(f.typing), 2);
    fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indicators_expire_by_age_of_their_refresh),
        cmocka_unit_test(last_session_of_a_user_is_known),
        cmocka_unit_test(indicators_and_their_rooms_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
