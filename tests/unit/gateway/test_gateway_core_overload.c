/* What is left out, and what is refused, when there is too much. */
#include "gateway_scene.h"

#define TEST(name) static void name(void **state)
#define IN_AB "{\"conversationId\":\"conv_a_b\"}"

static void start(scene_t *scene) {
    scene_init(scene);
    scene_start(scene);
    scene_connect(scene, "a");
    scene_connect(scene, "b");
}

static void send(scene_t *scene, uint64_t ack) {
    scene_event(scene, 1, "send_message", "{\"conversationId\":\"conv_a_b\",\"text\":\"hi\"}", ack);
}

static double busy(const scene_t *scene, busy_reason_t reason) {
    return metrics_value(scene->metrics, METRIC_UNAVAILABLE, reason);
}

TEST(typing_is_left_out_before_any_message_is_refused) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene.bus_busy[0] = scene.bus_busy[1] = true;
    scene_event(&scene, 1, "typing", IN_AB, 1);
    assert_non_null(strstr(strbuf_cstr(&scene.record), "s1 ack 1 {\"ok\":false"));
    assert_non_null(strstr(strbuf_cstr(&scene.record), "\"unavailable\""));
    assert_non_null(strstr(strbuf_cstr(&scene.record), "\"retryAfterMs\":1000"));
    assert_int_equal(scene_pending(&scene, MSG_TYPING), 0);
    scene_event(&scene, 1, "stop_typing", IN_AB, 2); /* its end is told: somebody may wait for it */
    assert_int_equal(scene_pending(&scene, MSG_TYPING), 1);
    send(&scene, 3);
    assert_int_equal(scene_pending(&scene, MSG_SEND), 1);
    assert_int_equal(busy(&scene, BUSY_HINT), 1);
    assert_int_equal(busy(&scene, BUSY_BUS), 0);
    scene.bus_full = true;
    scene_forget(&scene);
    send(&scene, 4);
    assert_non_null(strstr(strbuf_cstr(&scene.record), "\"retryAfterMs\":1000"));
    assert_int_equal(busy(&scene, BUSY_BUS), 1);
    scene_fini(&scene);
}

TEST(typing_of_a_socket_with_many_events_under_way_is_left_out) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.max_requests_per_session = 4;
    scene_start(&scene);
    scene_connect(&scene, "a");
    send(&scene, 1);
    scene_event(&scene, 1, "typing", IN_AB, 2);
    assert_int_equal(scene_pending(&scene, MSG_TYPING), 1);
    scene_event(&scene, 1, "typing", IN_AB, 3); /* would be the third of four */
    assert_int_equal(scene_pending(&scene, MSG_TYPING), 1);
    assert_int_equal(busy(&scene, BUSY_HINT), 1);
    send(&scene, 4);
    send(&scene, 5);
    assert_int_equal(scene_pending(&scene, MSG_SEND), 3);
    scene_forget(&scene);
    send(&scene, 6);
    scene_expect(&scene, "s1 ack 6 " UNAVAILABLE("too many events wait for an answer"));
    assert_int_equal(busy(&scene, BUSY_SOCKET), 1);
    scene_fini(&scene);
}

/* Also those count whose socket has gone: they are on their way. */
TEST(messages_that_wait_for_a_broker_are_bounded) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.max_writes = 4;
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_connect(&scene, "b");
    send(&scene, 1);
    send(&scene, 2);
    scene_event(&scene, 1, "typing", IN_AB, 3);
    assert_int_equal(scene_pending(&scene, MSG_TYPING), 1);
    send(&scene, 4);
    scene_event(&scene, 1, "typing", IN_AB, 5);
    assert_int_equal(busy(&scene, BUSY_HINT), 1);
    scene_disconnect(&scene, 1);
    scene_event(&scene, 2, "mark_read", IN_AB, 6);
    assert_int_equal(gateway_core_figures(scene.core).writes, 4);
    scene_event(&scene, 2, "mark_read", IN_AB, 7);
    assert_int_equal(busy(&scene, BUSY_WRITES), 1);
    scene_error(&scene, MSG_SEND, CODE_UNAVAILABLE);
    assert_int_equal(gateway_core_figures(scene.core).writes, 3);
    scene_event(&scene, 2, "mark_read", IN_AB, 8);
    assert_int_equal(scene_pending(&scene, MSG_MARK_READ), 2);
    scene_fini(&scene);
}

static void typing_event(scene_t *scene, bool on) {
    proto_typing_event_encode(&(proto_typing_event_t){.on = on}, &scene->body);
    scene_deliver(scene, MSG_TYPING_EVENT, "conv_a_b", "c", 0);
}

TEST(who_does_not_read_fast_enough_is_not_told_of_typing) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_joined(&scene, 1, 0);
    scene_joined(&scene, 2, 0);
    scene.crowded = &scene.sockets[1];
    typing_event(&scene, true);
    scene_expect(&scene, "s2 user_typing {\"conversationId\":\"conv_a_b\",\"userId\":\"c\"}\n");
    assert_int_equal(metrics_value(scene.metrics, METRIC_HINTS_SHED, 0), 1);
    typing_event(&scene, false);
    scene_new_message(&scene, "conv_a_b", 1, "b");
    assert_non_null(strstr(strbuf_cstr(&scene.record), "s1 user_stop_typing "));
    assert_non_null(strstr(strbuf_cstr(&scene.record), "s1 new_message "));
    scene_fini(&scene);
}

TEST(memberships_are_bounded) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.max_members = 2;
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_connect(&scene, "b");
    scene_joined(&scene, 1, 0);
    scene_joined(&scene, 2, 0);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_c\"", 1);
    scene_expect(&scene, "s1 ack 1 " UNAVAILABLE("this server has too many conversations"));
    assert_int_equal(busy(&scene, BUSY_MEMBERS), 1);
    scene_event(&scene, 1, "join_conversation", IN_AB, 2); /* it is there already */
    assert_int_equal(scene_pending(&scene, MSG_JOIN), 1);
    scene_fini(&scene);
}

TEST(answers_that_wait_for_presence_are_bounded_in_bytes) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.max_waiting_bytes = 100;
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_connect(&scene, "b");
    for (uint64_t i = 1; i <= 2; i++) {
        scene_event(&scene, i, "join_conversation", "\"conv_a_b\"", i);
        scene_conversation(&scene, &(scene_conversation_t){.head = 7});
        scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    }
    size_t waiting = gateway_core_figures(scene.core).waiting_bytes;
    assert_in_range(waiting, 51, 100);
    assert_null(strstr(strbuf_cstr(&scene.record), "s1 ack"));
    assert_non_null(strstr(strbuf_cstr(&scene.record), "s2 ack 2 {\"ok\":true"));
    scene_after(&scene, GATEWAY_PRESENCE_WAIT_MS);
    assert_non_null(strstr(strbuf_cstr(&scene.record), "s1 ack 1 {\"ok\":true"));
    assert_int_equal(gateway_core_figures(scene.core).waiting_bytes, 0);
    scene_fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typing_is_left_out_before_any_message_is_refused),
        cmocka_unit_test(typing_of_a_socket_with_many_events_under_way_is_left_out),
        cmocka_unit_test(messages_that_wait_for_a_broker_are_bounded),
        cmocka_unit_test(who_does_not_read_fast_enough_is_not_told_of_typing),
        cmocka_unit_test(memberships_are_bounded),
        cmocka_unit_test(answers_that_wait_for_presence_are_bounded_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
