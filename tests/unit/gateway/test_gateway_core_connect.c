/* Being let in and put out: tokens, limits, expiry, drain. */
#include "gateway_scene.h"

#define TEST(name) static void name(void **state)

TEST(a_good_token_lets_in_without_waiting_for_a_database) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    assert_int_equal(scene_ask(&scene, "secret", "10.0.0.1"), 1);
    scene_expect(&scene, "ask AUTH_VERIFY token=secret\n");
    assert_false(gateway_core_is_empty(scene.core));
    scene_identity(&scene, "a", SCENE_UNIX_MS + 1000);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    scene_expect(&scene, "accept s1\n"
                         "post SUBSCRIBE user_a user=a session=1\n"
                         "ask USER_SEEN user_a user=a\n");
    scene_disconnect(&scene, 1);
    scene_expect(&scene, "post LEAVE user_a user=a session=1\n");
    assert_true(gateway_core_is_empty(scene.core));
    scene_fini(&scene);
}

TEST(bad_tokens_are_refused_with_their_code) {
    (void)state;
    scene_t scene;
    char *huge = xmalloc(8194);
    memset(huge, 'x', 8193);
    huge[8193] = '\0';
    scene_init(&scene);
    scene_start(&scene);
    scene_ask(&scene, "", "10.0.0.1");
    scene_expect(&scene, "refuse s1 Unauthorized {\"code\":\"unauthorized\"}\n");
    scene_ask(&scene, huge, "10.0.0.1");
    scene_expect(&scene, "refuse s2 Unauthorized {\"code\":\"unauthorized\"}\n");
    scene_ask(&scene, "x", "10.0.0.1");
    scene_error(&scene, MSG_AUTH_VERIFY, CODE_UNAUTHORIZED);
    scene_expect(&scene, "ask AUTH_VERIFY token=x\n"
                         "refuse s3 Unauthorized {\"code\":\"unauthorized\"}\n");
    scene_ask(&scene, "x", "10.0.0.1");
    scene_error(&scene, MSG_AUTH_VERIFY, CODE_TOKEN_EXPIRED);
    scene_expect(&scene, "ask AUTH_VERIFY token=x\n"
                         "refuse s4 Unauthorized {\"code\":\"token_expired\"}\n");
    scene_ask(&scene, "x", "10.0.0.1");
    scene_identity(&scene, "a", SCENE_UNIX_MS);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    scene_expect(&scene, "ask AUTH_VERIFY token=x\n"
                         "refuse s5 Unauthorized {\"code\":\"token_expired\"}\n");
    assert_true(gateway_core_is_empty(scene.core));
    scene_fini(&scene);
    free(huge);
}

TEST(who_cannot_be_checked_is_turned_away_to_try_again) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    for (size_t i = 0; i < 4; i++)
        scene_ask(&scene, "x", "10.0.0.1");
    scene_forget(&scene);
    scene_fail(&scene, MSG_AUTH_VERIFY, ERR_TIMEOUT);
    scene_expect(&scene, "turn away s1\n");
    scene_error(&scene, MSG_AUTH_VERIFY, CODE_UNAVAILABLE);
    scene_expect(&scene, "turn away s2\n");
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_DONE); /* not what was asked for */
    scene_expect(&scene, "turn away s3\n");
    scene_identity(&scene, "not_an_id", SCENE_UNIX_MS + 1000);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    scene_expect(&scene, "turn away s4\n");
    scene.bus_full = true;
    scene_ask(&scene, "x", "10.0.0.1");
    scene_expect(&scene, "turn away s5\n");
    assert_true(gateway_core_is_empty(scene.core));
    scene_fini(&scene);
}

TEST(a_client_that_has_gone_meanwhile_leaves_nothing) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    scene.sockets[1].refuses = true;
    scene_ask(&scene, "x", "10.0.0.1");
    scene_identity(&scene, "a", SCENE_UNIX_MS + 1000);
    scene_forget(&scene);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    scene_expect(&scene, "");
    assert_true(gateway_core_is_empty(scene.core));
    assert_int_equal(gateway_core_figures(scene.core).users, 0);
    scene_fini(&scene);
}

TEST(the_first_broker_that_is_up_is_asked) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    scene_down(&scene, 0);
    scene_ask(&scene, "x", "10.0.0.1");
    assert_int_equal(scene.requests[0].broker, 1);
    scene_up(&scene, 0);
    scene_ask(&scene, "x", "10.0.0.1");
    assert_int_equal(scene.requests[1].broker, 0);
    scene_fini(&scene);
}

