/* Who gets which event: each message once, in order, none missing (API.md, Promises). */
#include "gateway_scene.h"

#define TEST(name) static void name(void **state)
#define MESSAGE(sender, seq)                                                                       \
    "{\"seq\":" seq ",\"senderId\":\"" sender "\",\"clientId\":\"c" seq "\"}"
#define ROOM "\"conversationId\":\"conv_a_b\""

/* s1 and s2 are a's, s3 is b's; all have joined conv_a_b, which has `head` messages. */
static void start(scene_t *scene, uint64_t head) {
    scene_init(scene);
    scene_start(scene);
    scene_connect(scene, "a");
    scene_connect(scene, "a");
    scene_connect(scene, "b");
    for (size_t socket = 1; socket <= 3; socket++)
        scene_joined(scene, socket, head);
}

/* s1 sends with this client id and waits for its acknowledgement 1. */
static void send(scene_t *scene, const char *client_id) {
    char payload[100];
    snprintf(payload, sizeof(payload), "{" ROOM ",\"text\":\"x\",\"clientId\":\"%s\"}", client_id);
    scene_event(scene, 1, "send_message", payload, 1);
    scene_forget(scene);
}

TEST(every_socket_gets_a_message_once_encoded_once) {
    (void)state;
    scene_t scene;
    start(&scene, 4);
    size_t made = scene.packets_made;
    scene_new_message(&scene, "conv_a_b", 5, "b");
    scene_new_message(&scene, "conv_a_b", 5, "b"); /* a duplicate's fan-out */
    scene_new_message(&scene, "conv_a_b", 2, "b");
    scene_expect(&scene, "s1 new_message " MESSAGE(
                             "b", "5") "\n"
                                       "s2 new_message " MESSAGE(
                                           "b", "5") "\n"
                                                     "s3 new_message " MESSAGE("b", "5") "\n");
    assert_int_equal(scene.packets_made - made, 1);
    assert_int_equal(metrics_value(scene.metrics, METRIC_DELIVER_SECONDS, 0), 1);
    scene_new_message(&scene, "conv_a_c", 1, "a"); /* joined by nobody */
    scene_expect(&scene, "");
    scene_fini(&scene);
}

TEST(the_sending_socket_gets_its_acknowledgement_alone) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    send(&scene, "c1");
    scene_stored(&scene, 1, "a", "c1");
    scene_answer(&scene, MSG_SEND, MSG_STORED);
    scene_new_message(&scene, "conv_a_b", 1, "a");
    scene_new_message(&scene, "conv_a_b", 2, "b");
    scene_expect(
        &scene,
        "s1 ack 1 {\"ok\":true,\"message\":" MESSAGE(
            "a", "1") "}\n"
                      "s2 new_message " MESSAGE(
                          "a", "1") "\n"
                                    "s3 new_message " MESSAGE(
                                        "a", "1") "\n"
                                                  "s1 new_message " MESSAGE(
                                                      "b", "2") "\n"
                                                                "s2 new_message " MESSAGE(
                                                                    "b",
                                                                    "2") "\n"
                                                                         "s3 new_message " MESSAGE(
                                                                             "b", "2") "\n");
    scene_fini(&scene);
}

TEST(a_send_that_failed_but_was_stored_reaches_its_sender_too) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    send(&scene, "c1");
    scene_fail(&scene, MSG_SEND, ERR_TIMEOUT);
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 1, "a");
    scene_expect(&scene, "s1 new_message " MESSAGE(
                             "a", "1") "\n"
                                       "s2 new_message " MESSAGE(
                                           "a", "1") "\n"
                                                     "s3 new_message " MESSAGE("a", "1") "\n");
    scene_fini(&scene);
}

/* A second try of what was stored before: the acknowledgement brings an old message. */
TEST(an_acknowledgement_of_an_old_message_changes_nothing) {
    (void)state;
    scene_t scene;
    start(&scene, 9);
    send(&scene, "c3");
    scene_stored(&scene, 3, "a", "c3");
    scene_answer(&scene, MSG_SEND, MSG_STORED);
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 10, "b");
    scene_expect(&scene, "s1 new_message " MESSAGE(
                             "b", "10") "\n"
                                        "s2 new_message " MESSAGE(
                                            "b", "10") "\n"
                                                       "s3 new_message " MESSAGE("b", "10") "\n");
    scene_fini(&scene);
}

