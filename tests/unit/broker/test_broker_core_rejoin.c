/* What a gateway says anew after its link was lost. */
#include "broker_scene.h"

#define GROUP "group_01890000-0000-7000-8000-000000000001"

static void start(scene_t *scene) {
    scene_init(scene);
    scene_start(scene);
    scene_up(scene, "g1", 0, 0);
    scene_up(scene, "w1", 4, 4);
}

static void rejoin(scene_t *scene, const char *from, const char *room, const char *users,
                   uint64_t first_session, uint64_t id) {
    str_t items[8];
    uint64_t sessions[8];
    size_t n = scene_split(users, items, 8);
    for (size_t i = 0; i < n; i++)
        sessions[i] = first_session + i;
    proto_rejoin_encode(&(proto_rejoin_t){.sessions = {sessions, n}, .users = {items, n}},
                        &scene->body);
    scene_deliver(scene, from, MSG_REJOIN, &(scene_head_t){.room = room, .id = id});
}

static size_t memberships(const scene_t *scene) {
    return rooms_memberships(broker_core_rooms(scene->core));
}

static void direct_and_own_rooms_are_decided_at_once(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    rejoin(&scene, "g1", "conv_1_2", "1,2,3", 5, 40);
    rejoin(&scene, "g1", "user_1", "1,2", 5, 41);
    scene_expect(&scene, "g1 REJOINED reply=40 conv_1_2 refused=7\n"
                         "g1 REJOINED reply=41 user_1 refused=6\n");
    assert_int_equal(memberships(&scene), 3);
    assert_int_equal(presence_online(broker_core_presence(scene.core)), 1);
    assert_int_equal(broker_core_stats(scene.core)->rejoins_refused, 2);
    rejoin(&scene, "g1", "user_1", "1", 5, 42);
    assert_int_equal(presence_online(broker_core_presence(scene.core)), 1);
    scene_fini(&scene);
}

static void groups_wait_for_a_load_asked_for_afterwards(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 39});
    rejoin(&scene, "g1", GROUP, "1,2", 5, 40);
    scene_expect(&scene, "w1 LOAD_GROUP id=1 " GROUP "\n");
    scene_group(&scene, "w1", 1, 1, "1,2");
    scene_expect(&scene, "w1 SEND id=2 " GROUP " user=1 session=5\n"
                         "w1 LOAD_GROUP id=3 " GROUP "\n");
    assert_int_equal(memberships(&scene), 0);
    scene_group(&scene, "w1", 3, 2, "1");
    scene_expect(&scene, "g1 REJOINED reply=40 " GROUP " refused=6\n");
    assert_int_equal(memberships(&scene), 1);
    scene_fini(&scene);
}

static void cached_list_does_not_decide_a_rejoin(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 39});
    scene_group(&scene, "w1", 1, 1, "1,2");
    scene_forget(&scene);
    rejoin(&scene, "g1", GROUP, "2", 5, 40);
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 41});
    scene_expect(&scene, "w1 LOAD_GROUP id=3 " GROUP "\n"
                         "w1 SEND id=4 " GROUP " user=1 session=5\n");
    scene_group(&scene, "w1", 3, 2, "1");
    scene_expect(&scene, "g1 REJOINED reply=40 " GROUP " refused=5\n");
    scene_fini(&scene);
}

static void group_that_is_gone_refuses_all(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    rejoin(&scene, "g1", GROUP, "1,2", 5, 40);
    scene_group(&scene, "w1", 1, 0, "");
    scene_expect(&scene, "w1 LOAD_GROUP id=1 " GROUP "\n"
                         "g1 REJOINED reply=40 " GROUP " refused=5,6\n");
    assert_int_equal(rooms_count(broker_core_rooms(scene.core)), 0);
    scene_fini(&scene);
}

/* Nor admitted: somebody may have been removed before the gateway was back. */
static void nobody_is_refused_when_the_load_fails(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    rejoin(&scene, "g1", GROUP, "1,2", 5, 40);
    scene_forget(&scene);
    scene_at(&scene, 3000);
    scene_expect(&scene, "g1 ERROR reply=40 " GROUP " unavailable\n");
    assert_int_equal(memberships(&scene), 0);
    assert_int_equal(rooms_count(broker_core_rooms(scene.core)), 0);
    scene_fini(&scene);
}

static void cached_list_decides_when_the_load_fails(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 39});
    scene_group(&scene, "w1", 1, 1, "1,2");
    rejoin(&scene, "g1", GROUP, "1,3", 5, 40);
    scene_forget(&scene);
    scene_at(&scene, 3000);
    scene_expect(&scene, "g1 REJOINED reply=40 " GROUP " refused=6\n");
    assert_int_equal(memberships(&scene), 1);
    scene_fini(&scene);
}

