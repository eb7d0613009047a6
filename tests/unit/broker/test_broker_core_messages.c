/* Messages, read marks, typing and events: who is told, how often, in which order. */
#include "broker_scene.h"

static void start(scene_t *scene) {
    scene_init(scene);
    scene_start(scene);
    scene_up(scene, "g1", 0, 0);
    scene_up(scene, "g2", 0, 0);
    scene_up(scene, "w1", 4, 8);
}

/* A session in a room, its state read. The next job id follows. */
static void member(scene_t *scene, const char *gateway, const char *user, uint64_t session,
                   uint64_t job) {
    scene_join(scene, gateway, &(scene_head_t){"conv_1_2", user, session, 1});
    scene_conversation(scene, "w1", job);
    scene_forget(scene);
}

static void sender_is_answered_before_others_are_told_once_per_gateway(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    member(&scene, "g1", "1", 5, 1);
    member(&scene, "g1", "2", 6, 2);
    member(&scene, "g2", "2", 5, 3);
    member(&scene, "g2", "2", 6, 4);
    scene_send(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40});
    scene_expect(&scene, "w1 SEND id=5 conv_1_2 user=1 session=5\n");
    scene_stored(&scene, "w1", &(scene_head_t){"conv_1_2", "1", 5, 70}, 5, 1);
    scene_expect(&scene, "g1 STORED reply=40 conv_1_2 user=1 session=5 seq=1\n"
                         "g1 NEW_MESSAGE conv_1_2 user=1 seq=1\n"
                         "g2 NEW_MESSAGE conv_1_2 user=1 seq=1\n"
                         "w1 DONE reply=70 conv_1_2 user=1 session=5\n");
    assert_int_equal(broker_core_stats(scene.core)->fanouts, 1);
    assert_int_equal(broker_core_stats(scene.core)->fanout_envelopes, 2);
    assert_int_equal(scene.ended[JOB_WRITE][JOB_OUTCOME_OK], 1);
    scene_fini(&scene);
}

static void sender_need_not_be_a_member(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "r1", 0, 0);
    member(&scene, "g2", "2", 5, 1);
    scene_send(&scene, "r1", &(scene_head_t){"conv_1_2", "1", 0, 40});
    scene_stored(&scene, "w1", &(scene_head_t){"conv_1_2", "1", 0, 70}, 2, 1);
    scene_expect(&scene, "w1 SEND id=2 conv_1_2 user=1\n"
                         "r1 STORED reply=40 conv_1_2 user=1 seq=1\n"
                         "g2 NEW_MESSAGE conv_1_2 user=1 seq=1\n"
                         "w1 DONE reply=70 conv_1_2 user=1\n");
    scene_fini(&scene);
}

static void only_what_is_above_the_highest_is_fanned_out(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    member(&scene, "g1", "1", 5, 1);
    scene_stored(&scene, "w1", &(scene_head_t){"conv_1_2", "2", 0, 70}, 900, 7);
    scene_stored(&scene, "w1", &(scene_head_t){"conv_1_2", "2", 0, 71}, 901, 6);
    scene_stored(&scene, "w1", &(scene_head_t){"conv_1_2", "2", 0, 72}, 900, 7);
    scene_stored(&scene, "w1", &(scene_head_t){"conv_1_2", "2", 0, 73}, 902, 8);
    scene_expect(&scene, "g1 NEW_MESSAGE conv_1_2 user=2 seq=7\n"
                         "w1 DONE reply=70 conv_1_2 user=2\n"
                         "w1 DONE reply=71 conv_1_2 user=2\n"
                         "w1 DONE reply=72 conv_1_2 user=2\n"
                         "g1 NEW_MESSAGE conv_1_2 user=2 seq=8\n"
                         "w1 DONE reply=73 conv_1_2 user=2\n");
    scene_fini(&scene);
}