TEST(a_gap_is_read_from_the_database_before_anything_newer) {
    (void)state;
    scene_t scene;
    start(&scene, 2);
    scene_new_message(&scene, "conv_a_b", 5, "b");
    scene_new_message(&scene, "conv_a_b", 6, "b");
    scene_expect(&scene, "ask HISTORY conv_a_b after=2\n"); /* one at a time */
    scene_history(&scene, 3, 5, 5);
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    scene_expect(
        &scene,
        "s1 new_message " MESSAGE(
            "b",
            "3") "\n"
                 "s2 new_message " MESSAGE(
                     "b",
                     "3") "\n"
                          "s3 new_message " MESSAGE(
                              "b",
                              "3") "\n"
                                   "s1 new_message " MESSAGE(
                                       "b",
                                       "4") "\n"
                                            "s2 new_message " MESSAGE(
                                                "b",
                                                "4") "\n"
                                                     "s3 new_message " MESSAGE(
                                                         "b",
                                                         "4") "\n"
                                                              "s1 new_message " MESSAGE(
                                                                  "b",
                                                                  "5") "\n"
                                                                       "s2 new_message " MESSAGE(
                                                                           "b",
                                                                           "5") "\n"
                                                                                "s3 "
                                                                                "new_"
                                                                                "message " MESSAGE(
                                                                                    "b",
                                                                                    "5") "\n"
                                                                                         "ask "
                                                                                         "HISTORY "
                                                                                         "conv_a_b "
                                                                                         "after="
                                                                                         "5\n");
    scene_history(&scene, 6, 6, 6);
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 7, "b");
    scene_expect(&scene, "s1 new_message " MESSAGE(
                             "b", "7") "\n"
                                       "s2 new_message " MESSAGE(
                                           "b", "7") "\n"
                                                     "s3 new_message " MESSAGE("b", "7") "\n");
    assert_int_equal(metrics_value(scene.metrics, METRIC_GAPS, GAP_HEALED), 2);
    scene_fini(&scene);
}

TEST(own_messages_beyond_a_gap_are_not_repeated_when_it_is_filled) {
    (void)state;
    scene_t scene;
    start(&scene, 2);
    send(&scene, "c5");
    scene_event(&scene, 1, "send_message", "{" ROOM ",\"text\":\"x\",\"clientId\":\"c4\"}", 2);
    scene_stored(&scene, 5, "a", "c5");
    scene_answer(&scene, MSG_SEND, MSG_STORED);
    scene_stored(&scene, 4, "a", "c4");
    scene_answer(&scene, MSG_SEND, MSG_STORED);
    scene_new_message(&scene, "conv_a_b", 6, "b");
    scene_forget(&scene);
    scene_history(&scene, 3, 6, 6);
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    scene_expect(
        &scene,
        "s1 new_message " MESSAGE(
            "b",
            "3") "\n"
                 "s2 new_message " MESSAGE(
                     "b",
                     "3") "\n"
                          "s3 new_message " MESSAGE(
                              "b",
                              "3") "\n"
                                   "s2 new_message " MESSAGE(
                                       "b",
                                       "4") "\n"
                                            "s3 new_message " MESSAGE(
                                                "b",
                                                "4") "\n"
                                                     "s2 new_message " MESSAGE(
                                                         "b",
                                                         "5") "\n"
                                                              "s3 new_message " MESSAGE(
                                                                  "b",
                                                                  "5") "\n"
                                                                       "s1 new_message " MESSAGE(
                                                                           "b",
                                                                           "6") "\n"
                                                                                "s2 "
                                                                                "new_"
                                                                                "message " MESSAGE(
                                                                                    "b",
                                                                                    "6") "\n"
                                                                                         "s3 "
                                                                                         "new_"
                                                                                         "message"
                                                                                         " " MESSAGE(
                                                                                             "b",
                                                                                             "6") "\n");
    scene_fini(&scene);
}

