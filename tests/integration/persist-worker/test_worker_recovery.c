/* What a session that is recovered asks for, through the whole worker. */
#include "worker_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static worker_world_t *world;

static const char GROUP[] = "group_0190a0b0-0000-7000-8000-000000000001";
static const char OTHER[] = "group_0190a0b0-0000-7000-8000-000000000002";

static int set_up(void **state) {
    (void)state;
    world = worker_world_new();
    const char *names[] = {"1", "2", "3"};
    for (size_t i = 0; i < 3; i++)
        worker_world_answer(world, worker_world_user(world, names[i], "Ann"), MSG_DONE);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    worker_world_free(&world);
    worker_world_empty();
    return 0;
}

static void send_by(const char *user, const char *client_id, const char *socket_id) {
    strbuf_t body = {0};
    proto_send_encode(&(proto_send_t){.text = STR("hello"),
                                      .client_id = str_from(client_id),
                                      .socket_id = str_from(socket_id)},
                      &body);
    worker_world_stored(world, worker_world_ask(world, MSG_SEND, "conv_1_2", user, &body));
}

static uint64_t mark(const char *user) {
    const heard_t *heard =
        worker_world_answer(world, worker_world_mark(world, "conv_1_2", user), MSG_READ_MARKED);
    proto_read_marked_t marked;
    assert_int_equal(proto_read_marked_decode(heard->envelope.body, world->arena, &marked), OK);
    return marked.read_at_ms;
}

static proto_conversation_t recover(const char *user, uint64_t after, uint64_t read_after_ms,
                                    const char *socket_id) {
    strbuf_t body = {0};
    proto_conversation_t result;
    proto_join_encode(&(proto_join_t){.present = UINT64_C(1) << 1 | UINT64_C(1) << 4,
                                      .after = after,
                                      .read_after_ms = read_after_ms,
                                      .socket_id = str_from(socket_id)},
                      &body);
    uint64_t job = worker_world_ask(world, MSG_JOIN, "conv_1_2", user, &body);
    const heard_t *heard = worker_world_answer(world, job, MSG_CONVERSATION);
    assert_int_equal(proto_conversation_decode(heard->envelope.body, world->arena, &result), OK);
    return result;
}

static void test_names_own_messages(void **state) {
    (void)state;
    send_by("1", "a", "s1");
    send_by("1", "b", "s2");
    send_by("2", "c", "s1x");
    send_by("1", "d", "s1");
    proto_conversation_t got = recover("1", 0, 0, "s1");
    assert_int_equal(got.seqs.n, 4);
    assert_int_equal(got.own.n, 2);
    assert_int_equal(got.own.items[0], 1);
    assert_int_equal(got.own.items[1], 4);
    assert_int_equal(recover("1", 1, 0, "s1").own.n, 1);
    assert_int_equal(recover("1", 0, 0, "").own.n, 0);
}

static void test_marks_set_later(void **state) {
    (void)state;
    send_by("1", "a", "s1");
    uint64_t at_ms = mark("2");
    proto_conversation_t got = recover("1", 1, at_ms - 1, "s1");
    assert_int_equal(got.readers.n, 1);
    assert_true(str_eq(got.readers.items[0], STR("2")));
    assert_int_equal(got.read_seqs.items[0], 1);
    assert_int_equal(got.reads_at_ms.items[0], at_ms);
    assert_true(got.read_at_ms >= at_ms);
    assert_int_equal(recover("1", 1, got.read_at_ms, "s1").readers.n, 0);
}

/* Sending moves the sender's mark too; the message tells of that. */
static void test_marks_moved_by_sending_are_left_out(void **state) {
    (void)state;
    send_by("1", "a", "s1");
    send_by("2", "b", "s2");
    proto_conversation_t got = recover("1", 0, 0, "s1");
    assert_int_equal(got.readers.n, 0);
    assert_true(got.read_at_ms > 0);
}

/* ---- changes ---- */

static proto_changed_t changes(const char *user, uint64_t since_ms) {
    strbuf_t body = {0};
    char room[80];
    proto_changed_t result;
    snprintf(room, sizeof(room), "user_%s", user);
    proto_changes_encode(&(proto_changes_t){.since_ms = since_ms}, &body);
    uint64_t job = worker_world_ask(world, MSG_CHANGES, room, user, &body);
    const heard_t *heard = worker_world_answer(world, job, MSG_CHANGED);
    assert_int_equal(proto_changed_decode(heard->envelope.body, world->arena, &result), OK);
    assert_int_equal(result.events.n, result.payloads.n);
    assert_int_equal(result.events.n, result.conversations.n);
    assert_int_equal(result.events.n, result.at_ms.n);
    assert_int_equal(result.generation.n, 36);
    return result;
}

/* The events, each as "event conversation". */
static void expect_changes(const proto_changed_t *got, const char *const *expected, size_t n) {
    assert_int_equal(got->events.n, n);
    for (size_t i = 0; i < n; i++) {
        strbuf_t line = {0};
        strbuf_printf(&line, "%.*s %.*s", STR_ARG(got->events.items[i]),
                      STR_ARG(got->conversations.items[i]));
        assert_string_equal(strbuf_cstr(&line), expected[i]);
        strbuf_fini(&line);
    }
}

