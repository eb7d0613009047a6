/* Joining and leaving conversations. */
#include "gateway_scene.h"

#define TEST(name) static void name(void **state)
#define JOINED_HEAD "{\"ok\":true,\"conversation\":{\"id\":\"x\"},\"participants\":"
#define OFFLINE(id) "{\"id\":\"" id "\",\"online\":false,\"lastSeenAt\":null}"
#define ONLINE(id) "{\"id\":\"" id "\",\"online\":true,\"lastSeenAt\":null}"
#define MESSAGE(seq) "{\"seq\":" seq ",\"senderId\":\"b\",\"clientId\":\"c" seq "\"}"
#define LEFT                                                                                       \
    "{\"ok\":false,\"error\":{\"code\":\"conflict\",\"message\":"                                  \
    "\"the conversation was left before the join was done\"}}\n"

static void start(scene_t *scene) {
    scene_init(scene);
    scene_start(scene);
    scene_connect(scene, "a");
    scene_connect(scene, "b");
}

/* Presence of a and b known, so that later joins don't wait: a stays joined by its socket. */
static void start_known(scene_t *scene) {
    start(scene);
    scene_joined(scene, 1, 0);
}

static void answer_watches(scene_t *scene, const char *states) {
    while (scene_pending(scene, MSG_WATCH)) {
        scene_presences(scene, states);
        scene_answer(scene, MSG_WATCH, MSG_PRESENCES);
    }
}

static size_t line_count(const scene_t *scene) {
    size_t lines = 0;
    for (size_t i = 0; i < scene->record.n; i++)
        lines += scene->record.p[i] == '\n';
    return lines;
}

TEST(the_answer_waits_for_the_participants_presence) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 1);
    scene_expect(&scene, "ask JOIN conv_a_b user=a session=1\n");
    scene_conversation(&scene, &(scene_conversation_t){.head = 7});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    assert_int_equal(scene_pending(&scene, MSG_WATCH), line_count(&scene));
    scene_forget(&scene);
    answer_watches(&scene, "a=0,b=1");
    scene_expect(&scene, "s1 ack 1 " JOINED_HEAD "[" OFFLINE("a") "," ONLINE(
                             "b") "],"
                                  "\"headSeq\":7,\"generation\":\"g1\",\"messages\":[]}\n");
    assert_int_equal(gateway_core_figures(scene.core).watches, 2);
    scene_fini(&scene);
}

TEST(a_second_join_knows_presence_already) {
    (void)state;
    scene_t scene;
    start_known(&scene);
    scene_presence(&scene, "b", true, 0);
    scene_forget(&scene);
    scene_event(&scene, 2, "join_conversation", "{\"conversationId\":\"conv_a_b\",\"after\":1}", 4);
    scene_conversation(&scene, &(scene_conversation_t){.head = 3, .from = 2, .to = 3});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_expect(&scene, "ask JOIN conv_a_b user=b session=2 after=1\n"
                         "s2 ack 4 " JOINED_HEAD "[" OFFLINE("a") "," ONLINE(
                             "b") "],"
                                  "\"headSeq\":3,\"generation\":\"g1\",\"messages\":[" MESSAGE(
                                      "2") "," MESSAGE("3") "]}\n");
    scene_fini(&scene);
}

TEST(presence_that_does_not_come_is_not_waited_for_longer_than_a_second) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 1);
    scene_conversation(&scene, &(scene_conversation_t){.head = 0});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_forget(&scene);
    scene_after(&scene, GATEWAY_PRESENCE_WAIT_MS - 1);
    scene_expect(&scene, "");
    scene_after(&scene, 1);
    scene_expect(&scene, "s1 ack 1 " JOINED_HEAD "[" OFFLINE("a") "," OFFLINE(
                             "b") "],"
                                  "\"headSeq\":0,\"generation\":\"g1\",\"messages\":[]}\n");
    /* It is told when it comes. */
    answer_watches(&scene, "a=0,b=1");
    scene_expect(&scene, "s1 presence {\"userId\":\"b\",\"online\":true,\"lastSeenAt\":null}\n");
    scene_fini(&scene);
}