TEST(a_message_in_the_history_answers_the_send_that_it_is) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    send(&scene, "mine");
    scene_new_message(&scene, "conv_a_b", 2, "b");
    scene_forget(&scene);
    scene_history_one(&scene, 1, "a", "mine");
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    scene_expect(&scene, "s1 ack 1 {\"ok\":true,\"message\":{\"seq\":1,\"senderId\":\"a\","
                         "\"clientId\":\"mine\"}}\n"
                         "cancel SEND\n"
                         "s2 new_message {\"seq\":1,\"senderId\":\"a\",\"clientId\":\"mine\"}\n"
                         "s3 new_message {\"seq\":1,\"senderId\":\"a\",\"clientId\":\"mine\"}\n"
                         "ask HISTORY conv_a_b after=1\n");
    scene_fini(&scene);
}

TEST(a_live_message_answers_the_send_that_it_is) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    send(&scene, "c1");
    send(&scene, "c1"); /* tried again while the first is on its way */
    send(&scene, "other");
    scene_new_message(&scene, "conv_a_b", 1, "a");
    scene_expect(
        &scene, "s1 ack 1 {\"ok\":true,\"message\":" MESSAGE(
                    "a", "1") "}\n"
                              "cancel SEND\n"
                              "s1 ack 1 {\"ok\":true,\"message\":" MESSAGE(
                                  "a", "1") "}\n"
                                            "cancel SEND\n"
                                            "s2 new_message " MESSAGE(
                                                "a", "1") "\n"
                                                          "s3 new_message " MESSAGE("a", "1") "\n");
    assert_int_equal(scene_pending(&scene, MSG_SEND), 1);
    /* The same client id of another sender is another message. */
    scene_event(&scene, 3, "send_message", "{" ROOM ",\"text\":\"x\",\"clientId\":\"c2\"}", 1);
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 2, "a");
    scene_expect(&scene, "s1 new_message " MESSAGE(
                             "a", "2") "\n"
                                       "s2 new_message " MESSAGE(
                                           "a", "2") "\n"
                                                     "s3 new_message " MESSAGE("a", "2") "\n");
    scene_fini(&scene);
}

TEST(two_tabs_have_each_their_own_place) {
    (void)state;
    scene_t scene;
    start(&scene, 5);
    scene_event(&scene, 1, "leave_conversation", "\"conv_a_b\"", 0);
    scene_new_message(&scene, "conv_a_b", 6, "b");
    scene_expect(&scene,
                 "post LEAVE conv_a_b user=a session=1\n"
                 "s2 new_message " MESSAGE("b", "6") "\n"
                                                     "s3 new_message " MESSAGE("b", "6") "\n");
    scene_event(&scene, 1, "join_conversation", "{" ROOM ",\"after\":2}", 1);
    scene_conversation(&scene, &(scene_conversation_t){.head = 4, .from = 3, .to = 4});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION); /* read before 5 and 6 were */
    scene_forget(&scene);
    scene_history(&scene, 5, 6, 6);
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    scene_expect(&scene,
                 "s1 new_message " MESSAGE("b", "5") "\n"
                                                     "s1 new_message " MESSAGE("b", "6") "\n");
    scene_fini(&scene);
}

TEST(a_gap_that_cannot_be_read_is_tried_again_with_pauses) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    scene_new_message(&scene, "conv_a_b", 2, "b");
    scene_forget(&scene);
    int64_t pauses[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        scene_error(&scene, MSG_HISTORY, CODE_UNAVAILABLE);
        scene_after(&scene, pauses[i] - 1);
        scene_expect(&scene, "");
        scene_after(&scene, 1);
        scene_expect(&scene, "ask HISTORY conv_a_b after=0\n");
    }
    scene_history(&scene, 1, 0, 0); /* nothing there: as good as an error */
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    scene_after(&scene, 4999);
    scene_expect(&scene, "");
    scene_after(&scene, 1);
    scene_history(&scene, 1, 2, 2);
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    assert_non_null(strstr(strbuf_cstr(&scene.record), "s3 new_message " MESSAGE("b", "2")));
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 4, "b"); /* the pauses begin anew */
    scene_error(&scene, MSG_HISTORY, CODE_UNAVAILABLE);
    scene_forget(&scene);
    scene_after(&scene, 100);
    scene_expect(&scene, "ask HISTORY conv_a_b after=2\n");
    scene_fini(&scene);
}

