/* Client events: the requests that they make, and their answers. */
#include "gateway_scene.h"

#define TEST(name) static void name(void **state)
#define SEND(text, client)                                                                         \
    "{\"conversationId\":\"conv_a_b\",\"text\":\"" text "\",\"clientId\":\"" client "\"}"
#define MESSAGE(seq, client) "{\"seq\":" seq ",\"senderId\":\"a\",\"clientId\":\"" client "\"}"

static void start(scene_t *scene) {
    scene_init(scene);
    scene_start(scene);
    scene_connect(scene, "a");
}

TEST(each_event_makes_its_request_and_is_answered) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_event(
        &scene, 1, "send_message",
        "{\"conversationId\":\"conv_a_b\",\"text\":\"hi\",\"clientId\":\"k\",\"replyTo\":3}", 1);
    scene_stored(&scene, 4, "a", "k");
    scene_answer(&scene, MSG_SEND, MSG_STORED);
    scene_event(&scene, 1, "typing", "{\"conversationId\":\"conv_a_b\"}", 2);
    scene_answer(&scene, MSG_TYPING, MSG_DONE);
    scene_event(&scene, 1, "stop_typing", "{\"conversationId\":\"conv_a_b\"}", 3);
    scene_answer(&scene, MSG_TYPING, MSG_DONE);
    scene_event(&scene, 1, "mark_read", "{\"conversationId\":\"conv_a_b\",\"seq\":2}", 4);
    proto_read_marked_encode(&(proto_read_marked_t){.seq = 2, .read_at_ms = 1500}, &scene.body);
    scene_answer(&scene, MSG_MARK_READ, MSG_READ_MARKED);
    scene_event(&scene, 1, "mark_read", "{\"conversationId\":\"conv_a_b\"}", 5);
    scene_expect(
        &scene,
        "ask SEND conv_a_b user=a session=1 text=hi client=k replyTo=3\n"
        "s1 ack 1 {\"ok\":true,\"message\":" MESSAGE(
            "4", "k") "}\n"
                      "ask TYPING conv_a_b user=a session=1 on=1\n"
                      "s1 ack 2 {\"ok\":true}\n"
                      "ask TYPING conv_a_b user=a session=1 on=0\n"
                      "s1 ack 3 {\"ok\":true}\n"
                      "ask MARK_READ conv_a_b user=a session=1 seq=2\n"
                      "s1 ack 4 {\"ok\":true,\"seq\":2,\"readAt\":\"1970-01-01T00:00:01.500Z\"}\n"
                      "ask MARK_READ conv_a_b user=a session=1\n");
    assert_int_equal(metrics_value(scene.metrics, METRIC_SEND_SECONDS, 0), 1);
    scene_fini(&scene);
}

TEST(a_trace_follows_its_event) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.context.trace.id[0] = 8;
    scene_start(&scene);
    scene_ask(&scene, "token", "10.0.0.1");
    scene_identity(&scene, "a", scene.unix_ms + SCENE_TOKEN_MS);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    scene_expect(&scene, "ask AUTH_VERIFY trace=8 token=token\n"
                         "accept s1\n"
                         "post SUBSCRIBE user_a user=a session=1 trace=8\n"
                         "ask USER_SEEN user_a user=a\n");
    scene_joined(&scene, 1, 0);
    scene.trace.id[0] = 7;
    scene_event(&scene, 1, "send_message", SEND("x", "k"), 1);
    scene_stored(&scene, 1, "a", "k");
    scene_answer(&scene, MSG_SEND, MSG_STORED);
    scene_new_message(&scene, "conv_a_b", 2, "b");
    scene_event(&scene, 1, "send_message", "{}", 0);
    scene_expect(
        &scene,
        "ask SEND conv_a_b user=a session=1 trace=7 text=x client=k\n"
        "step 7 event_answered send_message ok session=1 seq=0 sockets=0\n"
        "s1 ack 1 {\"ok\":true,\"message\":" MESSAGE(
            "1",
            "k") "}\n"
                 "s1 new_message {\"seq\":2,\"senderId\":\"b\",\"clientId\":\"c2\"}\n"
                 "step 7 event_delivered new_message ok session=0 seq=2 sockets=1\n"
                 "step 7 event_answered send_message invalid_payload session=1 seq=0 sockets=0\n"
                 "s1 error {\"event\":\"send_message\",\"code\":\"invalid_payload\","
                 "\"message\":\"conversationId is missing\"}\n");
    scene_fini(&scene);
}

