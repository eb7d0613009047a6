/* rooms_local: members found among many, their places, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/strbuf.h"
#include "gateway/rooms_local.h"

typedef struct {
    rooms_t *rooms;
    room_t *room; /* held */
    user_t *user;
    session_t session;
    member_t *member;
    strbuf_t record;
    int64_t now_ms;
    bool claims;
} world_t;

static void deliver(void *ctx, member_t *member, room_message_t *message) {
    world_t *world = ctx;
    (void)member;
    strbuf_printf(&world->record, "%d ", (int)message->seq);
}

static bool claim(void *ctx, member_t *member, const room_message_t *message) {
    world_t *world = ctx;
    (void)member;
    if (world->claims)
        strbuf_printf(&world->record, "claim%d ", (int)message->seq);
    return world->claims;
}

static void fetch(void *ctx, room_t *room, uint64_t after) {
    world_t *world = ctx;
    (void)room;
    strbuf_printf(&world->record, "fetch%d ", (int)after);
}

static void overflow(void *ctx, member_t *member) {
    world_t *world = ctx;
    (void)member;
    strbuf_printf(&world->record, "overflow ");
}

static int64_t now_ms(void *ctx) {
    const world_t *world = ctx;
    return world->now_ms;
}

static const rooms_ops_t ops = {
    .deliver = deliver, .claim = claim, .fetch = fetch, .overflow = overflow, .now_ms = now_ms};

static void start(world_t *world, const room_joined_t *joined) {
    *world = (world_t){.session = {.number = 1}};
    world->rooms = rooms_new(3, &ops, world);
    world->room = rooms_get(world->rooms, STR("conv_a_b"), 0);
    world->member = rooms_add_member(world->rooms, world->room, &world->session);
    if (joined)
        rooms_joined(world->member, joined);
}

static void end(world_t *world) {
    rooms_remove_member(world->rooms, world->member);
    rooms_release(world->rooms, world->room);
    rooms_free(&world->rooms);
    assert_null(world->rooms);
    strbuf_fini(&world->record);
}

#define expect(world, text)                                                                        \
    do {                                                                                           \
        assert_string_equal(strbuf_cstr(&(world)->record), text);                                  \
        strbuf_clear(&(world)->record);                                                            \
    } while (0)

static void message(world_t *world, uint64_t seq) {
    rooms_message(world->rooms, world->room, &(room_message_t){.seq = seq});
}

static void test_members_among_many(void **state) {
    (void)state;
    enum { SESSIONS = 5000 };
    static session_t sessions[SESSIONS];
    world_t world;
    start(&world, NULL);
    room_t *other = rooms_get(world.rooms, STR("conv_a_c"), 1);
    for (size_t i = 0; i < SESSIONS; i++) {
        sessions[i] = (session_t){.number = i + 2};
        rooms_add_member(world.rooms, other, &sessions[i]);
    }
    assert_int_equal(rooms_member_count(world.rooms), SESSIONS + 1);
    for (size_t i = 0; i < SESSIONS; i++) {
        member_t *member = rooms_find_member(world.rooms, other, i + 2);
        assert_ptr_equal(member->session, &sessions[i]);
        assert_null(rooms_find_member(world.rooms, world.room, i + 2));
        assert_int_equal(sessions[i].member_count, 1);
        rooms_remove_member(world.rooms, member);
        assert_int_equal(sessions[i].member_count, 0);
    }
    assert_int_equal(rooms_count(world.rooms), 2); /* held */
    rooms_release(world.rooms, other);
    assert_int_equal(rooms_count(world.rooms), 1);
    end(&world);
}

static void test_limit(void **state) {
    (void)state;
    world_t world;
    start(&world, NULL);
    room_t *two = rooms_get(world.rooms, STR("conv_a_c"), 0);
    room_t *three = rooms_get(world.rooms, STR("conv_a_d"), 0);
    assert_null(rooms_get(world.rooms, STR("conv_a_e"), 0));
    assert_ptr_equal(rooms_get(world.rooms, STR("conv_a_d"), 0), three);
    rooms_release(world.rooms, three);
    rooms_release(world.rooms, three);
    rooms_release(world.rooms, two);
    end(&world);
}

