/* Conversations of more than two, who is told of what, and lists: through the whole worker. */
#include "worker_world.h"

static worker_world_t *world;

static const char GROUP[] = "group_0190a0b0-0000-7000-8000-000000000001";

static int set_up(void **state) {
    (void)state;
    world = worker_world_new();
    const char *names[] = {"1", "2", "3", "4"};
    for (size_t i = 0; i < 4; i++)
        worker_world_answer(world, worker_world_user(world, names[i], "Ann"), MSG_DONE);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    worker_world_free(&world);
    worker_world_empty();
    return 0;
}

static const char *make_group(void) {
    const char *users[] = {"2", "3", "2", "1"};
    return worker_world_json(world, worker_world_create(world, GROUP, "1", users, 4));
}

static uint64_t add(const char *caller, const char *user) {
    strbuf_t body = {0};
    str_t users[] = {str_from(user)};
    proto_add_participants_encode(&(proto_add_participants_t){.users = {users, 1}}, &body);
    return worker_world_ask(world, MSG_ADD_PARTICIPANTS, GROUP, caller, &body);
}

static uint64_t take_away(const char *caller, const char *user) {
    strbuf_t body = {0};
    proto_remove_participant_encode(&(proto_remove_participant_t){.target = str_from(user)}, &body);
    return worker_world_ask(world, MSG_REMOVE_PARTICIPANT, GROUP, caller, &body);
}

static proto_members_changed_t changed(uint64_t job) {
    proto_members_changed_t result;
    const heard_t *heard = worker_world_answer(world, job, MSG_MEMBERS_CHANGED);
    assert_int_equal(proto_members_changed_decode(heard->envelope.body, world->arena, &result), OK);
    return result;
}

static proto_group_t load(const char *room) {
    strbuf_t body = {0};
    proto_group_t result;
    proto_load_group_encode(&(proto_load_group_t){0}, &body);
    uint64_t job = worker_world_ask(world, MSG_LOAD_GROUP, room, "", &body);
    const heard_t *heard = worker_world_answer(world, job, MSG_GROUP);
    assert_int_equal(proto_group_decode(heard->envelope.body, world->arena, &result), OK);
    return result;
}

static uint64_t list(const char *user, const char *cursor, uint64_t limit) {
    strbuf_t body = {0};
    char room[80];
    snprintf(room, sizeof(room), "user_%s", user);
    proto_list_conversations_t ask = {.cursor = str_from(cursor), .limit = limit};
    proto_list_conversations_encode(&ask, &body);
    return worker_world_ask(world, MSG_LIST_CONVERSATIONS, room, user, &body);
}

static uint64_t get(uint16_t type, const char *room, const char *user) {
    strbuf_t body = {0};
    proto_get_user_encode(&(proto_get_user_t){0}, &body);
    return worker_world_ask(world, type, room, user, &body);
}

static void assert_contains(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("no %s in %s", part, text);
}

static void test_create_group(void **state) {
    (void)state;
    const char *json = make_group();
    assert_contains(json, "{\"id\":\"group_0190a0b0-0000-7000-8000-000000000001\",\"kind\":"
                          "\"group\",\"title\":\"A \\\"group\\\"\",\"creatorId\":\"1\","
                          "\"participants\":[{\"id\":\"1\"");
    assert_contains(json, "],\"lastMessage\":null,\"unreadCount\":0,\"createdAt\":\"20");
    assert_contains(worker_world_event(world, "2", "conversation_added"), "\"kind\":\"group\"");
    assert_contains(worker_world_event(world, "3", "conversation_added"), "\"kind\":\"group\"");
    proto_group_t group = load(GROUP);
    assert_int_equal(group.members.n, 3);
    assert_int_equal(group.members_version, 1);
    /* A second try gets the same; somebody else's try with that id doesn't. */
    assert_contains(make_group(), "\"kind\":\"group\"");
    assert_int_equal(load(GROUP).members_version, 1);
    const char *users[] = {"4"};
    worker_world_refused(world, worker_world_create(world, GROUP, "4", users, 1), CODE_FORBIDDEN);
    worker_world_refused(world, worker_world_create(world, GROUP, "2", users, 1), CODE_FORBIDDEN);
}

static void test_group_with_an_unknown_user(void **state) {
    (void)state;
    const char *users[] = {"2", "nobody"};
    worker_world_refused(world, worker_world_create(world, GROUP, "1", users, 2), CODE_NOT_FOUND);
    assert_int_equal(load(GROUP).members_version, 0);
    assert_int_equal(load(GROUP).members.n, 0);
}