TEST(a_message_without_client_id_gets_one_of_its_own) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_event(&scene, 1, "send_message", "{\"conversationId\":\"conv_a_b\",\"text\":\"x\"}", 0);
    scene_event(&scene, 1, "send_message", "{\"conversationId\":\"conv_a_b\",\"text\":\"y\"}", 0);
    scene_expect(&scene, "ask SEND conv_a_b user=a session=1 text=x client=0000000000000abc-1\n"
                         "ask SEND conv_a_b user=a session=1 text=y client=0000000000000abc-2\n");
    scene_fini(&scene);
}

TEST(errors_of_brokers_reach_the_client) {
    (void)state;
    static const code_t codes[] = {CODE_FORBIDDEN, CODE_NOT_FOUND, CODE_INVALID_PAYLOAD,
                                   CODE_INTERNAL};
    scene_t scene;
    char expected[200];
    start(&scene);
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        scene_event(&scene, 1, "send_message", SEND("x", "k"), i + 1);
        scene_forget(&scene);
        scene_error(&scene, MSG_SEND, codes[i]);
        snprintf(expected, sizeof(expected),
                 "s1 ack %d {\"ok\":false,\"error\":{\"code\":\"%s\",\"message\":\"why\"}}\n",
                 (int)i + 1, code_name(codes[i]));
        scene_expect(&scene, expected);
    }
    scene_event(&scene, 1, "send_message", SEND("x", "k"), 5);
    scene_forget(&scene);
    scene_error(&scene, MSG_SEND, CODE_UNAVAILABLE);
    scene_expect(&scene, "s1 ack 5 " UNAVAILABLE("why"));
    scene_event(&scene, 1, "send_message", SEND("x", "k"), 6);
    scene_forget(&scene);
    scene_error(&scene, MSG_SEND, (code_t)99);
    scene_expect(&scene, "s1 ack 6 {\"ok\":false,\"error\":{\"code\":\"internal\","
                         "\"message\":\"why\"}}\n");
    scene_fini(&scene);
}

TEST(no_answer_is_unavailable) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_event(&scene, 1, "send_message", SEND("x", "k"), 1);
    scene_event(&scene, 1, "typing", "{\"conversationId\":\"conv_a_b\"}", 2);
    scene_forget(&scene);
    scene_fail(&scene, MSG_SEND, ERR_TIMEOUT);
    scene_fail(&scene, MSG_TYPING, ERR_TIMEOUT);
    scene.bus_full = true;
    scene_event(&scene, 1, "send_message", SEND("x", "k"), 3);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 4);
    scene_event(&scene, 1, "refresh_token", "{\"token\":\"x\"}", 5);
    scene_expect(
        &scene,
        "s1 ack 1 " UNAVAILABLE("temporarily unavailable") "s1 ack 2 " UNAVAILABLE(
            "temporarily "
            "unavailable") "s1 ack 3 " UNAVAILABLE("temporarily unavailable") "s1 ack "
                                                                              "4 " UNAVAILABLE(
                                                                                  "tem"
                                                                                  "por"
                                                                                  "ari"
                                                                                  "ly "
                                                                                  "una"
                                                                                  "vai"
                                                                                  "lab"
                                                                                  "le") "post "
                                                                                        "LEAVE "
                                                                                        "conv_a_"
                                                                                        "b "
                                                                                        "user=a "
                                                                                        "session="
                                                                                        "1\n"
                                                                                        "s1 ack "
                                                                                        "5"
                                                                                        " " UNAVAILABLE(
                                                                                            "temp"
                                                                                            "orar"
                                                                                            "ily "
                                                                                            "unav"
                                                                                            "aila"
                                                                                            "bl"
                                                                                            "e"));
    assert_int_equal(gateway_core_figures(scene.core).requests, 0);
    assert_int_equal(gateway_core_figures(scene.core).rooms, 0);
    scene_fini(&scene);
}