static void test_places(void **state) {
    (void)state;
    static const struct {
        room_joined_t joined;
        uint64_t last;
    } cases[] = {
        {{.head = 7}, 7},
        {{.has_after = true, .after = 7, .head = 7}, 7},
        {{.has_after = true, .after = 3, .head = 7, .last_returned = 7}, 7},
        {{.has_after = true, .after = 3, .head = 7, .last_returned = 5}, 5},
        {{.has_after = true, .after = 7, .head = 9}, 7}, /* two reads, and one came between */
        {{.has_after = true, .after = 70, .head = 7, .reset = true}, 7},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_t world;
        start(&world, &cases[i].joined);
        assert_int_equal(world.member->last, cases[i].last);
        assert_int_equal(world.room->heard,
                         cases[i].last < cases[i].joined.head ? cases[i].joined.head : 0);
        end(&world);
    }
}

static void test_joining_again_never_goes_back(void **state) {
    (void)state;
    world_t world;
    start(&world, &(room_joined_t){.head = 7});
    rooms_joined(world.member, &(room_joined_t){.head = 9});
    assert_int_equal(world.member->last, 7);
    rooms_joined(world.member,
                 &(room_joined_t){.has_after = true, .after = 2, .head = 5, .last_returned = 5});
    assert_int_equal(world.member->last, 7);
    rooms_joined(world.member,
                 &(room_joined_t){.has_after = true, .after = 2, .head = 9, .last_returned = 9});
    assert_int_equal(world.member->last, 9);
    rooms_joined(world.member,
                 &(room_joined_t){.has_after = true, .after = 99, .head = 12, .reset = true});
    assert_int_equal(world.member->last, 9);
    end(&world);
}

static void test_own_messages(void **state) {
    (void)state;
    world_t world;
    start(&world, NULL);
    rooms_own(world.rooms, world.member, 8); /* before the place is known */
    rooms_own(world.rooms, world.member, 10);
    rooms_own(world.rooms, world.member, 8);
    rooms_own(world.rooms, world.member, 5);
    rooms_joined(world.member, &(room_joined_t){.head = 7});
    assert_int_equal(world.member->last, 8);
    message(&world, 8);
    message(&world, 9);
    assert_int_equal(world.member->last, 10);
    message(&world, 10);
    message(&world, 11);
    expect(&world, "9 11 ");
    assert_null(world.member->own);
    end(&world);
}

static void test_own_messages_are_bounded(void **state) {
    (void)state;
    world_t world;
    start(&world, &(room_joined_t){.head = 0});
    for (uint64_t i = 0; i < ROOMS_OWN_MAX; i++)
        rooms_own(world.rooms, world.member, 2 + i);
    expect(&world, "");
    rooms_own(world.rooms, world.member, 5000);
    expect(&world, "overflow ");
    message(&world, 1);
    assert_int_equal(world.member->last, ROOMS_OWN_MAX + 1);
    end(&world);
}

static void test_claimed_is_not_delivered(void **state) {
    (void)state;
    world_t world;
    start(&world, &(room_joined_t){.head = 0});
    world.claims = true;
    message(&world, 1);
    world.claims = false;
    message(&world, 2);
    expect(&world, "claim1 2 ");
    end(&world);
}

static void test_nothing_passes_who_is_not_live(void **state) {
    (void)state;
    world_t world;
    start(&world, NULL);
    message(&world, 1);
    rooms_joined(world.member, &(room_joined_t){.head = 1});
    world.member->unconfirmed = true;
    message(&world, 2);
    rooms_check(world.rooms, world.room);
    expect(&world, "");
    world.member->unconfirmed = false;
    rooms_resume(world.rooms, world.room);
    expect(&world, "fetch1 ");
    end(&world);
}

static void test_pauses(void **state) {
    (void)state;
    world_t world;
    start(&world, &(room_joined_t){.head = 0});
    rooms_heard(world.rooms, world.room, 3);
    rooms_heard(world.rooms, world.room, 2);
    expect(&world, "fetch0 ");
    rooms_fetch_failed(world.rooms, world.room);
    assert_null(rooms_due(world.rooms, ROOMS_RETRY_FIRST_MS - 1));
    message(&world, 1);
    expect(&world, "1 "); /* what can be passed on is; the pause stays */
    assert_ptr_equal(rooms_due(world.rooms, ROOMS_RETRY_FIRST_MS), world.room);
    rooms_check(world.rooms, world.room);
    expect(&world, "fetch1 ");
    message(&world, 2);
    message(&world, 3);
    rooms_fetched(world.rooms, world.room, 3);
    expect(&world, "2 3 ");
    assert_null(rooms_due(world.rooms, INT64_MAX));
    end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_among_many),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_joining_again_never_goes_back),
        cmocka_unit_test(test_own_messages),
        cmocka_unit_test(test_own_messages_are_bounded),
        cmocka_unit_test(test_claimed_is_not_delivered),
        cmocka_unit_test(test_nothing_passes_who_is_not_live),
        cmocka_unit_test(test_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