static void fact_of_another_epoch_or_room_ends_no_job(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    member(&scene, "g1", "1", 5, 1);
    scene_send(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40});
    scene_forget(&scene);
    proto_stored_t stored = {.job = 2, .epoch = SCENE_EPOCH + 1, .seq = 3, .message = STR("{}")};
    proto_stored_encode(&stored, &scene.body);
    scene_deliver(&scene, "w1", MSG_STORED, &(scene_head_t){"conv_1_2", "1", 0, 70});
    scene_expect(&scene, "g1 NEW_MESSAGE conv_1_2 user=1 seq=3\n"
                         "w1 DONE reply=70 conv_1_2 user=1\n");
    scene_stored(&scene, "w1", &(scene_head_t){"conv_1_3", "1", 0, 71}, 2, 1);
    scene_expect(&scene, "w1 DONE reply=71 conv_1_3 user=1\n");
    assert_int_equal(jobs_gauges(broker_core_jobs(scene.core), JOB_WRITE).in_flight, 1);
    scene_stored(&scene, "w1", &(scene_head_t){"conv_1_2", "1", 0, 72}, 2, 4);
    assert_int_equal(jobs_gauges(broker_core_jobs(scene.core), JOB_WRITE).jobs, 0);
    scene_fini(&scene);
}

static void malformed_facts_are_refused(void **state) {
    (void)state;
    static const uint16_t types[] = {MSG_STORED, MSG_READ_MARKED, MSG_MEMBERS_CHANGED};
    scene_t scene;
    start(&scene);
    for (size_t i = 0; i < 3; i++) {
        strbuf_append(&scene.body, STR("\xc1"));
        scene_deliver(&scene, "w1", types[i], &(scene_head_t){"conv_1_2", "1", 0, 70});
        assert_non_null(strstr(strbuf_cstr(&scene.record), "w1 refused"));
        assert_non_null(strstr(strbuf_cstr(&scene.record), "w1 ERROR reply=70"));
        scene_forget(&scene);
    }
    proto_done_encode(&(proto_done_t){0}, &scene.body);
    scene_deliver(&scene, "w1", MSG_DONE, &(scene_head_t){.id = 3});
    assert_non_null(strstr(strbuf_cstr(&scene.record), "w1 refused DONE"));
    scene_fini(&scene);
}

static void read_marks_are_told_when_they_moved(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    member(&scene, "g1", "1", 5, 1);
    member(&scene, "g2", "2", 5, 2);
    for (uint64_t advanced = 0; advanced < 2; advanced++) {
        proto_mark_read_encode(&(proto_mark_read_t){0}, &scene.body);
        scene_deliver(&scene, "g1", MSG_MARK_READ, &(scene_head_t){"conv_1_2", "1", 5, 40});
        proto_read_marked_t marked = {.job = 3 + advanced,
                                      .epoch = SCENE_EPOCH,
                                      .seq = 9,
                                      .read_at_ms = 1,
                                      .advanced = advanced};
        proto_read_marked_encode(&marked, &scene.body);
        scene_deliver(&scene, "w1", MSG_READ_MARKED, &(scene_head_t){"conv_1_2", "1", 5, 70});
    }
    scene_expect(&scene, "w1 MARK_READ id=3 conv_1_2 user=1 session=5\n"
                         "g1 READ_MARKED reply=40 conv_1_2 user=1 session=5\n"
                         "w1 DONE reply=70 conv_1_2 user=1 session=5\n"
                         "w1 MARK_READ id=4 conv_1_2 user=1 session=5\n"
                         "g1 READ_MARKED reply=40 conv_1_2 user=1 session=5\n"
                         "g1 READ_EVENT conv_1_2 user=1 session=5\n"
                         "g2 READ_EVENT conv_1_2 user=1\n"
                         "w1 DONE reply=70 conv_1_2 user=1 session=5\n");
    scene_fini(&scene);
}