TEST(a_member_that_sends_on_behind_an_unreadable_gap_must_reconnect) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    for (uint64_t seq = 2; seq < 2 + 1024; seq++) {
        send(&scene, "k");
        scene_stored(&scene, seq, "a", "k");
        scene_answer(&scene, MSG_SEND, MSG_STORED);
    }
    assert_false(scene.sockets[1].closed);
    send(&scene, "k");
    scene_stored(&scene, 2 + 1024, "a", "k");
    scene_answer(&scene, MSG_SEND, MSG_STORED);
    assert_true(scene.sockets[1].closed);
    assert_non_null(strstr(strbuf_cstr(&scene.record), "close s1 lagging\n"));
    scene_fini(&scene);
}

TEST(typing_and_read_marks_go_to_all_but_their_own_socket) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    proto_typing_event_encode(&(proto_typing_event_t){.on = 1}, &scene.body);
    scene_deliver(&scene, MSG_TYPING_EVENT, "conv_a_b", "a", 1);
    scene_expect(&scene, "s2 user_typing {" ROOM ",\"userId\":\"a\"}\n"
                         "s3 user_typing {" ROOM ",\"userId\":\"a\"}\n");
    proto_typing_event_encode(&(proto_typing_event_t){.on = 0}, &scene.body);
    scene_deliver(&scene, MSG_TYPING_EVENT, "conv_a_b", "b", 0);
    scene_expect(&scene, "s1 user_stop_typing {" ROOM ",\"userId\":\"b\"}\n"
                         "s2 user_stop_typing {" ROOM ",\"userId\":\"b\"}\n"
                         "s3 user_stop_typing {" ROOM ",\"userId\":\"b\"}\n");
    proto_read_event_encode(&(proto_read_event_t){.seq = 3, .read_at_ms = 1}, &scene.body);
    scene_deliver(&scene, MSG_READ_EVENT, "conv_a_b", "b", 3);
    scene_expect(&scene, "s1 messages_read {" ROOM ",\"userId\":\"b\",\"seq\":3,"
                         "\"readAt\":\"1970-01-01T00:00:00.001Z\"}\n"
                         "s2 messages_read {" ROOM ",\"userId\":\"b\",\"seq\":3,"
                         "\"readAt\":\"1970-01-01T00:00:00.001Z\"}\n");
    proto_typing_event_encode(&(proto_typing_event_t){.on = 1}, &scene.body);
    scene_deliver(&scene, MSG_TYPING_EVENT, "conv_a_z", "z", 0);
    scene_expect(&scene, "");
    scene_fini(&scene);
}

TEST(presence_is_told_once_to_each_socket_that_shares_a_conversation) {
    (void)state;
    static const char group[] = "\"group_01890a5d-ac96-774b-bcce-b302099a8057\"";
    scene_t scene;
    start(&scene, 0);
    scene_event(&scene, 1, "join_conversation", group, 1); /* a shares two of them with b */
    scene_conversation(&scene, &(scene_conversation_t){.members_version = 1});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_forget(&scene);
    scene_presence(&scene, "b", true, 0);
    scene_expect(&scene, "s1 presence {\"userId\":\"b\",\"online\":true,\"lastSeenAt\":null}\n"
                         "s2 presence {\"userId\":\"b\",\"online\":true,\"lastSeenAt\":null}\n");
    scene_presence(&scene, "b", true, 5);
    scene_presence(&scene, "nobody", true, 5);
    scene_expect(&scene, "");
    scene_presence(&scene, "b", false, 7);
    scene_expect(&scene, "s1 presence {\"userId\":\"b\",\"online\":false,"
                         "\"lastSeenAt\":\"1970-01-01T00:00:00.007Z\"}\n"
                         "s2 presence {\"userId\":\"b\",\"online\":false,"
                         "\"lastSeenAt\":\"1970-01-01T00:00:00.007Z\"}\n");
    scene_fini(&scene);
}