static void make_group(const char *room) {
    const char *users[] = {"2"};
    worker_world_json(world, worker_world_create(world, room, "1", users, 1));
}

static void add(const char *room, const char *user) {
    strbuf_t body = {0};
    str_t users[] = {str_from(user)};
    proto_add_participants_encode(&(proto_add_participants_t){.users = {users, 1}}, &body);
    worker_world_answer(world, worker_world_ask(world, MSG_ADD_PARTICIPANTS, room, "1", &body),
                        MSG_MEMBERS_CHANGED);
}

static void take_away(const char *room, const char *user) {
    strbuf_t body = {0};
    proto_remove_participant_encode(&(proto_remove_participant_t){.target = str_from(user)}, &body);
    worker_world_answer(world, worker_world_ask(world, MSG_REMOVE_PARTICIPANT, room, "1", &body),
                        MSG_MEMBERS_CHANGED);
}

static void test_changes_of_membership(void **state) {
    (void)state;
    make_group(GROUP);
    make_group(OTHER);
    proto_changed_t got = changes("2", 0);
    static const char *const both[] = {
        "conversation_added group_0190a0b0-0000-7000-8000-000000000001",
        "conversation_added group_0190a0b0-0000-7000-8000-000000000002"};
    expect_changes(&got, both, 2);
    assert_non_null(memmem(got.payloads.items[0].p, got.payloads.items[0].n, GROUP, 42));
    uint64_t until_ms = got.at_ms.items[1];
    assert_true(until_ms > 0 && until_ms <= got.now_ms);
    got = changes("2", until_ms);
    expect_changes(&got, NULL, 0);
    got = changes("1", 0); /* who made them knows */
    expect_changes(&got, NULL, 0);

    take_away(GROUP, "2");
    take_away(OTHER, "2");
    add(OTHER, "2");
    got = changes("2", until_ms);
    static const char *const after[] = {
        "conversation_removed group_0190a0b0-0000-7000-8000-000000000001",
        "conversation_removed group_0190a0b0-0000-7000-8000-000000000002",
        "conversation_added group_0190a0b0-0000-7000-8000-000000000002"};
    expect_changes(&got, after, 3);
}

static void test_changes_of_direct_ones_and_activity(void **state) {
    (void)state;
    const char *users[] = {"3"};
    worker_world_json(world, worker_world_create(world, "conv_1_3", "1", users, 1));
    send_by("1", "a", "s1");
    proto_changed_t got = changes("3", 0);
    static const char *const made[] = {"conversation_added conv_1_3"};
    expect_changes(&got, made, 1);
    got = changes("2", 0); /* made by its first message, which tells of it */
    static const char *const written[] = {"conversation_updated conv_1_2"};
    expect_changes(&got, written, 1);
    got = changes("1", 0);
    static const char *const active[] = {"conversation_updated conv_1_2"};
    expect_changes(&got, active, 1);
    assert_int_equal(got.at_ms.items[0], 0);
    assert_non_null(
        memmem(got.payloads.items[0].p, got.payloads.items[0].n, "\"lastMessage\":{", 15));
    got = changes("1", got.now_ms);
    expect_changes(&got, NULL, 0);
}

static void test_more_changes_than_are_told(void **state) {
    (void)state;
    worker_world_run("insert into conversations (conversation_id, kind, creator_id, created_at,"
                     " last_activity_at) select 'group_' || i, 'group', '1', now(), now()"
                     " from generate_series(1, 100) i");
    worker_world_run(
        "insert into member_changes (conversation_id, members_version, user_id, added, changed_by,"
        " changed_at) select 'group_' || i, 2, '2', false, '1', now()"
        " from generate_series(1, 99) i");
    assert_int_equal(changes("2", 0).events.n, 99);
    assert_int_equal(changes("2", 0).truncated, 0);
    worker_world_run(
        "insert into member_changes (conversation_id, members_version, user_id, added, changed_by,"
        " changed_at) values ('group_100', 2, '2', false, '1', now())");
    assert_int_equal(changes("2", 0).events.n, 0);
    assert_int_equal(changes("2", 0).truncated, 1);
}

static void test_events_carry_their_time(void **state) {
    (void)state;
    make_group(GROUP);
    proto_changed_t got = changes("2", 0);
    for (const heard_t *heard = world->heard; heard; heard = heard->next) {
        proto_user_event_t event;
        if (heard->envelope.type != MSG_USER_EVENT)
            continue;
        assert_int_equal(proto_user_event_decode(heard->envelope.body, world->arena, &event), OK);
        assert_true(event.at_ms >= got.at_ms.items[0] && event.at_ms <= got.now_ms);
        return;
    }
    fail_msg("no event was heard");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_names_own_messages),
        TEST(test_marks_set_later),
        TEST(test_marks_moved_by_sending_are_left_out),
        TEST(test_changes_of_membership),
        TEST(test_changes_of_direct_ones_and_activity),
        TEST(test_more_changes_than_are_told),
        TEST(test_events_carry_their_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