static void test_create_direct(void **state) {
    (void)state;
    const char *users[] = {"2"};
    proto_json_t json;
    uint64_t job = worker_world_create(world, "conv_1_2", "1", users, 1);
    assert_contains(worker_world_json(world, job),
                    "{\"id\":\"conv_1_2\",\"kind\":\"direct\",\"participants\":[");
    const heard_t *heard = worker_world_answer(world, job, MSG_JSON);
    assert_int_equal(proto_json_decode(heard->envelope.body, world->arena, &json), OK);
    assert_int_equal(json.created, 1);
    assert_contains(worker_world_event(world, "2", "conversation_added"), "conv_1_2");
    job = worker_world_create(world, "conv_1_2", "1", users, 1);
    heard = worker_world_answer(world, job, MSG_JSON);
    assert_int_equal(proto_json_decode(heard->envelope.body, world->arena, &json), OK);
    assert_int_equal(json.created, 0);
    const char *unknown[] = {"9"};
    worker_world_refused(world, worker_world_create(world, "conv_1_9", "1", unknown, 1),
                         CODE_NOT_FOUND);
    worker_world_refused(world, worker_world_create(world, "conv_1_2", "1", unknown, 1),
                         CODE_INVALID_PAYLOAD);
}

static void test_add_and_remove(void **state) {
    (void)state;
    make_group();
    worker_world_stored(world, worker_world_send(world, GROUP, "1", "a", "x"));
    proto_members_changed_t result = changed(add("2", "4"));
    assert_int_equal(result.members_version, 2);
    assert_int_equal(result.added.n, 1);
    assert_true(str_eq(result.added.items[0], STR("4")));
    assert_contains(worker_world_event(world, "4", "conversation_added"), "\"unreadCount\":1");
    assert_int_equal(worker_world_stored(world, worker_world_send(world, GROUP, "4", "b", "y")), 2);
    /* Again: the same answer, no new version. */
    result = changed(add("2", "4"));
    assert_int_equal(result.members_version, 2);
    assert_int_equal(result.added.n, 1);
    /* Who isn't the creator removes nobody but himself. */
    worker_world_refused(world, take_away("2", "4"), CODE_FORBIDDEN);
    result = changed(take_away("1", "4"));
    assert_int_equal(result.members_version, 3);
    assert_true(str_eq(result.removed.items[0], STR("4")));
    assert_string_equal(worker_world_event(world, "4", "conversation_removed"),
                        "{\"conversationId\":\"group_0190a0b0-0000-7000-8000-000000000001\"}");
    worker_world_refused(world, worker_world_send(world, GROUP, "4", "c", "z"), CODE_FORBIDDEN);
    worker_world_refused(world, worker_world_join(world, GROUP, "4", 0), CODE_FORBIDDEN);
    /* A second try of the same removal, and one of somebody who never was in it. */
    assert_int_equal(changed(take_away("1", "4")).members_version, 3);
    worker_world_refused(world, take_away("1", "nobody"), CODE_NOT_FOUND);
    result = changed(take_away("3", "3"));
    assert_int_equal(result.members_version, 4);
    assert_int_equal(result.json.n, 0);
    assert_int_equal(changed(take_away("3", "3")).members_version, 4);
    worker_world_refused(world, add("3", "4"), CODE_FORBIDDEN);
    worker_world_refused(world, take_away("4", "1"), CODE_FORBIDDEN);
    assert_int_equal(load(GROUP).members.n, 2);
}

static void test_members_have_a_bound(void **state) {
    (void)state;
    make_group();
    worker_world_run(
        "insert into users (id, name, role) select 'u' || n, 'U', 'customer'"
        " from generate_series(1, 997) n;"
        " insert into participants (conversation_id, user_id, joined_at)"
        " select conversation_id, 'u' || n, now() from conversations, generate_series(1, 996) n");
    assert_int_equal(changed(add("1", "4")).members_version, 2);
    worker_world_refused(world, add("1", "u997"), CODE_INVALID_PAYLOAD);
    assert_int_equal(load(GROUP).members.n, 1000);
}