TEST(the_last_socket_of_a_room_ends_the_watches) {
    (void)state;
    scene_t scene;
    start_known(&scene);
    scene_event(&scene, 1, "leave_conversation", "{\"conversationId\":\"conv_a_b\"}", 2);
    assert_int_equal(gateway_core_figures(scene.core).watches, 0);
    assert_int_equal(gateway_core_figures(scene.core).rooms, 0);
    assert_non_null(strstr(strbuf_cstr(&scene.record), "post LEAVE conv_a_b user=a session=1\n"));
    assert_non_null(strstr(strbuf_cstr(&scene.record), "post UNWATCH"));
    assert_non_null(strstr(strbuf_cstr(&scene.record), "s1 ack 2 {\"ok\":true}\n"));
    scene_forget(&scene);
    scene_event(&scene, 1, "leave_conversation", "\"conv_a_b\"", 3);
    scene_expect(&scene, "s1 ack 3 {\"ok\":true}\n");
    scene_fini(&scene);
}

TEST(a_refused_join_leaves_no_membership) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_event(&scene, 1, "join_conversation", "\"conv_b_c\"", 1);
    scene_forget(&scene);
    scene_error(&scene, MSG_JOIN, CODE_FORBIDDEN);
    scene_expect(&scene, "s1 ack 1 {\"ok\":false,\"error\":{\"code\":\"forbidden\","
                         "\"message\":\"why\"}}\n"
                         "post LEAVE conv_b_c user=a session=1\n");
    scene_new_message(&scene, "conv_b_c", 1, "b");
    scene_expect(&scene, "");
    assert_int_equal(gateway_core_figures(scene.core).members, 0);
    scene_fini(&scene);
}

TEST(a_truncated_answer_is_no_membership_yet) {
    (void)state;
    scene_t scene;
    start_known(&scene);
    scene_event(&scene, 2, "join_conversation", "{\"conversationId\":\"conv_a_b\",\"after\":0}", 1);
    scene_new_message(&scene, "conv_a_b", 900, "a"); /* s1 lags behind */
    scene_forget(&scene);
    scene_conversation(&scene,
                       &(scene_conversation_t){.head = 900, .from = 1, .to = 2, .truncated = true});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_expect(&scene,
                 "s2 ack 1 " JOINED_HEAD "[" OFFLINE("a") "," OFFLINE(
                     "b") "],"
                          "\"headSeq\":900,\"generation\":\"g1\",\"messages\":[" MESSAGE(
                              "1") "," MESSAGE("2") "],\"truncated\":true}\n"
                                                    "post LEAVE conv_a_b user=b session=2\n");
    assert_int_equal(gateway_core_figures(scene.core).members, 1);
    scene_fini(&scene);
}

TEST(an_after_beyond_the_head_is_a_reset) {
    (void)state;
    scene_t scene;
    start_known(&scene);
    scene_event(&scene, 2, "join_conversation", "{\"conversationId\":\"conv_a_b\",\"after\":50}",
                1);
    scene_conversation(&scene, &(scene_conversation_t){.head = 5, .reset = true});
    scene_forget(&scene);
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    assert_non_null(strstr(strbuf_cstr(&scene.record), "\"messages\":[],\"reset\":true}\n"));
    scene_forget(&scene);
    scene_event(&scene, 1, "leave_conversation", "\"conv_a_b\"", 0);
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 6, "a");
    scene_expect(&scene, "s2 new_message {\"seq\":6,\"senderId\":\"a\",\"clientId\":\"c6\"}\n");
    scene_fini(&scene);
}