TEST(events_of_a_user_reach_all_its_sockets_but_updates_only_where_it_has_not_joined) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    scene_event(&scene, 2, "leave_conversation", "\"conv_a_b\"", 0);
    scene_forget(&scene);
    scene_user_event(&scene, "a", "conversation_updated", "conv_a_b");
    scene_expect(&scene, "s2 conversation_updated {\"hint\":1}\n");
    scene_user_event(&scene, "a", "conversation_added", "conv_a_b");
    scene_expect(&scene, "s1 conversation_added {\"hint\":1}\n"
                         "s2 conversation_added {\"hint\":1}\n");
    scene_user_event(&scene, "a", "something_else", "conv_a_b");
    scene_user_event(&scene, "nobody", "conversation_added", "conv_a_b");
    scene_expect(&scene, "");
    scene_fini(&scene);
}

#define REMOVED "conversation_removed {\"conversationId\":\"conv_a_b\"}\n"

TEST(who_is_expelled_gets_nothing_more) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    scene_event(&scene, 2, "join_conversation", "\"conv_a_b\"", 8);
    scene_forget(&scene);
    scene_expel(&scene, "conv_a_b", "a");
    scene_expect(&scene, "post LEAVE conv_a_b user=a session=1\n"
                         "s1 " REMOVED
                         "s2 ack 8 {\"ok\":false,\"error\":{\"code\":\"forbidden\",\"message\":"
                         "\"you are not a participant of this conversation\"}}\n"
                         "cancel JOIN\n"
                         "post LEAVE conv_a_b user=a session=2\n"
                         "s2 " REMOVED);
    scene_new_message(&scene, "conv_a_b", 1, "b");
    scene_expect(&scene, "s3 new_message " MESSAGE("b", "1") "\n");
    scene_expel(&scene, "conv_a_b", "b");
    scene_expel(&scene, "conv_a_b", "b");
    assert_int_equal(gateway_core_figures(scene.core).rooms, 0);
    scene_fini(&scene);
}

TEST(a_removal_is_told_once_whichever_way_it_comes) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    scene_expel(&scene, "conv_a_b", "a");
    scene_forget(&scene);
    scene_user_event(&scene, "a", "conversation_removed", "conv_a_b");
    scene_expect(&scene, "");
    scene_user_event(&scene, "a", "conversation_removed", "conv_a_b");
    scene_expect(&scene, "s1 conversation_removed {\"hint\":1}\n"
                         "s2 conversation_removed {\"hint\":1}\n");
    scene_user_event(&scene, "b", "conversation_removed", "conv_a_b");
    scene_expect(&scene, "");
    scene_new_message(&scene, "conv_a_b", 1, "a");
    scene_expect(&scene, "s3 new_message " MESSAGE("a", "1") "\n");
    scene_expel(&scene, "conv_a_b", "b");
    scene_expect(&scene, "post LEAVE conv_a_b user=b session=3\n"
                         "post UNWATCH user_a users=a\n"
                         "post UNWATCH user_b users=b\n"
                         "s3 " REMOVED);
    scene_user_event(&scene, "b", "conversation_added", "conv_a_b");
    scene_user_event(&scene, "b", "conversation_removed", "conv_a_b");
    scene_expect(&scene, "s3 conversation_added {\"hint\":1}\n"
                         "s3 conversation_removed {\"hint\":1}\n");
    scene_fini(&scene);
}

TEST(an_older_change_of_members_is_no_news) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    scene.members_version = 4;
    scene_user_event(&scene, "b", "conversation_added", "group_1");
    scene_expect(&scene, "s3 conversation_added {\"hint\":1}\n");
    scene_user_event(&scene, "b", "conversation_added", "group_1");
    scene.members_version = 3;
    scene_user_event(&scene, "b", "conversation_removed", "group_1");
    scene_expect(&scene, "");
    scene.members_version = 5;
    scene_user_event(&scene, "b", "conversation_removed", "group_1");
    scene_expect(&scene, "s3 conversation_removed {\"hint\":1}\n");
    scene_fini(&scene);
}