static void test_lists(void **state) {
    (void)state;
    const char *rooms[] = {"conv_1_2", "conv_1_3", "conv_1_4"};
    for (size_t i = 0; i < 3; i++)
        worker_world_stored(world, worker_world_send(world, rooms[i], rooms[i] + 7, "a", "x"));
    worker_world_stored(world, worker_world_send(world, "conv_1_2", "2", "b", "latest"));
    worker_world_run("update users set name = 'Bob' where id = '2'");
    const char *json = worker_world_json(world, list("1", "", 2));
    assert_contains(json, "{\"conversations\":[{\"id\":\"conv_1_2\",\"kind\":\"direct\","
                          "\"participants\":[{\"id\":\"1\",\"name\":\"Ann\",\"role\":\"customer\","
                          "\"lastReadSeq\":0,\"lastSeenAt\":null},{\"id\":\"2\",\"name\":\"Bob\"");
    assert_contains(json, "\"text\":\"latest\"");
    assert_contains(json, "},\"unreadCount\":2,\"createdAt\":");
    assert_contains(json, "{\"id\":\"conv_1_4\"");
    assert_null(strstr(json, "{\"id\":\"conv_1_3\""));
    const char *cursor = strstr(json, "\"nextCursor\":\"") + strlen("\"nextCursor\":\"");
    char *text = str_dup((str_t){cursor, strcspn(cursor, "\"")});
    json = worker_world_json(world, list("1", text, 2));
    assert_contains(json, "{\"conversations\":[{\"id\":\"conv_1_3\"");
    assert_contains(json, "}],\"nextCursor\":null}");
    free(text);
    assert_contains(worker_world_json(world, list("2", "", 50)), "\"unreadCount\":0");
    assert_string_equal(worker_world_json(world, list("9", "", 50)),
                        "{\"conversations\":[],\"nextCursor\":null}");
    worker_world_refused(world, list("1", "rubbish", 50), CODE_INVALID_PAYLOAD);
    worker_world_refused(world, list("1", "", 201), CODE_INVALID_PAYLOAD);
}

static void test_one_conversation_and_user(void **state) {
    (void)state;
    worker_world_stored(world, worker_world_send(world, "conv_1_2", "2", "a", "x"));
    assert_contains(worker_world_json(world, get(MSG_GET_CONVERSATION, "conv_1_2", "1")),
                    "},\"unreadCount\":1,");
    worker_world_refused(world, get(MSG_GET_CONVERSATION, "conv_1_3", "1"), CODE_NOT_FOUND);
    worker_world_refused(world, get(MSG_GET_CONVERSATION, GROUP, "1"), CODE_FORBIDDEN);
    assert_string_equal(worker_world_json(world, get(MSG_GET_USER, "user_2", "1")),
                        "{\"id\":\"2\",\"name\":\"Ann\",\"role\":\"customer\"}");
    worker_world_refused(world, get(MSG_GET_USER, "user_9", "1"), CODE_NOT_FOUND);
}

static void test_put_user_and_last_seen(void **state) {
    (void)state;
    strbuf_t body = {0};
    proto_put_user_t put = {.name = STR("Zoë"), .role = STR("photographer")};
    proto_put_user_encode(&put, &body);
    uint64_t job = worker_world_ask(world, MSG_PUT_USER, "user_8", "service", &body);
    assert_string_equal(worker_world_json(world, job),
                        "{\"id\":\"8\",\"name\":\"Zoë\",\"role\":\"photographer\"}");
    const char *json;
    str_t users[] = {STR("8"), STR("1"), STR("8")};
    uint64_t at_ms[] = {1767225600123, 1767225600000, 1767225600001};
    proto_last_seen_encode(&(proto_last_seen_t){.users = {users, 3}, .at_ms = {at_ms, 3}}, &body);
    worker_world_answer(world, worker_world_ask(world, MSG_LAST_SEEN, "", "", &body), MSG_DONE);
    const char *others[] = {"8"};
    json = worker_world_json(world, worker_world_create(world, "conv_1_8", "1", others, 1));
    assert_contains(json, "\"lastSeenAt\":\"2026-01-01T00:00:00.123Z\"");
    assert_contains(json, "\"lastSeenAt\":\"2026-01-01T00:00:00.000Z\"");
}

/* What breaks a batch gets the blame alone. */
static void test_an_offender_is_alone(void **state) {
    (void)state;
    enum { JOBS = 200 };
    uint64_t jobs[JOBS];
    worker_world_run("alter table messages add constraint refused check (text <> 'offender')");
    for (size_t i = 0; i < JOBS; i++) {
        char client_id[16];
        snprintf(client_id, sizeof(client_id), "%zu", i);
        jobs[i] = worker_world_send(world, i % 2 ? "conv_1_2" : "conv_1_3", "1", client_id,
                                    i % 77 == 50 ? "offender" : "x");
    }
    uint64_t wanted[2] = {0, 0};
    for (size_t i = 0; i < JOBS; i++) {
        if (i % 77 == 50)
            worker_world_refused(world, jobs[i], CODE_INTERNAL);
        else
            assert_int_equal(worker_world_stored(world, jobs[i]), ++wanted[i % 2]);
    }
    worker_world_run("alter table messages drop constraint refused");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_create_group),
        TEST(test_group_with_an_unknown_user),
        TEST(test_create_direct),
        TEST(test_add_and_remove),
        TEST(test_members_have_a_bound),
        TEST(test_lists),
        TEST(test_one_conversation_and_user),
        TEST(test_put_user_and_last_seen),
        TEST(test_an_offender_is_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