TEST(connections_are_limited_per_user_and_per_address) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.sessions = (sessions_limits_t){.max_per_user = 2, .max_per_address = 3};
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_connect(&scene, "a");
    scene_ask(&scene, "x", "10.0.0.1");
    scene_identity(&scene, "a", SCENE_UNIX_MS + 1000);
    scene_forget(&scene);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    scene_expect(&scene, "refuse s3 Too many connections {\"code\":\"rate_limited\"}\n");
    scene_connect(&scene, "b");
    scene_ask(&scene, "x", "10.0.0.1"); /* the address has three */
    scene_expect(&scene, "refuse s5 Too many connections {\"code\":\"rate_limited\"}\n");
    scene_ask(&scene, "x", "10.0.0.2");
    scene_expect(&scene, "ask AUTH_VERIFY token=x\n");
    scene_disconnect(&scene, 1);
    scene_forget(&scene);
    scene_ask(&scene, "x", "10.0.0.1");
    scene_expect(&scene, "ask AUTH_VERIFY token=x\n");
    assert_int_equal(metrics_value(scene.metrics, METRIC_CONNECTIONS_LIMITED, LIMIT_USER), 1);
    assert_int_equal(metrics_value(scene.metrics, METRIC_CONNECTIONS_LIMITED, LIMIT_ADDRESS), 1);
    scene_fini(&scene);
}

TEST(a_user_is_announced_once_until_the_name_changes) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_ask(&scene, "x", "10.0.0.1");
    scene_identity(&scene, "a", SCENE_UNIX_MS + 1000);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    assert_int_equal(scene_pending(&scene, MSG_USER_SEEN), 0);
    for (size_t i = 0; i < 2; i++) { /* two changes while one is under way: one more */
        proto_identity_t identity = {.user_id = STR("a"),
                                     .name = i ? STR("New") : STR("Newer"),
                                     .expires_at_ms = SCENE_UNIX_MS + 1000};
        scene_ask(&scene, "x", "10.0.0.1");
        proto_identity_encode(&identity, &scene.body);
        scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
        assert_int_equal(scene_pending(&scene, MSG_USER_SEEN), 1);
    }
    scene_answer(&scene, MSG_USER_SEEN, MSG_DONE);
    assert_int_equal(scene_pending(&scene, MSG_USER_SEEN), 1);
    scene_answer(&scene, MSG_USER_SEEN, MSG_DONE);
    assert_int_equal(scene_pending(&scene, MSG_USER_SEEN), 0);
    scene_fini(&scene);
}

TEST(the_transport_is_closed_when_the_token_ends) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_after(&scene, SCENE_TOKEN_MS - 1);
    scene_expect(&scene, "");
    scene_after(&scene, 1);
    scene_expect(&scene, "close s1 token_expired\n");
    scene_event(&scene, 1, "send_message", "{\"conversationId\":\"conv_a_b\",\"text\":\"x\"}", 1);
    scene_expect(&scene, ""); /* too late */
    scene_after(&scene, SCENE_TOKEN_MS);
    scene_expect(&scene, "");
    scene_fini(&scene);
}

TEST(a_newer_token_of_the_same_user_keeps_it_open) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_event(&scene, 1, "refresh_token", "{\"token\":\"newer\"}", 4);
    scene_expect(&scene, "ask AUTH_VERIFY token=newer\n");
    scene_identity(&scene, "a", SCENE_UNIX_MS + 2 * SCENE_TOKEN_MS);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    scene_expect(&scene, "s1 ack 4 {\"ok\":true,\"expiresAt\":\"1970-01-01T02:16:40.000Z\"}\n");
    scene_after(&scene, SCENE_TOKEN_MS);
    scene_expect(&scene, "");
    scene_after(&scene, SCENE_TOKEN_MS);
    scene_expect(&scene, "close s1 token_expired\n");
    scene_fini(&scene);
}

