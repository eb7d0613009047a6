/* presence_local: who is followed, asked for once, and let go of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/presence_local.h"

enum { MAX_INTERESTS = 10000 };

typedef struct {
    strbuf_t record;
    presence_t *presence;
    room_t *one, *two; /* without names */
} world_t;

static size_t broker_of_user(void *ctx, str_t user) {
    (void)ctx;
    return user.p[0] == 'z'; /* z… live on the other broker */
}

static void record(world_t *world, const char *what, size_t broker, const proto_texts_t *users) {
    strbuf_printf(&world->record, "%s %d", what, (int)broker);
    for (size_t i = 0; i < users->n; i++)
        strbuf_printf(&world->record, " %.*s", STR_ARG(users->items[i]));
    strbuf_append_char(&world->record, '\n');
}

static void watch(void *ctx, size_t broker, const proto_texts_t *users) {
    record(ctx, "watch", broker, users);
}

static void unwatch(void *ctx, size_t broker, const proto_texts_t *users) {
    record(ctx, "unwatch", broker, users);
}

static void changed(void *ctx, const watch_t *watched) {
    world_t *world = ctx;
    strbuf_printf(&world->record, "changed %.*s %d\n", STR_ARG(watch_id(watched)),
                  watched->state.online);
}

static void known(void *ctx, room_t *room) {
    world_t *world = ctx;
    strbuf_printf(&world->record, "known %d\n", room == world->one ? 1 : 2);
}

static const presence_ops_t ops = {.broker_of_user = broker_of_user,
                                   .watch = watch,
                                   .unwatch = unwatch,
                                   .changed = changed,
                                   .known = known};

static void start(world_t *world) {
    *world = (world_t){.one = xcalloc(1, sizeof(room_t)), .two = xcalloc(1, sizeof(room_t))};
    world->presence = presence_new(2, MAX_INTERESTS, &ops, world);
}

static void end(world_t *world) {
    presence_forget_room(world->presence, world->one);
    presence_forget_room(world->presence, world->two);
    presence_free(&world->presence);
    assert_null(world->presence);
    free(world->one);
    free(world->two);
    strbuf_fini(&world->record);
}

#define expect(world, text)                                                                        \
    do {                                                                                           \
        assert_string_equal(strbuf_cstr(&(world)->record), text);                                  \
        strbuf_clear(&(world)->record);                                                            \
    } while (0)

static void set(world_t *world, room_t *room, const char *a, const char *b) {
    str_t users[] = {str_from(a), str_from(b)};
    presence_set_participants(world->presence, room, &(proto_texts_t){users, 2});
}

static void test_each_user_once(void **state) {
    (void)state;
    world_t world;
    start(&world);
    set(&world, world.one, "a", "z");
    expect(&world, "watch 0 a\nwatch 1 z\n");
    set(&world, world.two, "a", "b");
    expect(&world, "watch 0 b\n");
    assert_int_equal(presence_count(world.presence), 3);
    presence_forget_room(world.presence, world.one);
    expect(&world, "unwatch 1 z\n");
    presence_forget_room(world.presence, world.two);
    expect(&world, "unwatch 0 a b\n");
    end(&world);
}

static void test_a_user_listed_twice_counts_once(void **state) {
    (void)state;
    world_t world;
    start(&world);
    set(&world, world.one, "a", "a");
    set(&world, world.one, "a", "a");
    expect(&world, "watch 0 a\n");
    assert_int_equal(world.one->interest_count, 1);
    presence_forget_room(world.presence, world.one);
    expect(&world, "unwatch 0 a\n");
    end(&world);
}

static void test_participants_may_change(void **state) {
    (void)state;
    world_t world;
    start(&world);
    set(&world, world.one, "a", "b");
    strbuf_clear(&world.record);
    set(&world, world.one, "b", "c");
    expect(&world, "watch 0 c\nunwatch 0 a\n");
    end(&world);
}

static void test_known_when_all_are(void **state) {
    (void)state;
    world_t world;
    start(&world);
    set(&world, world.one, "a", "b");
    set(&world, world.two, "b", "c");
    strbuf_clear(&world.record);
    presence_update(world.presence, STR("a"), (user_presence_t){.online = false});
    presence_update(world.presence, STR("c"), (user_presence_t){.online = true, .last_seen_ms = 4});
    presence_update(world.presence, STR("b"), (user_presence_t){.online = false});
    expect(&world, "changed c 1\nknown 1\nknown 2\n");
    assert_true(presence_of(world.presence, STR("c")).online);
    assert_int_equal(presence_of(world.presence, STR("c")).last_seen_ms, 4);
    assert_false(presence_of(world.presence, STR("nobody")).online);
    presence_update(world.presence, STR("c"), (user_presence_t){.online = true, .last_seen_ms = 9});
    presence_update(world.presence, STR("nobody"), (user_presence_t){.online = true});
    expect(&world, "");
    presence_update(world.presence, STR("c"), (user_presence_t){.online = false});
    expect(&world, "changed c 0\n");
    end(&world);
}

static void test_batches(void **state) {
    (void)state;
    enum { USERS = PRESENCE_BATCH * 2 + 1 };
    static char names[USERS][8];
    static str_t users[USERS];
    world_t world;
    start(&world);
    for (size_t i = 0; i < USERS; i++) {
        snprintf(names[i], sizeof(names[i]), "u%d", (int)i);
        users[i] = str_from(names[i]);
    }
    presence_set_participants(world.presence, world.one, &(proto_texts_t){users, USERS});
    size_t lines = 0;
    for (size_t i = 0; i < world.record.n; i++)
        lines += world.record.p[i] == '\n';
    assert_int_equal(lines, 3);
    strbuf_clear(&world.record);
    presence_watch_again(world.presence, 1);
    expect(&world, "");
    presence_watch_again(world.presence, 0);
    assert_int_equal(strncmp(world.record.p, "watch 0 ", 8), 0);
    end(&world);
}

/* Over the bound a room is followed not at all, and others keep what they have. */
static void test_interests_are_bounded(void **state) {
    (void)state;
    static str_t users[MAX_INTERESTS];
    world_t world;
    start(&world);
    for (size_t i = 0; i < MAX_INTERESTS; i++)
        users[i] = STR("a");
    str_t two[] = {STR("a"), STR("b")};
    presence_set_participants(world.presence, world.one, &(proto_texts_t){two, 2});
    assert_int_equal(presence_interests(world.presence), 2);
    presence_set_participants(world.presence, world.two,
                              &(proto_texts_t){users, MAX_INTERESTS - 1});
    assert_int_equal(presence_interests(world.presence), 2);
    assert_int_equal(world.two->interest_count, 0);
    assert_int_equal(world.two->unknown, 0);
    expect(&world, "watch 0 a b\n");
    /* what a room had gives room for what it gets */
    presence_set_participants(world.presence, world.one, &(proto_texts_t){users, MAX_INTERESTS});
    assert_int_equal(presence_interests(world.presence), 1);
    presence_set_participants(world.presence, world.one,
                              &(proto_texts_t){users, MAX_INTERESTS + 1});
    assert_int_equal(presence_interests(world.presence), 0);
    assert_int_equal(presence_count(world.presence), 0);
    expect(&world, "unwatch 0 b\nunwatch 0 a\n");
    end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_user_once),
        cmocka_unit_test(test_a_user_listed_twice_counts_once),
        cmocka_unit_test(test_participants_may_change),
        cmocka_unit_test(test_known_when_all_are),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_interests_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
