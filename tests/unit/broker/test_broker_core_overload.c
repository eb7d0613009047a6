/* What is left out, and in which order, when there is too much to do. */
#include "broker_scene.h"

#define GROUP "group_01890000-0000-7000-8000-000000000001"

/* Four writes may wait; there is no worker, so they do. */
static void start(scene_t *scene) {
    scene_init(scene);
    scene->config.jobs.classes[JOB_WRITE].max_jobs = 4;
    scene_start(scene);
    scene_up(scene, "g1", 0, 0);
    scene_up(scene, "g2", 0, 0);
    scene_at(scene, 10000);
}

static void send(scene_t *scene, uint64_t id) {
    scene_send(scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, id});
}

static void typing(scene_t *scene, uint64_t id, bool on) {
    scene_typing(scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, id}, on);
}

static void join(scene_t *scene, const char *from, const char *user, uint64_t session) {
    scene_up(scene, "w1", 4, 4);
    scene_join(scene, from, &(scene_head_t){"conv_1_2", user, session, 900});
    scene_down(scene, "w1");
    scene_forget(scene);
}

static uint64_t busy(const scene_t *scene, broker_busy_t reason) {
    return broker_core_stats(scene->core)->unavailable[reason];
}

static void typing_is_refused_before_any_message_is(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    send(&scene, 40);
    send(&scene, 41);
    typing(&scene, 50, true);
    scene_expect(&scene, "g1 DONE reply=50 conv_1_2 user=1 session=5\n");
    send(&scene, 42); /* more than half of the queue */
    typing(&scene, 51, true);
    scene_expect(&scene, "g1 ERROR reply=51 conv_1_2 user=1 session=5 unavailable\n");
    send(&scene, 43);
    scene_expect(&scene, "");
    send(&scene, 44); /* all of it */
    scene_expect(&scene, "g1 ERROR reply=44 conv_1_2 user=1 session=5 unavailable\n");
    typing(&scene, 52, false); /* the end of typing is always let through */
    scene_expect(&scene, "g1 DONE reply=52 conv_1_2 user=1 session=5\n");
    assert_int_equal(busy(&scene, BUSY_HINT), 1);
    assert_int_equal(busy(&scene, BUSY_WRITE_JOBS), 1);
    scene_fini(&scene);
}

static void bytes_count_as_much_as_jobs(void **state) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.jobs.classes[JOB_WRITE].max_bytes = 500;
    scene_start(&scene);
    scene_up(&scene, "g1", 0, 0);
    send(&scene, 40);
    assert_in_range(jobs_gauges(broker_core_jobs(scene.core), JOB_WRITE).bytes, 251, 499);
    typing(&scene, 50, true);
    scene_expect(&scene, "g1 ERROR reply=50 conv_1_2 user=1 session=5 unavailable\n");
    scene_fini(&scene);
}

static void presence_is_held_back_and_told_once_there_is_room(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    str_t user = STR("1");
    proto_watch_encode(&(proto_watch_t){.users = {&user, 1}}, &scene.body);
    scene_deliver(&scene, "g2", MSG_WATCH, &(scene_head_t){.id = 60});
    for (uint64_t id = 40; id < 43; id++)
        send(&scene, id);
    scene_forget(&scene);
    scene_subscribe(&scene, "g1", "1", 5);
    scene_at(&scene, 10100);
    scene_expect(&scene, "");
    assert_int_equal(presence_owed(broker_core_presence(scene.core)), 1);
    scene_up(&scene, "w1", 1, 1);
    scene_error(&scene, "w1", 1, CODE_INTERNAL); /* one is done, the queue is half full */
    scene_forget(&scene);
    scene_at(&scene, 10200);
    scene_expect(&scene, "g2 PRESENCE user=1 online last_seen=0\n");
    assert_int_equal(presence_owed(broker_core_presence(scene.core)), 0);
    scene_fini(&scene);
}

static void a_gateway_that_is_behind_gets_no_hints(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    join(&scene, "g1", "1", 5);
    join(&scene, "g2", "2", 6);
    str_t user = STR("1");
    proto_watch_encode(&(proto_watch_t){.users = {&user, 1}}, &scene.body);
    scene_deliver(&scene, "g2", MSG_WATCH, &(scene_head_t){.id = 60});
    scene_forget(&scene);
    scene.behind = "g2";
    typing(&scene, 50, true);
    scene_expect(&scene, "g1 TYPING_EVENT conv_1_2 user=1 session=5 on\n"
                         "g1 DONE reply=50 conv_1_2 user=1 session=5\n");
    assert_int_equal(broker_core_stats(scene.core)->hints_shed, 1);
    scene_subscribe(&scene, "g1", "1", 5);
    scene_at(&scene, 10100);
    scene_expect(&scene, "");
    scene_at(&scene, 16000); /* the indicator ends: who may have seen it is told */
    scene_expect(&scene, "g1 TYPING_EVENT conv_1_2 user=1 session=5 off\n"
                         "g2 TYPING_EVENT conv_1_2 user=1 off\n");
    scene.behind = NULL;
    scene_at(&scene, 16100);
    scene_expect(&scene, "g2 PRESENCE user=1 online last_seen=0\n");
    scene_fini(&scene);
}

static void messages_for_rejoins_that_wait_are_bounded(void **state) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.max_held_bytes = 300;
    scene_start(&scene);
    scene_up(&scene, "g1", 0, 0);
    scene_up(&scene, "w1", 4, 4);
    str_t user = STR("1");
    uint64_t session = 5;
    proto_rejoin_encode(&(proto_rejoin_t){.sessions = {&session, 1}, .users = {&user, 1}},
                        &scene.body);
    scene_deliver(&scene, "g1", MSG_REJOIN, &(scene_head_t){.room = GROUP, .id = 40});
    scene_stored(&scene, "w1", &(scene_head_t){GROUP, "2", 0, 70}, 0, 1);
    assert_in_range(broker_core_held_bytes(scene.core), 1, 300);
    proto_stored_t large = {.epoch = SCENE_EPOCH, .seq = 2, .message = {(char[400]){0}, 400}};
    proto_stored_encode(&large, &scene.body);
    scene_deliver(&scene, "w1", MSG_STORED, &(scene_head_t){GROUP, "2", 0, 71});
    assert_int_equal(broker_core_held_bytes(scene.core), 0);
    scene_forget(&scene);
    scene_group(&scene, "w1", 1, 1, "1,2"); /* what was missed isn't known: once more */
    scene_expect(&scene, "g1 ERROR reply=40 " GROUP " unavailable\n");
    assert_int_equal(busy(&scene, BUSY_MEMBERS), 1);
    scene_fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typing_is_refused_before_any_message_is),
        cmocka_unit_test(bytes_count_as_much_as_jobs),
        cmocka_unit_test(presence_is_held_back_and_told_once_there_is_room),
        cmocka_unit_test(a_gateway_that_is_behind_gets_no_hints),
        cmocka_unit_test(messages_for_rejoins_that_wait_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