TEST(who_was_added_since_is_not_expelled_for_an_older_removal) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    scene.members_version = 5;
    scene_user_event(&scene, "b", "conversation_added", "conv_a_b");
    scene_forget(&scene);
    scene.members_version = 4;
    scene_expel(&scene, "conv_a_b", "b");
    scene_new_message(&scene, "conv_a_b", 1, "a"); /* not before the broker has judged */
    assert_null(strstr(strbuf_cstr(&scene.record), "s3"));
    assert_non_null(strstr(strbuf_cstr(&scene.record), "ask REJOIN conv_a_b"));
    scene_rejoined(&scene, NULL, 0);
    scene_answer(&scene, MSG_REJOIN, MSG_REJOINED);
    scene_forget(&scene);
    scene.members_version = 5;
    scene_expel(&scene, "conv_a_b", "b");
    assert_non_null(strstr(strbuf_cstr(&scene.record), "s3 " REMOVED));
    scene_fini(&scene);
}

TEST(who_leaves_before_the_end_of_the_membership_is_told_why) {
    (void)state;
    scene_t scene;
    start(&scene, 0);
    scene_user_event(&scene, "b", "conversation_removed", "conv_a_b");
    scene_expect(&scene, "");
    scene_event(&scene, 3, "leave_conversation", "\"conv_a_b\"", 9);
    assert_non_null(strstr(strbuf_cstr(&scene.record), "s3 " REMOVED));
    scene_forget(&scene);
    scene_expel(&scene, "conv_a_b", "b");
    scene_expect(&scene, "");
    scene_event(&scene, 1, "leave_conversation", "\"conv_a_b\"", 9);
    assert_null(strstr(strbuf_cstr(&scene.record), REMOVED));
    scene_fini(&scene);
}

TEST(what_breaks_the_schema_is_counted_and_dropped) {
    (void)state;
    static const uint16_t types[] = {MSG_NEW_MESSAGE, MSG_TYPING_EVENT, MSG_READ_EVENT,
                                     MSG_PRESENCE,    MSG_EXPEL,        MSG_USER_EVENT};
    scene_t scene;
    start(&scene, 0);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        strbuf_append(&scene.body, STR("\x81\xc1"));
        scene_deliver(&scene, types[i], "conv_a_b", "a", 0);
    }
    scene_expect(&scene, "");
    assert_int_equal(metrics_value(scene.metrics, METRIC_BUS_MALFORMED, 0),
                     sizeof(types) / sizeof(types[0]));
    scene_new_message(&scene, "conv_a_b", 2, "b");
    strbuf_append(&scene.body, STR("\x81\xc1"));
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    scene_forget(&scene);
    scene_after(&scene, 100);
    scene_expect(&scene, "ask HISTORY conv_a_b after=0\n");
    scene_fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_socket_gets_a_message_once_encoded_once),
        cmocka_unit_test(the_sending_socket_gets_its_acknowledgement_alone),
        cmocka_unit_test(a_send_that_failed_but_was_stored_reaches_its_sender_too),
        cmocka_unit_test(an_acknowledgement_of_an_old_message_changes_nothing),
        cmocka_unit_test(a_gap_is_read_from_the_database_before_anything_newer),
        cmocka_unit_test(own_messages_beyond_a_gap_are_not_repeated_when_it_is_filled),
        cmocka_unit_test(a_message_in_the_history_answers_the_send_that_it_is),
        cmocka_unit_test(a_live_message_answers_the_send_that_it_is),
        cmocka_unit_test(two_tabs_have_each_their_own_place),
        cmocka_unit_test(a_gap_that_cannot_be_read_is_tried_again_with_pauses),
        cmocka_unit_test(a_member_that_sends_on_behind_an_unreadable_gap_must_reconnect),
        cmocka_unit_test(typing_and_read_marks_go_to_all_but_their_own_socket),
        cmocka_unit_test(presence_is_told_once_to_each_socket_that_shares_a_conversation),
        cmocka_unit_test(
            events_of_a_user_reach_all_its_sockets_but_updates_only_where_it_has_not_joined),
        cmocka_unit_test(who_is_expelled_gets_nothing_more),
        cmocka_unit_test(a_removal_is_told_once_whichever_way_it_comes),
        cmocka_unit_test(an_older_change_of_members_is_no_news),
        cmocka_unit_test(who_was_added_since_is_not_expelled_for_an_older_removal),
        cmocka_unit_test(who_leaves_before_the_end_of_the_membership_is_told_why),
        cmocka_unit_test(what_breaks_the_schema_is_counted_and_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