static void full_queue_refuses_nobody_either(void **state) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.jobs.classes[JOB_READ].max_jobs = 0;
    scene_start(&scene);
    scene_up(&scene, "g1", 0, 0);
    rejoin(&scene, "g1", GROUP, "1,2", 5, 40);
    scene_expect(&scene, "g1 ERROR reply=40 " GROUP " unavailable\n");
    scene_fini(&scene);
}

static void newest_message_of_the_wait_is_sent_to_those_admitted(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "g2", 0, 0);
    rejoin(&scene, "g1", GROUP, "1", 5, 40);
    rejoin(&scene, "g2", GROUP, "3", 5, 41);
    scene_stored(&scene, "w1", &(scene_head_t){GROUP, "2", 0, 70}, 900, 7);
    scene_stored(&scene, "w1", &(scene_head_t){GROUP, "2", 0, 71}, 901, 8);
    scene_expect(&scene, "w1 LOAD_GROUP id=1 " GROUP "\n"
                         "w1 DONE reply=70 " GROUP " user=2\n"
                         "w1 DONE reply=71 " GROUP " user=2\n");
    scene_group(&scene, "w1", 1, 1, "1,2");
    scene_expect(&scene, "g1 REJOINED reply=40 " GROUP " refused=\n"
                         "g1 NEW_MESSAGE " GROUP " user=2 seq=8\n"
                         "w1 LOAD_GROUP id=2 " GROUP "\n");
    scene_group(&scene, "w1", 2, 1, "1,2");
    scene_expect(&scene, "g2 REJOINED reply=41 " GROUP " refused=5\n");
    scene_fini(&scene);
}

static void removal_while_waiting_throws_the_load_away(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    rejoin(&scene, "g1", GROUP, "1,2", 5, 40);
    scene_members_changed(&scene, "w1", &(scene_head_t){GROUP, "1", 0, 70}, 900, 2, "2");
    scene_forget(&scene);
    scene_group(&scene, "w1", 1, 1, "1,2");
    scene_expect(&scene, "w1 LOAD_GROUP id=2 " GROUP "\n");
    scene_group(&scene, "w1", 2, 2, "1");
    scene_expect(&scene, "g1 REJOINED reply=40 " GROUP " refused=6\n");
    scene_fini(&scene);
}

static void who_leaves_while_waiting_is_not_put_back(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    rejoin(&scene, "g1", GROUP, "1,2,2", 5, 40);
    scene_leave(&scene, "g1", GROUP, 5);
    scene_leave(&scene, "g1", GROUP, 6);
    rejoin(&scene, "g1", GROUP, "2", 6, 41); /* he had come back */
    scene_forget(&scene);
    scene_group(&scene, "w1", 1, 1, "1,2");
    assert_int_equal(memberships(&scene), 2);
    scene_expect(&scene, "g1 REJOINED reply=40 " GROUP " refused=\n"
                         "w1 LOAD_GROUP id=2 " GROUP "\n");
    scene_group(&scene, "w1", 2, 1, "1,2");
    scene_expect(&scene, "g1 REJOINED reply=41 " GROUP " refused=\n");
    assert_int_equal(memberships(&scene), 2);
    scene_fini(&scene);
}

static void too_many_leaving_while_waiting_make_the_gateway_ask_again(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    rejoin(&scene, "g1", GROUP, "1", 5, 40);
    for (uint64_t session = 100; session <= 1100; session++)
        scene_leave(&scene, "g1", GROUP, session);
    scene_forget(&scene);
    scene_group(&scene, "w1", 1, 1, "1");
    scene_expect(&scene, "g1 ERROR reply=40 " GROUP " unavailable\n");
    assert_int_equal(memberships(&scene), 0);
    rejoin(&scene, "g1", GROUP, "1", 5, 41);
    scene_group(&scene, "w1", 2, 1, "1");
    assert_int_equal(memberships(&scene), 1);
    scene_fini(&scene);
}

static void gateway_lost_while_waiting_leaves_nothing(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    rejoin(&scene, "g1", GROUP, "1,2", 5, 40);
    scene_down(&scene, "g1");
    scene_forget(&scene);
    assert_int_equal(rooms_count(broker_core_rooms(scene.core)), 0);
    scene_up(&scene, "g1", 0, 0);
    rejoin(&scene, "g1", GROUP, "1", 5, 40);
    scene_group(&scene, "w1", 1, 1, "1,2");
    scene_expect(&scene, "w1 LOAD_GROUP id=2 " GROUP "\n");
    scene_group(&scene, "w1", 2, 1, "1,2");
    scene_expect(&scene, "g1 REJOINED reply=40 " GROUP " refused=\n");
    scene_fini(&scene);
}

