/* Sessions that go on where they were, and those that can't. */
#include "gateway_scene.h"

#define TEST(name) static void name(void **state)

static scene_t scene;
static recovery_keys_t keys;

static int set_up(void **state) {
    (void)state;
    scene_init(&scene);
    keys = (recovery_keys_t){0};
    recovery_keys_add(&keys, STR("a secret"));
    scene.config.recovery = &keys;
    scene_start(&scene);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (size_t i = 1; i <= scene.socket_count; i++) {
        if (scene.sockets[i].session)
            scene_disconnect(&scene, i);
    }
    assert_true(gateway_core_is_empty(scene.core));
    scene_fini(&scene);
    return 0;
}

static bool recorded(const char *text) {
    return strstr(strbuf_cstr(&scene.record), text) != NULL;
}

/* Nothing of this is recorded. */
static void assert_silent(const char *text) {
    if (recorded(text))
        fail_msg("recorded:\n%s", strbuf_cstr(&scene.record));
}

static void assert_recorded(const char *text) {
    if (!recorded(text))
        fail_msg("not recorded: %s\nbut:\n%s", text, strbuf_cstr(&scene.record));
}

/* Lets a's socket in, joined to conv_a_b at seq 3, cuts it off; what its client has of it. */
static const char *cut_off(char pid_out[RECOVERY_PID_MAX + 1]) {
    size_t socket = scene_connect(&scene, "a");
    snprintf(pid_out, RECOVERY_PID_MAX + 1, "%s", scene.pid);
    scene_joined(&scene, socket, 3);
    scene_disconnect(&scene, socket);
    scene_forget(&scene);
    return "1,g1,1000000/conv_a_b,3,0";
}

static void answer_join(uint64_t head, uint64_t from, uint64_t to) {
    scene_conversation(&scene, &(scene_conversation_t){.head = head, .from = from, .to = to});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
}

static void answer_changes(const char *events) {
    scene_changed(&scene, events, "g1");
    scene_answer(&scene, MSG_CHANGES, MSG_CHANGED);
}

/* It became a new session: a pid of its own, and nothing of the old one. */
static void assert_new(const char *pid) {
    assert_recorded("accept s");
    assert_recorded("in s");
    assert_silent("new_message");
    assert_string_not_equal(scene.pid, pid);
    assert_string_not_equal(scene.pid, "");
}

TEST(positions_come_before_the_acknowledgements_that_they_name) {
    (void)state;
    size_t socket = scene_ask(&scene, "token", "10.0.0.1");
    scene_identity(&scene, "a", scene.unix_ms + SCENE_TOKEN_MS);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    assert_recorded("accept s1\nin s1\n");
    assert_recorded("s1 position  \"1,,995000\"\n");
    scene_event(&scene, socket, "join_conversation", "\"conv_a_b\"", 1);
    scene_conversation(&scene, &(scene_conversation_t){.head = 3});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_forget(&scene);
    while (scene_pending(&scene, MSG_WATCH)) {
        scene_presences(&scene, "a=0,b=0");
        scene_answer(&scene, MSG_WATCH, MSG_PRESENCES);
    }
    assert_recorded("s1 position  \"1,g1,995000/conv_a_b,3,0\"\ns1 ack 1 ");
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 4, "b");
    assert_recorded("\"1,g1,995000/conv_a_b,4,0\"\n");
    scene_forget(&scene);
    scene_event(&scene, socket, "leave_conversation", "\"conv_a_b\"", 2);
    assert_recorded("s1 position  \"1,g1,995000\"\ns1 ack 2 {\"ok\":true}\n");
}

TEST(who_is_refused_gets_no_position) {
    (void)state;
    size_t socket = scene_connect(&scene, "c");
    scene_forget(&scene);
    scene_event(&scene, socket, "join_conversation", "\"conv_a_b\"", 1);
    scene_error(&scene, MSG_JOIN, CODE_FORBIDDEN);
    assert_silent("position");
}