TEST(an_older_token_shortens_nothing_and_a_bad_one_changes_nothing) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    scene_connect(&scene, "a");
    for (uint64_t i = 1; i <= 5; i++)
        scene_event(&scene, 1, "refresh_token", "{\"token\":\"x\"}", i);
    scene_forget(&scene);
    scene_identity(&scene, "a", SCENE_UNIX_MS + 1000);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    scene_expect(&scene, "s1 ack 1 {\"ok\":true,\"expiresAt\":\"1970-01-01T01:16:40.000Z\"}\n");
    scene_identity(&scene, "b", SCENE_UNIX_MS + 9 * SCENE_TOKEN_MS);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    scene_expect(&scene, "s1 ack 2 {\"ok\":false,\"error\":{\"code\":\"forbidden\","
                         "\"message\":\"the token is another user's\"}}\n");
    scene_identity(&scene, "a", SCENE_UNIX_MS - 1);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    scene_expect(&scene, "s1 ack 3 {\"ok\":false,\"error\":{\"code\":\"token_expired\","
                         "\"message\":\"the token has expired\"}}\n");
    scene_error(&scene, MSG_AUTH_VERIFY, CODE_UNAUTHORIZED);
    scene_expect(&scene, "s1 ack 4 {\"ok\":false,\"error\":{\"code\":\"unauthorized\","
                         "\"message\":\"why\"}}\n");
    scene_fail(&scene, MSG_AUTH_VERIFY, ERR_TIMEOUT);
    scene_expect(&scene, "s1 ack 5 {\"ok\":false,\"error\":{\"code\":\"unavailable\","
                         "\"message\":\"temporarily unavailable\",\"retryAfterMs\":1000}}\n");
    scene_after(&scene, 2000);
    scene_expect(&scene, "");
    scene_after(&scene, SCENE_TOKEN_MS);
    scene_expect(&scene, "close s1 token_expired\n");
    scene_fini(&scene);
}

TEST(a_drain_closes_everybody_within_its_time_and_lets_nobody_in) {
    (void)state;
    enum { SOCKETS = 40, OVER_MS = 1000 };
    scene_t scene;
    size_t early = 0, closed = 0;
    scene_init(&scene);
    scene_start(&scene);
    for (size_t i = 0; i < SOCKETS; i++)
        scene_connect(&scene, i % 2 ? "a" : "b");
    scene_ask(&scene, "x", "10.0.0.1");
    scene_forget(&scene);
    gateway_core_drain(scene.core, OVER_MS);
    scene_expect(&scene, "turn away s41\ncancel AUTH_VERIFY\n");
    scene_ask(&scene, "x", "10.0.0.1");
    scene_expect(&scene, "turn away s42\n");
    for (size_t step = 0; step < 10; step++) {
        scene_after(&scene, OVER_MS / 10);
        closed = 0;
        for (size_t i = 1; i <= SOCKETS; i++)
            closed += scene.sockets[i].closed;
        early += step < 5 ? closed : 0;
    }
    assert_int_equal(closed, SOCKETS);
    assert_in_range(early, 5 * 3, 5 * 30); /* spread, neither all at the start nor at the end */
    scene_fini(&scene);
}

TEST(a_draining_socket_gets_its_answers_first) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_event(&scene, 1, "send_message", "{\"conversationId\":\"conv_a_b\",\"text\":\"x\"}", 7);
    gateway_core_drain(scene.core, 100);
    scene_forget(&scene);
    scene_after(&scene, 200);
    scene_expect(&scene, "");
    scene_stored(&scene, 1, "a", "c");
    scene_answer(&scene, MSG_SEND, MSG_STORED);
    scene_expect(&scene, "s1 ack 7 {\"ok\":true,\"message\":"
                         "{\"seq\":1,\"senderId\":\"a\",\"clientId\":\"c\"}}\n");
    scene_after(&scene, 1);
    scene_expect(&scene, "close s1 draining\n");
    scene_disconnect(&scene, 1);
    assert_true(gateway_core_is_empty(scene.core));
    scene_fini(&scene);
}

TEST(another_generation_of_the_database_closes_every_transport) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_connect(&scene, "b");
    scene_joined(&scene, 1, 5);
    scene_event(&scene, 2, "join_conversation", "\"conv_a_b\"", 1);
    scene_forget(&scene);
    scene_conversation(&scene, &(scene_conversation_t){.head = 2, .generation = "g2"});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_expect(&scene, "close s1 generation_changed\nclose s2 generation_changed\n");
    scene_fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_token_lets_in_without_waiting_for_a_database),
        cmocka_unit_test(bad_tokens_are_refused_with_their_code),
        cmocka_unit_test(who_cannot_be_checked_is_turned_away_to_try_again),
        cmocka_unit_test(a_client_that_has_gone_meanwhile_leaves_nothing),
        cmocka_unit_test(the_first_broker_that_is_up_is_asked),
        cmocka_unit_test(connections_are_limited_per_user_and_per_address),
        cmocka_unit_test(a_user_is_announced_once_until_the_name_changes),
        cmocka_unit_test(the_transport_is_closed_when_the_token_ends),
        cmocka_unit_test(a_newer_token_of_the_same_user_keeps_it_open),
        cmocka_unit_test(an_older_token_shortens_nothing_and_a_bad_one_changes_nothing),
        cmocka_unit_test(a_drain_closes_everybody_within_its_time_and_lets_nobody_in),
        cmocka_unit_test(a_draining_socket_gets_its_answers_first),
        cmocka_unit_test(another_generation_of_the_database_closes_every_transport),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