static void user_events_go_to_the_gateways_of_that_user(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_subscribe(&scene, "g1", "1", 5);
    scene_subscribe(&scene, "g1", "1", 6);
    scene_subscribe(&scene, "g2", "2", 5);
    proto_user_event_t event = {.event = STR("conversation_updated"),
                                .conversation_id = STR("conv_1_2"),
                                .payload = STR("{}")};
    proto_user_event_encode(&event, &scene.body);
    scene_deliver(&scene, "w1", MSG_USER_EVENT, &(scene_head_t){"user_1", NULL, 0, 0});
    scene_expect(&scene, "g1 USER_EVENT user_1\n");
    proto_user_event_encode(&event, &scene.body);
    scene_deliver(&scene, "w1", MSG_USER_EVENT, &(scene_head_t){"conv_1_2", NULL, 0, 10});
    assert_non_null(strstr(strbuf_cstr(&scene.record), "refused USER_EVENT"));
    scene_fini(&scene);
}

/* Additions and removals are requests: who was added must hear of it. */
static void user_events_of_a_worker_that_asks_are_told_until_confirmed(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    proto_user_event_t event = {.event = STR("conversation_added"),
                                .conversation_id = STR("group_1"),
                                .payload = STR("{}"),
                                .version = 4};
    proto_user_event_encode(&event, &scene.body);
    scene_deliver(&scene, "w1", MSG_USER_EVENT, &(scene_head_t){"user_1", NULL, 0, 9});
    scene_expect(&scene, "");
    uint64_t session = 5;
    str_t user = STR("1");
    proto_rejoin_encode(&(proto_rejoin_t){.sessions = {&session, 1}, .users = {&user, 1}},
                        &scene.body);
    scene_deliver(&scene, "g1", MSG_REJOIN, &(scene_head_t){"user_1", NULL, 0, 40});
    scene_expect(&scene, "g1 REJOINED reply=40 user_1 refused=\n"
                         "g1 USER_EVENT id=1 user_1\n");
    proto_done_encode(&(proto_done_t){0}, &scene.body);
    scene_answer(&scene, "g1", MSG_DONE, &(scene_head_t){"user_1", NULL, 0, 1});
    scene_expect(&scene, "");
    scene_at(&scene, scene.config.user_events.settle_ms);
    scene_expect(&scene, "w1 DONE reply=9 user_1\n");
    scene_fini(&scene);
}

/* ---- typing ---- */

static void typing_is_told_on_every_refresh_and_ends_by_itself(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    member(&scene, "g1", "1", 5, 1);
    member(&scene, "g2", "2", 5, 2);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40}, true);
    scene_expect(&scene, "g1 TYPING_EVENT conv_1_2 user=1 session=5 on\n"
                         "g2 TYPING_EVENT conv_1_2 user=1 on\n"
                         "g1 DONE reply=40 conv_1_2 user=1 session=5\n");
    scene_at(&scene, 4000);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 41}, true);
    scene_forget(&scene);
    scene_at(&scene, 8999);
    scene_expect(&scene, "");
    scene_at(&scene, 9000);
    scene_expect(&scene, "g1 TYPING_EVENT conv_1_2 user=1 session=5 off\n"
                         "g2 TYPING_EVENT conv_1_2 user=1 off\n");
    scene_fini(&scene);
}

static void typing_ends_when_stopped_and_only_once(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    member(&scene, "g2", "2", 5, 1);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40}, true);
    scene_forget(&scene);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 41}, false);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 42}, false);
    scene_expect(&scene, "g2 TYPING_EVENT conv_1_2 user=1 off\n"
                         "g1 DONE reply=41 conv_1_2 user=1 session=5\n"
                         "g1 DONE reply=42 conv_1_2 user=1 session=5\n");
    scene_fini(&scene);
}