TEST(an_answer_that_breaks_the_schema_is_internal) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_event(&scene, 1, "send_message", SEND("x", "k"), 1);
    scene_event(&scene, 1, "mark_read", "{\"conversationId\":\"conv_a_b\"}", 2);
    scene_forget(&scene);
    strbuf_append(&scene.body, STR("garbage"));
    scene_answer(&scene, MSG_SEND, MSG_STORED);
    scene_answer(&scene, MSG_MARK_READ, MSG_STORED);
    scene_expect(&scene, "s1 ack 1 {\"ok\":false,\"error\":{\"code\":\"internal\","
                         "\"message\":\"internal error\"}}\n"
                         "s1 ack 2 {\"ok\":false,\"error\":{\"code\":\"internal\","
                         "\"message\":\"internal error\"}}\n");
    assert_int_equal(metrics_value(scene.metrics, METRIC_BUS_MALFORMED, 0), 1);
    scene_fini(&scene);
}

TEST(without_a_callback_an_error_is_emitted_and_success_is_silent) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_event(&scene, 1, "send_message", "{\"conversationId\":\"conv_a_b\",\"text\":\"\"}", 0);
    scene_event(&scene, 1, "no_such_event", "{}", 0);
    scene_event(&scene, 1, "typing", "{\"conversationId\":\"conv_a_b\"}", 0);
    scene_answer(&scene, MSG_TYPING, MSG_DONE);
    scene_event(&scene, 1, "typing", "{\"conversationId\":\"conv_a_b\"}", 0);
    scene_error(&scene, MSG_TYPING, CODE_FORBIDDEN);
    scene_expect(&scene, "s1 error {\"event\":\"send_message\",\"code\":\"invalid_payload\","
                         "\"message\":\"text is out of range\"}\n"
                         "s1 error {\"event\":\"no_such_event\",\"code\":\"invalid_payload\","
                         "\"message\":\"event is unknown\"}\n"
                         "ask TYPING conv_a_b user=a session=1 on=1\n"
                         "ask TYPING conv_a_b user=a session=1 on=1\n"
                         "s1 error {\"event\":\"typing\",\"code\":\"forbidden\","
                         "\"message\":\"why\"}\n");
    scene_fini(&scene);
}

TEST(an_unknown_event_with_a_callback_is_invalid_payload) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_event(&scene, 1, "new_message", "{}", 3);
    scene_expect(&scene, "s1 ack 3 {\"ok\":false,\"error\":{\"code\":\"invalid_payload\","
                         "\"message\":\"event is unknown\"}}\n");
    scene_fini(&scene);
}

TEST(unanswered_events_of_one_socket_are_bounded) {
    (void)state;
    scene_t scene;
    start(&scene);
    for (uint64_t i = 1; i <= 20; i++)
        scene_event(&scene, 1, "send_message", SEND("x", "k"), i);
    scene_connect(&scene, "a");
    scene_event(&scene, 1, "send_message", SEND("x", "k"), 21);
    scene_expect(&scene, "s1 ack 21 " UNAVAILABLE("too many events wait for an answer"));
    scene_event(&scene, 2, "send_message", SEND("x", "k"), 1);
    scene_expect(&scene, "ask SEND conv_a_b user=a session=2 text=x client=k\n");
    scene_fini(&scene);
}