static void malformed_rejoins_are_refused(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    uint64_t sessions[] = {5, 6};
    str_t users[] = {STR("1"), STR("a_b")};
    const proto_rejoin_t rows[] = {
        {.sessions = {sessions, 2}, .users = {users, 1}},
        {.sessions = {sessions, 2}, .users = {users, 2}},
    };
    for (size_t i = 0; i < 2; i++) {
        proto_rejoin_encode(&rows[i], &scene.body);
        scene_deliver(&scene, "g1", MSG_REJOIN, &(scene_head_t){.room = "conv_1_2", .id = 40});
        scene_expect(&scene, "g1 refused REJOIN: malformed REJOIN\n"
                             "g1 ERROR reply=40 conv_1_2 invalid_payload\n");
    }
    rejoin(&scene, "g1", "nowhere", "1", 5, 41);
    scene_expect(&scene, "g1 refused REJOIN: malformed REJOIN\n"
                         "g1 ERROR reply=41 nowhere invalid_payload\n");
    rejoin(&scene, "g1", "conv_1_2", "1", 0, 42);
    scene_expect(&scene, "g1 REJOINED reply=42 conv_1_2 refused=0\n");
    assert_int_equal(memberships(&scene), 0);
    scene_fini(&scene);
}

static void rejoin_over_a_limit_is_unavailable(void **state) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.rooms = (rooms_limits_t){.max_rooms = 1, .max_memberships_per_gateway = 2};
    scene_start(&scene);
    scene_up(&scene, "g1", 0, 0);
    rejoin(&scene, "g1", "conv_1_2", "1,1,1", 5, 40);
    scene_expect(&scene, "g1 ERROR reply=40 conv_1_2 unavailable\n");
    rejoin(&scene, "g1", GROUP, "1", 5, 41);
    scene_expect(&scene, "g1 ERROR reply=41 " GROUP " unavailable\n");
    scene_fini(&scene);
}

static void broker_restart_is_rebuilt_from_the_gateway(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    rejoin(&scene, "g1", "conv_1_2", "1,2", 5, 40);
    scene_send(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 41});
    scene_down(&scene, "g1");
    scene_up(&scene, "g1", 0, 0);
    assert_int_equal(memberships(&scene), 0);
    rejoin(&scene, "g1", "conv_1_2", "1,2", 5, 42);
    scene_send(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 41});
    scene_forget(&scene);
    scene_stored(&scene, "w1", &(scene_head_t){"conv_1_2", "1", 5, 70}, 1, 1);
    scene_stored(&scene, "w1", &(scene_head_t){"conv_1_2", "1", 5, 71}, 2, 1);
    scene_expect(&scene, "g1 NEW_MESSAGE conv_1_2 user=1 seq=1\n"
                         "w1 DONE reply=70 conv_1_2 user=1 session=5\n"
                         "g1 STORED reply=41 conv_1_2 user=1 session=5 seq=1\n"
                         "w1 DONE reply=71 conv_1_2 user=1 session=5\n");
    scene_fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(direct_and_own_rooms_are_decided_at_once),
        cmocka_unit_test(groups_wait_for_a_load_asked_for_afterwards),
        cmocka_unit_test(cached_list_does_not_decide_a_rejoin),
        cmocka_unit_test(group_that_is_gone_refuses_all),
        cmocka_unit_test(nobody_is_refused_when_the_load_fails),
        cmocka_unit_test(cached_list_decides_when_the_load_fails),
        cmocka_unit_test(full_queue_refuses_nobody_either),
        cmocka_unit_test(newest_message_of_the_wait_is_sent_to_those_admitted),
        cmocka_unit_test(removal_while_waiting_throws_the_load_away),
        cmocka_unit_test(who_leaves_while_waiting_is_not_put_back),
        cmocka_unit_test(too_many_leaving_while_waiting_make_the_gateway_ask_again),
        cmocka_unit_test(gateway_lost_while_waiting_leaves_nothing),
        cmocka_unit_test(malformed_rejoins_are_refused),
        cmocka_unit_test(rejoin_over_a_limit_is_unavailable),
        cmocka_unit_test(broker_restart_is_rebuilt_from_the_gateway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