TEST(what_comes_live_while_joining_follows_the_answer_without_overlap) {
    (void)state;
    scene_t scene;
    start_known(&scene);
    scene_event(&scene, 1, "leave_conversation", "\"conv_a_b\"", 0);
    scene_event(&scene, 2, "join_conversation", "{\"conversationId\":\"conv_a_b\",\"after\":3}", 1);
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 5, "a");
    scene_new_message(&scene, "conv_a_b", 6, "a");
    scene_expect(&scene, "");
    scene_conversation(&scene, &(scene_conversation_t){.head = 5, .from = 4, .to = 5});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_forget(&scene);
    answer_watches(&scene, "a=0,b=0");
    assert_non_null(strstr(strbuf_cstr(&scene.record), "\"messages\":[" MESSAGE("4") "," MESSAGE(
                                                           "5") "]}\n"
                                                                "ask HISTORY conv_a_b after=5\n"));
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 7, "a");
    scene_expect(&scene, "");
    scene_history(&scene, 6, 7, 7);
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    scene_expect(&scene, "s2 new_message " MESSAGE("6") "\ns2 new_message " MESSAGE("7") "\n");
    scene_fini(&scene);
}

TEST(joining_twice_at_once_loses_and_doubles_nothing) {
    (void)state;
    for (size_t overtaken = 0; overtaken < 2; overtaken++) {
        scene_t scene;
        start_known(&scene);
        for (uint64_t ack = 1; ack <= 2; ack++)
            scene_event(&scene, 2, "join_conversation",
                        "{\"conversationId\":\"conv_a_b\",\"after\":3}", ack);
        scene_event(&scene, 1, "leave_conversation", "\"conv_a_b\"", 0);
        if (overtaken)
            scene_overtake(&scene, MSG_JOIN);
        scene_conversation(&scene, &(scene_conversation_t){.head = 5, .from = 4, .to = 5});
        scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
        answer_watches(&scene, "a=0,b=0");
        scene_forget(&scene);
        scene_new_message(&scene, "conv_a_b", 6, "a"); /* one join is still open */
        scene_expect(&scene, "");
        scene_conversation(&scene, &(scene_conversation_t){.head = 6, .from = 4, .to = 6});
        scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
        scene_forget(&scene);
        scene_new_message(&scene, "conv_a_b", 7, "b");
        scene_expect(&scene, "s2 new_message " MESSAGE("7") "\n");
        scene_fini(&scene);
    }
}

TEST(joining_again_without_after_skips_nothing) {
    (void)state;
    scene_t scene;
    start_known(&scene); /* s1 has all up to 0 */
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 2);
    scene_new_message(&scene, "conv_a_b", 1, "b");
    scene_conversation(&scene, &(scene_conversation_t){.head = 1});
    scene_forget(&scene);
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_forget(&scene);
    scene_history(&scene, 1, 1, 1);
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    scene_expect(&scene, "s1 new_message " MESSAGE("1") "\n");
    scene_fini(&scene);
}

TEST(only_the_latest_joins_failure_ends_the_membership) {
    (void)state;
    scene_t scene;
    start_known(&scene);
    scene_event(&scene, 2, "join_conversation", "\"conv_a_b\"", 1);
    scene_event(&scene, 2, "join_conversation", "\"conv_a_b\"", 2);
    scene_forget(&scene);
    scene_error(&scene, MSG_JOIN, CODE_UNAVAILABLE);
    assert_null(strstr(strbuf_cstr(&scene.record), "LEAVE"));
    scene_conversation(&scene, &(scene_conversation_t){.head = 0});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 1, "b");
    scene_expect(&scene, "s1 new_message " MESSAGE("1") "\ns2 new_message " MESSAGE("1") "\n");
    scene_event(&scene, 2, "join_conversation", "\"conv_a_b\"", 3);
    scene_event(&scene, 2, "join_conversation", "\"conv_a_b\"", 4);
    scene_overtake(&scene, MSG_JOIN);
    scene_forget(&scene);
    scene_error(&scene, MSG_JOIN, CODE_FORBIDDEN); /* of the later one: ends all */
    scene_expect(&scene, "s2 ack 4 {\"ok\":false,\"error\":{\"code\":\"forbidden\","
                         "\"message\":\"why\"}}\n"
                         "s2 ack 3 {\"ok\":false,\"error\":{\"code\":\"forbidden\","
                         "\"message\":\"why\"}}\n"
                         "cancel JOIN\n"
                         "post LEAVE conv_a_b user=b session=2\n");
    scene_fini(&scene);
}