TEST(rates_are_limited_per_socket_and_per_user) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.rates = (rates_t){
        .on = true,
        .socket = {[RATE_SEND] = {2, 1, 1000},
                   [RATE_TYPING] = {9, 9, 1000},
                   [RATE_REQUEST] = {9, 9, 1000}},
        .user = {[RATE_SEND] = {3, 1, 1000},
                 [RATE_TYPING] = {9, 9, 1000},
                 [RATE_REQUEST] = {9, 9, 1000}},
    };
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_connect(&scene, "a");
    scene_event(&scene, 1, "send_message", SEND("x", "1"), 1);
    scene_event(&scene, 1, "send_message", SEND("x", "2"), 2);
    scene_forget(&scene);
    scene_event(&scene, 1, "send_message", SEND("x", "3"), 3);
    scene_expect(&scene, "s1 ack 3 {\"ok\":false,\"error\":{\"code\":\"rate_limited\","
                         "\"message\":\"too many requests\",\"retryAfterMs\":1000}}\n");
    scene_event(&scene, 1, "typing", "{\"conversationId\":\"conv_a_b\"}", 0);
    scene_expect(&scene, "ask TYPING conv_a_b user=a session=1 on=1\n");
    scene_event(&scene, 2, "send_message", SEND("x", "4"), 4);
    scene_expect(&scene, "ask SEND conv_a_b user=a session=2 text=x client=4\n");
    scene_event(&scene, 2, "send_message", SEND("x", "5"), 5);
    scene_expect(&scene, "s2 ack 5 {\"ok\":false,\"error\":{\"code\":\"rate_limited\","
                         "\"message\":\"too many requests\",\"retryAfterMs\":1000}}\n");
    scene_after(&scene, 1000);
    scene_event(&scene, 1, "send_message", SEND("x", "6"), 6);
    scene_expect(&scene, "ask SEND conv_a_b user=a session=1 text=x client=6\n");
    assert_int_equal(metrics_value(scene.metrics, METRIC_RATE_LIMITED, 2), 2);
    scene_fini(&scene);
}

TEST(a_socket_may_go_while_its_requests_are_pending) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_connect(&scene, "b");
    scene_event(&scene, 1, "send_message", SEND("x", "k"), 1);
    scene_event(&scene, 1, "mark_read", "{\"conversationId\":\"conv_a_b\"}", 2);
    scene_event(&scene, 1, "typing", "{\"conversationId\":\"conv_a_b\"}", 3);
    scene_event(&scene, 1, "refresh_token", "{\"token\":\"x\"}", 4);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 5);
    assert_int_equal(scene.acks, 5);
    scene_forget(&scene);
    scene_disconnect(&scene, 1);
    scene_expect(&scene, "cancel JOIN\n"
                         "post LEAVE conv_a_b user=a session=1\n"
                         "cancel TYPING\n"
                         "cancel AUTH_VERIFY\n"
                         "post LEAVE user_a user=a session=1\n");
    assert_int_equal(scene.acks, 0);
    /* What writes goes on: it may be on its way, and doing it is harmless. */
    scene_stored(&scene, 1, "a", "k");
    scene_answer(&scene, MSG_SEND, MSG_STORED);
    scene_error(&scene, MSG_MARK_READ, CODE_INTERNAL);
    scene_expect(&scene, "");
    assert_int_equal(gateway_core_figures(scene.core).requests, 0);
    scene_fini(&scene);
}

TEST(the_core_can_end_with_everything_pending) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_connect(&scene, "b");
    scene_joined(&scene, 2, 3);
    scene_event(&scene, 1, "send_message", SEND("x", "k"), 1);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 5);
    scene_new_message(&scene, "conv_a_b", 7, "a");
    scene_ask(&scene, "x", "10.0.0.1");
    scene_event(&scene, 2, "send_message", "{\"conversationId\":\"conv_a_b\",\"text\":\"x\"}", 3);
    scene_disconnect(&scene, 2);
    scene_fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_makes_its_request_and_is_answered),
        cmocka_unit_test(a_trace_follows_its_event),
        cmocka_unit_test(a_message_without_client_id_gets_one_of_its_own),
        cmocka_unit_test(errors_of_brokers_reach_the_client),
        cmocka_unit_test(no_answer_is_unavailable),
        cmocka_unit_test(an_answer_that_breaks_the_schema_is_internal),
        cmocka_unit_test(without_a_callback_an_error_is_emitted_and_success_is_silent),
        cmocka_unit_test(an_unknown_event_with_a_callback_is_invalid_payload),
        cmocka_unit_test(unanswered_events_of_one_socket_are_bounded),
        cmocka_unit_test(rates_are_limited_per_socket_and_per_user),
        cmocka_unit_test(a_socket_may_go_while_its_requests_are_pending),
        cmocka_unit_test(the_core_can_end_with_everything_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