TEST(what_was_missed_comes_before_the_reply) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    const char *offset = cut_off(pid);
    scene_return(&scene, "a", pid, offset);
    assert_recorded("post SUBSCRIBE user_a user=a session=2\n");
    assert_recorded("ask CHANGES user_a user=a session=2 since=1000000\n");
    assert_recorded("ask JOIN conv_a_b user=a session=2 after=3 read_after=0\n");
    assert_silent("accept");
    answer_join(5, 4, 5);
    assert_silent("accept");
    scene_forget(&scene);
    answer_changes("");
    const char *record = strbuf_cstr(&scene.record);
    const char *accepted = strstr(record, "accept s2\n");
    const char *first = strstr(record, "/conv_a_b,4,0\"\n"), *second = strstr(record, ",5,0\"\n");
    const char *in = strstr(record, "in s2\n");
    if (!accepted || !first || !second || !in || accepted > first || first > second || second > in)
        fail_msg("%s", record);
    assert_string_equal(scene.pid, pid);
    assert_recorded("s2 position  \"1,g1,1000000/conv_a_b,5,0\"\n");
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 5, "b"); /* it has had it */
    scene_new_message(&scene, "conv_a_b", 6, "b");
    assert_recorded(",6,0\"\n");
    assert_silent(",5,0\"\n");
}

TEST(what_comes_meanwhile_is_read_behind_it) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    const char *offset = cut_off(pid);
    scene_return(&scene, "a", pid, offset);
    answer_join(5, 4, 5);
    scene_new_message(&scene, "conv_a_b", 6, "b");
    scene_new_message(&scene, "conv_a_b", 7, "b");
    assert_silent("new_message");
    answer_changes("");
    assert_recorded("ask HISTORY conv_a_b after=5\n");
    scene_forget(&scene);
    scene_history(&scene, 6, 7, 7);
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    assert_recorded(",6,0\"\n");
    assert_recorded(",7,0\"\n");
}

TEST(a_change_meanwhile_is_read_too_and_told_once) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    const char *offset = cut_off(pid);
    scene_return(&scene, "a", pid, offset);
    answer_changes("");
    scene_user_event(&scene, "a", "conversation_added", "group_x");
    answer_join(3, 1, 0);
    assert_silent("accept");
    assert_int_equal(scene_pending(&scene, MSG_CHANGES), 1);
    answer_changes("added group_x");
    assert_recorded("s2 conversation_added {\"told\":1} ");
    scene_forget(&scene);
    scene_user_event(&scene, "a", "conversation_added", "group_x"); /* the same, from its broker */
    assert_silent("conversation_added");
}

TEST(who_was_removed_is_told_and_hears_no_more) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    const char *offset = cut_off(pid);
    scene_return(&scene, "a", pid, offset);
    answer_join(5, 4, 5);
    scene_forget(&scene);
    answer_changes("removed conv_a_b");
    assert_recorded("s2 conversation_removed {\"told\":1} ");
    assert_recorded("in s2\n");
    assert_silent("new_message");
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 6, "b");
    assert_silent("new_message");
}

TEST(a_refused_join_is_a_removal) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    const char *offset = cut_off(pid);
    scene_return(&scene, "a", pid, offset);
    answer_changes("");
    scene_error(&scene, MSG_JOIN, CODE_FORBIDDEN);
    answer_changes(""); /* asked again */
    assert_recorded("s2 conversation_removed {\"conversationId\":\"conv_a_b\"} ");
    assert_string_equal(scene.pid, pid);
}

TEST(its_other_connection_ends) {
    (void)state;
    size_t socket = scene_connect(&scene, "a");
    scene_joined(&scene, socket, 3);
    scene_return(&scene, "a", scene.pid, "1,g1,1000000/conv_a_b,3,0");
    assert_recorded("close s1 recovered\n");
    answer_changes("");
    answer_join(3, 1, 0);
    assert_recorded("in s2\n");
}

TEST(not_another_users_nor_a_broken_one) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    const char *offset = cut_off(pid);
    scene_return(&scene, "b", pid, offset);
    assert_new(pid);
    scene_forget(&scene);
    scene_return(&scene, "a", "nonsense", offset);
    assert_new(pid);
    scene_forget(&scene);
    scene_return(&scene, "a", pid, "nonsense");
    assert_new(pid);
    scene_forget(&scene);
    scene_return(&scene, "a", pid, "");
    assert_new(pid);
}