/* Its user was added between the two. */
TEST(an_earlier_joins_refusal_is_not_a_later_ones) {
    (void)state;
    scene_t scene;
    start_known(&scene);
    scene_event(&scene, 2, "join_conversation", "\"conv_a_b\"", 1);
    scene_event(&scene, 2, "join_conversation", "\"conv_a_b\"", 2);
    scene_forget(&scene);
    scene_error(&scene, MSG_JOIN, CODE_FORBIDDEN);
    scene_expect(&scene, "s2 ack 1 {\"ok\":false,\"error\":{\"code\":\"forbidden\","
                         "\"message\":\"why\"}}\n");
    scene_new_message(&scene, "conv_a_b", 1, "b"); /* one join is still open */
    scene_expect(&scene, "s1 new_message " MESSAGE("1") "\n");
    scene_conversation(&scene, &(scene_conversation_t){.head = 1});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 2, "b");
    scene_expect(&scene, "s1 new_message " MESSAGE("2") "\ns2 new_message " MESSAGE("2") "\n");
    scene_fini(&scene);
}

TEST(after_a_join_that_failed_the_next_answer_begins_anew) {
    (void)state;
    scene_t scene;
    start_known(&scene); /* s1 has all up to 0 */
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 1);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 2);
    scene_fail(&scene, MSG_JOIN, ERR_TIMEOUT);
    scene_new_message(&scene, "conv_a_b", 5, "b");
    scene_conversation(&scene, &(scene_conversation_t){.head = 5});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 6, "b");
    scene_expect(&scene, "s1 new_message " MESSAGE("6") "\n");
    scene_fini(&scene);
}

TEST(leaving_while_joining_answers_the_join) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 1);
    scene_forget(&scene);
    scene_event(&scene, 1, "leave_conversation", "\"conv_a_b\"", 2);
    scene_expect(&scene, "s1 ack 1 " LEFT "cancel JOIN\n"
                         "post LEAVE conv_a_b user=a session=1\n"
                         "s1 ack 2 {\"ok\":true}\n");
    /* Also when the answer only waits for presence. */
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 3);
    scene_conversation(&scene, &(scene_conversation_t){.head = 0});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_forget(&scene);
    scene_event(&scene, 1, "leave_conversation", "\"conv_a_b\"", 4);
    assert_non_null(strstr(strbuf_cstr(&scene.record), "s1 ack 3 " LEFT));
    scene_forget(&scene);
    answer_watches(&scene, "a=1,b=1");
    scene_after(&scene, 2000);
    scene_expect(&scene, "");
    scene_fini(&scene);
}

TEST(a_socket_that_goes_while_its_join_waits_leaves_nothing) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 1);
    scene_conversation(&scene, &(scene_conversation_t){.head = 0});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_disconnect(&scene, 1);
    scene_forget(&scene);
    answer_watches(&scene, "a=1,b=1");
    scene_after(&scene, 2000);
    scene_expect(&scene, "");
    assert_int_equal(gateway_core_figures(scene.core).watches, 0);
    assert_int_equal(gateway_core_figures(scene.core).rooms, 0);
    assert_int_equal(scene.acks, 0);
    scene_fini(&scene);
}

TEST(rooms_are_bounded_per_socket_and_altogether) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.max_rooms_per_session = 1;
    scene.config.max_rooms = 2;
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_connect(&scene, "a");
    scene_connect(&scene, "a");
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 1);
    scene_forget(&scene);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_c\"", 2);
    scene_expect(&scene, "s1 ack 2 {\"ok\":false,\"error\":{\"code\":\"rate_limited\","
                         "\"message\":\"too many conversations joined\"}}\n");
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 3);
    scene_expect(&scene, "ask JOIN conv_a_b user=a session=1\n");
    scene_event(&scene, 2, "join_conversation", "\"conv_a_c\"", 1);
    scene_forget(&scene);
    scene_event(&scene, 3, "join_conversation", "\"conv_a_d\"", 4);
    scene_expect(&scene, "s3 ack 4 {\"ok\":false,\"error\":{\"code\":\"unavailable\","
                         "\"message\":\"this server has too many conversations\","
                         "\"retryAfterMs\":1000}}\n");
    scene_fini(&scene);
}

