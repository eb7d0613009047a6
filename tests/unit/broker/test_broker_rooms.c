#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/peers.h"

typedef struct {
    users_t *users;
    rooms_t *rooms;
    peer_t g1, g2;
} fixture_t;

static void init(fixture_t *self, size_t max_rooms, size_t max_memberships) {
    rooms_limits_t limits = {.max_rooms = max_rooms,
                             .max_memberships_per_gateway = max_memberships};
    *self = (fixture_t){.users = users_new()};
    self->rooms = rooms_new(&limits, self->users);
}

/* Frees, which asserts that everything is empty. */
static void fini(fixture_t *self) {
    while (self->g1.rooms)
        rooms_leave(self->rooms, self->g1.rooms->members);
    while (self->g2.rooms)
        rooms_leave(self->rooms, self->g2.rooms->members);
    assert_int_equal(self->g1.memberships, 0);
    rooms_free(&self->rooms);
    users_free(&self->users);
}

static err_t join(fixture_t *self, peer_t *peer, const char *room, const char *user,
                  uint64_t session) {
    rooms_join_t who = {.room = str_from(room), .user = str_from(user), .session = session};
    membership_t *membership;
    bool created;
    return rooms_join(self->rooms, peer, &who, &membership, &created);
}

static void joining_twice_gives_the_same_membership(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10);
    rooms_join_t who = {.room = STR("conv_1_2"), .user = STR("1"), .session = 5};
    membership_t *first, *second;
    bool created;
    assert_int_equal(rooms_join(f.rooms, &f.g1, &who, &first, &created), OK);
    assert_true(created);
    assert_int_equal(rooms_join(f.rooms, &f.g1, &who, &second, &created), OK);
    assert_false(created);
    assert_ptr_equal(first, second);
    who.user = STR("2");
    assert_int_equal(rooms_join(f.rooms, &f.g1, &who, &second, &created), ERR_EXISTS);
    assert_int_equal(rooms_memberships(f.rooms), 1);
    fini(&f);
}

static void sessions_of_two_gateways_are_apart(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10);
    assert_int_equal(join(&f, &f.g1, "conv_1_2", "1", 5), OK);
    assert_int_equal(join(&f, &f.g2, "conv_1_2", "2", 5), OK);
    assert_int_equal(join(&f, &f.g2, "user_2", "2", 5), OK);
    room_t *room = rooms_find(f.rooms, STR("conv_1_2"));
    membership_t *of_g1 = rooms_member(f.rooms, room, &f.g1, 5);
    membership_t *of_g2 = rooms_member(f.rooms, room, &f.g2, 5);
    assert_true(str_eq(user_id(of_g1->user), STR("1")));
    assert_true(str_eq(user_id(of_g2->user), STR("2")));
    assert_null(rooms_member(f.rooms, room, &f.g1, 6));
    strbuf_t dump = {0};
    rooms_dump(f.rooms, &dump);
    assert_string_equal(strbuf_cstr(&dump), "conv_1_2 fanned_out=0\n"
                                            "  1 session=5\n"
                                            "  2 session=5\n"
                                            "user_2 fanned_out=0\n"
                                            "  2 session=5\n");
    strbuf_fini(&dump);
    fini(&f);
}

static void room_goes_with_its_last_member(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10);
    assert_int_equal(join(&f, &f.g1, "conv_1_2", "1", 5), OK);
    assert_int_equal(join(&f, &f.g1, "conv_1_2", "1", 6), OK);
    room_t *room = rooms_find(f.rooms, STR("conv_1_2"));
    rooms_leave(f.rooms, rooms_member(f.rooms, room, &f.g1, 5));
    assert_int_equal(rooms_count(f.rooms), 1);
    assert_int_equal(users_count(f.users), 1);
    rooms_leave(f.rooms, rooms_member(f.rooms, room, &f.g1, 6));
    assert_int_equal(rooms_count(f.rooms), 0);
    assert_int_equal(users_count(f.users), 0);
    assert_null(f.g1.rooms);
    fini(&f);
}

static void empty_room_is_kept_until_collected(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 1, 10);
    room_t *room = rooms_get(f.rooms, STR("conv_1_2"));
    assert_int_equal(room->kind, IDS_DIRECT);
    assert_null(rooms_get(f.rooms, STR("conv_1_3")));
    assert_ptr_equal(rooms_get(f.rooms, STR("conv_1_2")), room);
    rooms_collect(f.rooms, room);
    assert_int_equal(rooms_count(f.rooms), 0);
    fini(&f);
}

static void rooms_and_memberships_have_limits(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 2, 3);
    assert_int_equal(join(&f, &f.g1, "conv_1_2", "1", 1), OK);
    assert_int_equal(join(&f, &f.g1, "conv_1_3", "1", 1), OK);
    assert_int_equal(join(&f, &f.g1, "conv_1_4", "1", 1), ERR_LIMIT);
    assert_int_equal(join(&f, &f.g1, "conv_1_3", "1", 2), OK);
    assert_int_equal(join(&f, &f.g1, "conv_1_3", "1", 3), ERR_LIMIT);
    assert_int_equal(join(&f, &f.g1, "conv_1_3", "1", 2), OK);
    assert_int_equal(join(&f, &f.g2, "conv_1_3", "1", 3), OK);
    fini(&f);
}

static void many_memberships_are_found_and_taken_out(void **state) {
    (void)state;
    enum { SESSIONS = 20000 };
    fixture_t f;
    init(&f, 10, SESSIONS);
    for (uint64_t i = 1; i <= SESSIONS; i++)
        assert_int_equal(join(&f, &f.g1, i % 2 ? "conv_1_2" : "conv_1_3", "1", i), OK);
    room_t *odd = rooms_find(f.rooms, STR("conv_1_2"));
    for (uint64_t i = 1; i <= SESSIONS; i++) {
        membership_t *found = rooms_member(f.rooms, odd, &f.g1, i);
        assert_int_equal(found != NULL, i % 2);
        if (found && i > 1)
            rooms_leave(f.rooms, found);
    }
    assert_int_equal(rooms_memberships(f.rooms), SESSIONS / 2 + 1);
    fini(&f);
}

/* What a session costs: two memberships and its share of the table, beside the records of rooms and
 * users that others share. */
static void membership_is_small(void **state) {
    (void)state;
    assert_true(sizeof(membership_t) <= 56);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joining_twice_gives_the_same_membership),
        cmocka_unit_test(sessions_of_two_gateways_are_apart),
        cmocka_unit_test(room_goes_with_its_last_member),
        cmocka_unit_test(empty_room_is_kept_until_collected),
        cmocka_unit_test(rooms_and_memberships_have_limits),
        cmocka_unit_test(many_memberships_are_found_and_taken_out),
        cmocka_unit_test(membership_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
