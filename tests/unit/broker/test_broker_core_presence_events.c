/* Presence as gateways hear it, and as it is stored. */
#include "broker_scene.h"

static void start(scene_t *scene) {
    scene_init(scene);
    scene_start(scene);
    scene_up(scene, "g1", 0, 0);
    scene_up(scene, "g2", 0, 0);
}

static void watch(scene_t *scene, const char *from, const char *users, uint64_t id) {
    str_t items[8];
    proto_watch_encode(&(proto_watch_t){.users = {items, scene_split(users, items, 8)}},
                       &scene->body);
    scene_deliver(scene, from, MSG_WATCH, &(scene_head_t){.id = id});
}

static void unwatch(scene_t *scene, const char *from, const char *users) {
    str_t items[8];
    proto_unwatch_encode(&(proto_unwatch_t){.users = {items, scene_split(users, items, 8)}},
                         &scene->body);
    scene_deliver(scene, from, MSG_UNWATCH, &(scene_head_t){0});
}

static void watchers_hear_of_the_first_and_the_last_socket(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_at(&scene, 10000);
    watch(&scene, "g2", "1,2", 40);
    scene_expect(&scene, "g2 PRESENCES reply=40 users=1,2 online=0,0 last_seen=0,0\n");
    scene_subscribe(&scene, "g1", "1", 5);
    scene_expect(&scene, "g2 PRESENCE user=1 online last_seen=0\n");
    scene_subscribe(&scene, "g1", "1", 6);
    scene_subscribe(&scene, "g1", "1", 6);
    scene_leave(&scene, "g1", "user_1", 5);
    scene_expect(&scene, "");
    scene_at(&scene, 20000);
    scene_leave(&scene, "g1", "user_1", 6);
    scene_at(&scene, 22999);
    scene_expect(&scene, "");
    scene_at(&scene, 23000);
    scene_expect(&scene, "g2 PRESENCE user=1 offline last_seen=1020000\n");
    watch(&scene, "g1", "1", 41);
    scene_expect(&scene, "g1 PRESENCES reply=41 users=1 online=0 last_seen=1020000\n");
    scene_fini(&scene);
}

static void short_absence_is_not_told(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_at(&scene, 10000);
    scene_subscribe(&scene, "g1", "1", 5);
    watch(&scene, "g2", "1", 40);
    scene_down(&scene, "g1");
    scene_at(&scene, 12999);
    scene_up(&scene, "g1", 0, 0);
    scene_subscribe(&scene, "g1", "1", 9);
    scene_at(&scene, 30000);
    scene_expect(&scene, "g2 PRESENCES reply=40 users=1 online=1 last_seen=0\n");
    scene_fini(&scene);
}

static void nobody_goes_offline_in_the_first_seconds(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_subscribe(&scene, "g1", "1", 5);
    watch(&scene, "g2", "1", 40);
    scene_forget(&scene);
    scene_leave(&scene, "g1", "user_1", 5);
    scene_at(&scene, 4999);
    scene_expect(&scene, "");
    scene_at(&scene, 5000);
    scene_expect(&scene, "g2 PRESENCE user=1 offline last_seen=1000000\n");
    scene_fini(&scene);
}

static void users_unknown_at_the_start_are_settled_later(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    watch(&scene, "g2", "1,2,3", 40);
    watch(&scene, "g1", "3", 41);
    unwatch(&scene, "g2", "3");
    unwatch(&scene, "g1", "3");
    scene_expect(&scene, "g2 PRESENCES reply=40 users=1,2,3 online=0,0,0 last_seen=0,0,0\n"
                         "g1 PRESENCES reply=41 users=3 online=0 last_seen=0\n");
    scene_subscribe(&scene, "g1", "1", 5);
    scene_expect(&scene, "g2 PRESENCE user=1 online last_seen=0\n");
    scene_at(&scene, 5000);
    scene_expect(&scene, "g2 PRESENCE user=2 offline last_seen=0\n");
    scene_at(&scene, 6000);
    assert_int_equal(presence_unwritten(broker_core_presence(scene.core)), 0);
    scene_fini(&scene);
}

static void last_seen_is_stored_in_batches_one_at_a_time(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "w1", 1, 1);
    scene_at(&scene, 10000);
    scene_subscribe(&scene, "g1", "1", 5);
    scene_subscribe(&scene, "g1", "2", 6);
    scene_subscribe(&scene, "g2", "3", 5);
    scene_down(&scene, "g1");
    scene_at(&scene, 13000);
    scene_expect(&scene, "w1 LAST_SEEN id=1 users=1,2 at=1010000,1010000\n");
    scene_down(&scene, "g2");
    scene_at(&scene, 16000);
    scene_expect(&scene, "");
    proto_done_encode(&(proto_done_t){0}, &scene.body);
    scene_answer(&scene, "w1", MSG_DONE, &(scene_head_t){.id = 1});
    scene_at(&scene, 16001);
    scene_expect(&scene, "w1 LAST_SEEN id=2 users=3 at=1013000\n");
    scene_error(&scene, "w1", 2, CODE_UNAVAILABLE);
    assert_int_equal(broker_core_stats(scene.core)->last_seen_lost, 1);
    scene_fini(&scene);
}

static void watching_has_a_limit_and_ends(void **state) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.presence.max_watches_per_gateway = 2;
    scene_start(&scene);
    scene_up(&scene, "g1", 0, 0);
    scene_at(&scene, 10000);
    watch(&scene, "g1", "1,2,1", 40);
    scene_forget(&scene);
    watch(&scene, "g1", "3", 41);
    scene_expect(&scene, "g1 ERROR reply=41 unavailable\n");
    unwatch(&scene, "g1", "1,4");
    watch(&scene, "g1", "3", 42);
    scene_expect(&scene, "g1 PRESENCES reply=42 users=3 online=0 last_seen=0\n");
    watch(&scene, "g1", "a_b", 43);
    scene_expect(&scene, "g1 refused WATCH: malformed WATCH\n"
                         "g1 ERROR reply=43 invalid_payload\n");
    strbuf_append(&scene.body, STR("\xc1"));
    scene_deliver(&scene, "g1", MSG_UNWATCH, &(scene_head_t){0});
    scene_expect(&scene, "g1 refused UNWATCH: malformed UNWATCH\n");
    scene_down(&scene, "g1");
    assert_int_equal(users_count(broker_core_users(scene.core)), 0);
    scene_fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watchers_hear_of_the_first_and_the_last_socket),
        cmocka_unit_test(short_absence_is_not_told),
        cmocka_unit_test(nobody_goes_offline_in_the_first_seconds),
        cmocka_unit_test(users_unknown_at_the_start_are_settled_later),
        cmocka_unit_test(last_seen_is_stored_in_batches_one_at_a_time),
        cmocka_unit_test(watching_has_a_limit_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