TEST(an_answer_that_breaks_the_schema_is_internal) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 1);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_c\"", 2);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_d\"", 3);
    scene_forget(&scene);
    strbuf_append(&scene.body, STR("garbage"));
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_conversation(&scene, &(scene_conversation_t){.participants = "a,not_a_user"});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_answer(&scene, MSG_JOIN, MSG_DONE);
    scene_expect(&scene, "s1 ack 1 {\"ok\":false,\"error\":{\"code\":\"internal\","
                         "\"message\":\"internal error\"}}\n"
                         "post LEAVE conv_a_b user=a session=1\n"
                         "s1 ack 2 {\"ok\":false,\"error\":{\"code\":\"internal\","
                         "\"message\":\"internal error\"}}\n"
                         "post LEAVE conv_a_c user=a session=1\n"
                         "s1 ack 3 {\"ok\":false,\"error\":{\"code\":\"internal\","
                         "\"message\":\"internal error\"}}\n"
                         "post LEAVE conv_a_d user=a session=1\n");
    scene_fini(&scene);
}

TEST(a_groups_new_members_are_watched_and_old_ones_no_more) {
    (void)state;
    static const char group[] = "\"group_01890a5d-ac96-774b-bcce-b302099a8057\"";
    scene_t scene;
    start(&scene);
    scene_event(&scene, 1, "join_conversation", group, 1);
    scene_conversation(&scene,
                       &(scene_conversation_t){.participants = "a,b,c", .members_version = 1});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    answer_watches(&scene, "a=0,b=0,c=1");
    assert_int_equal(gateway_core_figures(scene.core).watches, 3);
    scene_event(&scene, 2, "join_conversation", group, 2);
    scene_conversation(&scene,
                       &(scene_conversation_t){.participants = "a,b,d", .members_version = 2});
    scene_forget(&scene);
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    assert_non_null(strstr(strbuf_cstr(&scene.record), "users=d"));
    assert_non_null(strstr(strbuf_cstr(&scene.record), "post UNWATCH user_c users=c"));
    answer_watches(&scene, "d=0");
    assert_int_equal(gateway_core_figures(scene.core).watches, 3);
    /* An answer that was overtaken doesn't go back. */
    scene_event(&scene, 2, "join_conversation", group, 3);
    scene_conversation(&scene,
                       &(scene_conversation_t){.participants = "a,b,c", .members_version = 1});
    scene_forget(&scene);
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    assert_null(strstr(strbuf_cstr(&scene.record), "WATCH"));
    scene_fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_waits_for_the_participants_presence),
        cmocka_unit_test(a_second_join_knows_presence_already),
        cmocka_unit_test(presence_that_does_not_come_is_not_waited_for_longer_than_a_second),
        cmocka_unit_test(the_last_socket_of_a_room_ends_the_watches),
        cmocka_unit_test(a_refused_join_leaves_no_membership),
        cmocka_unit_test(a_truncated_answer_is_no_membership_yet),
        cmocka_unit_test(an_after_beyond_the_head_is_a_reset),
        cmocka_unit_test(what_comes_live_while_joining_follows_the_answer_without_overlap),
        cmocka_unit_test(joining_twice_at_once_loses_and_doubles_nothing),
        cmocka_unit_test(joining_again_without_after_skips_nothing),
        cmocka_unit_test(only_the_latest_joins_failure_ends_the_membership),
        cmocka_unit_test(an_earlier_joins_refusal_is_not_a_later_ones),
        cmocka_unit_test(after_a_join_that_failed_the_next_answer_begins_anew),
        cmocka_unit_test(leaving_while_joining_answers_the_join),
        cmocka_unit_test(a_socket_that_goes_while_its_join_waits_leaves_nothing),
        cmocka_unit_test(rooms_are_bounded_per_socket_and_altogether),
        cmocka_unit_test(an_answer_that_breaks_the_schema_is_internal),
        cmocka_unit_test(a_groups_new_members_are_watched_and_old_ones_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