static void typing_ends_with_the_last_session_of_the_user(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    member(&scene, "g2", "2", 5, 1);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40}, true);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 6, 41}, true);
    scene_forget(&scene);
    scene_leave(&scene, "g1", "conv_1_2", 5);
    scene_expect(&scene, "");
    scene_leave(&scene, "g1", "conv_1_2", 6);
    scene_expect(&scene, "g2 TYPING_EVENT conv_1_2 user=1 off\n");
    scene_fini(&scene);
}

static void typing_ends_before_the_users_message(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    member(&scene, "g2", "2", 5, 1);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40}, true);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 6, 40}, true);
    scene_typing(&scene, "g2", &(scene_head_t){"conv_1_2", "2", 5, 41}, true);
    scene_forget(&scene);
    scene_stored(&scene, "w1", &(scene_head_t){"conv_1_2", "1", 0, 70}, 900, 1);
    scene_expect(&scene, "g2 TYPING_EVENT conv_1_2 user=1 off\n"
                         "g2 NEW_MESSAGE conv_1_2 user=1 seq=1\n"
                         "w1 DONE reply=70 conv_1_2 user=1\n");
    assert_int_equal(typing_count(broker_core_typing(scene.core)), 1);
    scene_fini(&scene);
}

static void typing_ends_when_the_member_leaves_or_nobody_listens(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    member(&scene, "g1", "1", 5, 1);
    member(&scene, "g2", "2", 5, 2);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40}, true);
    scene_forget(&scene);
    scene_leave(&scene, "g1", "conv_1_2", 5);
    scene_expect(&scene, "g1 TYPING_EVENT conv_1_2 user=1 session=5 off\n"
                         "g2 TYPING_EVENT conv_1_2 user=1 off\n");
    scene_typing(&scene, "g1", &(scene_head_t){"conv_2_3", "3", 8, 41}, true);
    scene_expect(&scene, "g1 DONE reply=41 conv_2_3 user=3 session=8\n");
    scene_stored(&scene, "w1", &(scene_head_t){"conv_2_3", "3", 0, 70}, 900, 1);
    scene_expect(&scene, "w1 DONE reply=70 conv_2_3 user=3\n");
    assert_int_equal(typing_count(broker_core_typing(scene.core)), 0);
    scene_fini(&scene);
}

static void typing_has_a_limit(void **state) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.typing.max_entries = 1;
    scene_start(&scene);
    scene_up(&scene, "g1", 0, 0);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40}, true);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 41}, true);
    scene_forget(&scene);
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "2", 6, 42}, true);
    scene_expect(&scene, "g1 ERROR reply=42 conv_1_2 user=2 session=6 unavailable\n");
    strbuf_append(&scene.body, STR("\x01"));
    scene_deliver(&scene, "g1", MSG_TYPING, &(scene_head_t){"conv_1_2", "1", 5, 43});
    assert_non_null(strstr(strbuf_cstr(&scene.record), "refused TYPING: malformed TYPING"));
    scene_fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sender_is_answered_before_others_are_told_once_per_gateway),
        cmocka_unit_test(sender_need_not_be_a_member),
        cmocka_unit_test(only_what_is_above_the_highest_is_fanned_out),
        cmocka_unit_test(fact_of_another_epoch_or_room_ends_no_job),
        cmocka_unit_test(malformed_facts_are_refused),
        cmocka_unit_test(read_marks_are_told_when_they_moved),
        cmocka_unit_test(user_events_go_to_the_gateways_of_that_user),
        cmocka_unit_test(user_events_of_a_worker_that_asks_are_told_until_confirmed),
        cmocka_unit_test(typing_is_told_on_every_refresh_and_ends_by_itself),
        cmocka_unit_test(typing_ends_when_stopped_and_only_once),
        cmocka_unit_test(typing_ends_with_the_last_session_of_the_user),
        cmocka_unit_test(typing_ends_before_the_users_message),
        cmocka_unit_test(typing_ends_when_the_member_leaves_or_nobody_listens),
        cmocka_unit_test(typing_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