TEST(not_of_another_generation) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    cut_off(pid);
    scene_return(&scene, "a", pid, "1,g2,1000000/conv_a_b,3,0");
    assert_new(pid);
}

TEST(not_one_that_left) {
    (void)state;
    size_t socket = scene_connect(&scene, "a");
    char pid[RECOVERY_PID_MAX + 1];
    snprintf(pid, sizeof(pid), "%s", scene.pid);
    gateway_core_left(scene.core, scene.sockets[socket].session);
    scene_disconnect(&scene, socket);
    scene_return(&scene, "a", pid, "1,,1000000");
    assert_new(pid);
}

TEST(not_one_that_is_too_old) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    const char *offset = cut_off(pid);
    scene.unix_ms += GATEWAY_RECOVERY_AGE_MS;
    scene_return(&scene, "a", pid, offset);
    assert_new(pid);
}

TEST(not_when_more_was_missed_than_is_read) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    const char *offset = cut_off(pid);
    scene_return(&scene, "a", pid, offset);
    answer_changes("");
    scene_conversation(&scene,
                       &(scene_conversation_t){.head = 9, .from = 4, .to = 5, .truncated = true});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    assert_new(pid);
    assert_recorded("post LEAVE conv_a_b user=a session=2\n");
}

TEST(not_when_it_cannot_be_read_in_time) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    const char *offset = cut_off(pid);
    scene_return(&scene, "a", pid, offset);
    scene_error(&scene, MSG_JOIN, CODE_UNAVAILABLE);
    assert_new(pid);
    scene_forget(&scene);
    scene_return(&scene, "a", pid, offset);
    scene_after(&scene, GATEWAY_RECOVERY_TIMEOUT_MS);
    assert_new(pid);
    assert_recorded("cancel CHANGES\n");
    assert_recorded("cancel JOIN\n");
}

TEST(a_client_that_goes_meanwhile_leaves_nothing) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    const char *offset = cut_off(pid);
    scene.sockets[2].refuses = true;
    scene_return(&scene, "a", pid, offset);
    answer_changes("");
    answer_join(3, 1, 0);
    assert_recorded("post LEAVE conv_a_b user=a session=2\n");
    assert_recorded("post LEAVE user_a user=a session=2\n");
}

TEST(closing_turns_it_away) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    const char *offset = cut_off(pid);
    scene_return(&scene, "a", pid, offset);
    gateway_core_close_all(scene.core, GATEWAY_CLOSE_DRAINING);
    gateway_core_flush(scene.core);
    assert_recorded("turn away s2\n");
    assert_silent("accept");
}

TEST(freed_while_it_waits) {
    (void)state;
    char pid[RECOVERY_PID_MAX + 1];
    const char *offset = cut_off(pid);
    scene_return(&scene, "a", pid, offset);
    scene_return(&scene, "a", pid, offset); /* aborts the one before */
    gateway_core_free(&scene.core);
    scene.core = gateway_core_new(&scene.config, scene.ops, &scene);
}

int main(void) {
#define RUN(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RUN(positions_come_before_the_acknowledgements_that_they_name),
        RUN(who_is_refused_gets_no_position),
        RUN(what_was_missed_comes_before_the_reply),
        RUN(what_comes_meanwhile_is_read_behind_it),
        RUN(a_change_meanwhile_is_read_too_and_told_once),
        RUN(who_was_removed_is_told_and_hears_no_more),
        RUN(a_refused_join_is_a_removal),
        RUN(its_other_connection_ends),
        RUN(not_another_users_nor_a_broken_one),
        RUN(not_of_another_generation),
        RUN(not_one_that_left),
        RUN(not_one_that_is_too_old),
        RUN(not_when_more_was_missed_than_is_read),
        RUN(not_when_it_cannot_be_read_in_time),
        RUN(a_client_that_goes_meanwhile_leaves_nothing),
        RUN(closing_turns_it_away),
        RUN(freed_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
