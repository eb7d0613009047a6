/* Joining, leaving, rights, and what is refused. */
#include "broker_scene.h"

#define GROUP "group_01890000-0000-7000-8000-000000000001"

static void start(scene_t *scene) {
    scene_init(scene);
    scene_start(scene);
    scene_up(scene, "g1", 0, 0);
    scene_up(scene, "w1", 4, 4);
}

static size_t memberships(const scene_t *scene) {
    return rooms_memberships(broker_core_rooms(scene->core));
}

static void join_is_recorded_before_its_state_is_read(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40, 9000});
    assert_int_equal(memberships(&scene), 1);
    scene_expect(&scene, "w1 JOIN id=1 conv_1_2 user=1 session=5\n");
    scene_conversation(&scene, "w1", 1);
    scene_expect(&scene, "g1 CONVERSATION reply=40 conv_1_2 user=1 session=5\n");
    assert_int_equal(memberships(&scene), 1);
    scene_leave(&scene, "g1", "conv_1_2", 5);
    scene_expect(&scene, "");
    assert_int_equal(memberships(&scene), 0);
    scene_fini(&scene);
}

static void failed_join_ends_the_membership(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40});
    scene_error(&scene, "w1", 1, CODE_NOT_FOUND);
    scene_expect(&scene, "w1 JOIN id=1 conv_1_2 user=1 session=5\n"
                         "g1 ERROR reply=40 conv_1_2 user=1 session=5 not_found\n");
    assert_int_equal(memberships(&scene), 0);
    scene_fini(&scene);
}

static void join_that_expires_ends_the_membership(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40, 9000});
    scene_forget(&scene);
    scene_at(&scene, 8999);
    scene_expect(&scene, "");
    scene_at(&scene, 9000);
    scene_expect(&scene, "g1 ERROR reply=40 conv_1_2 user=1 session=5 unavailable\n");
    assert_int_equal(memberships(&scene), 0);
    scene_conversation(&scene, "w1", 1);
    scene_expect(&scene, "");
    assert_int_equal(memberships(&scene), 0);
    scene_fini(&scene);
}

static void late_failure_of_an_earlier_join_keeps_the_later_one(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40});
    scene_leave(&scene, "g1", "conv_1_2", 5);
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 41});
    scene_error(&scene, "w1", 1, CODE_UNAVAILABLE);
    assert_int_equal(memberships(&scene), 1);
    scene_conversation(&scene, "w1", 2);
    assert_int_equal(memberships(&scene), 1);
    scene_fini(&scene);
}

static void second_join_is_answered_again(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    for (uint64_t i = 1; i <= 2; i++) {
        scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40 + i});
        scene_conversation(&scene, "w1", i);
    }
    assert_int_equal(memberships(&scene), 1);
    scene_expect(&scene, "w1 JOIN id=1 conv_1_2 user=1 session=5\n"
                         "g1 CONVERSATION reply=41 conv_1_2 user=1 session=5\n"
                         "w1 JOIN id=2 conv_1_2 user=1 session=5\n"
                         "g1 CONVERSATION reply=42 conv_1_2 user=1 session=5\n");
    scene_fini(&scene);
}

static void strangers_and_misspelled_ids_are_refused_without_a_job(void **state) {
    (void)state;
    static const struct {
        const char *room, *user;
        const char *code;
    } rows[] = {
        {"conv_1_2", "3", "forbidden"},       {"conv_1_2", "", "forbidden"},
        {"conv_2_1", "1", "invalid_payload"}, {"conv_1_1", "1", "invalid_payload"},
        {"user_1", "1", "invalid_payload"},   {"", "1", "invalid_payload"},
        {"group_x", "1", "invalid_payload"},
    };
    static const uint16_t types[] = {MSG_JOIN,
                                     MSG_SEND,
                                     MSG_MARK_READ,
                                     MSG_TYPING,
                                     MSG_HISTORY,
                                     MSG_GET_CONVERSATION,
                                     MSG_ADD_PARTICIPANTS,
                                     MSG_REMOVE_PARTICIPANT};
    scene_t scene;
    start(&scene);
    scene_up(&scene, "r1", 0, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t j = 0; j < sizeof(types) / sizeof(types[0]); j++) {
            const char *from = proto_allowed(types[j], ROLE_GATEWAY, ROLE_BROKER) ? "g1" : "r1";
            proto_history_encode(&(proto_history_t){.limit = 5}, &scene.body);
            scene_deliver(&scene, from, types[j],
                          &(scene_head_t){rows[i].room, rows[i].user, 5, 40});
            assert_non_null(strstr(strbuf_cstr(&scene.record), rows[i].code));
            assert_null(strstr(strbuf_cstr(&scene.record), "w1 "));
            scene_forget(&scene);
        }
    }
    assert_int_equal(memberships(&scene), 0);
    scene_fini(&scene);
}

static void rooms_of_users_are_checked(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "r1", 0, 0);
    proto_list_conversations_encode(&(proto_list_conversations_t){.limit = 5}, &scene.body);
    scene_deliver(&scene, "r1", MSG_LIST_CONVERSATIONS, &(scene_head_t){"user_1", "2", 0, 1});
    scene_expect(&scene, "r1 ERROR reply=1 user_1 user=2 forbidden\n");
    proto_user_seen_encode(&(proto_user_seen_t){0}, &scene.body);
    scene_deliver(&scene, "r1", MSG_USER_SEEN, &(scene_head_t){"conv_1_2", "2", 0, 2});
    scene_expect(&scene, "r1 ERROR reply=2 conv_1_2 user=2 invalid_payload\n");
    proto_get_user_encode(&(proto_get_user_t){0}, &scene.body);
    scene_deliver(&scene, "r1", MSG_GET_USER, &(scene_head_t){"user_1", "2", 0, 3});
    scene_expect(&scene, "w1 GET_USER id=1 user_1 user=2\n");
    scene_deliver(&scene, "r1", MSG_GET_USER, &(scene_head_t){"conv_1_2", "2", 0, 4});
    scene_expect(&scene, "r1 ERROR reply=4 conv_1_2 user=2 invalid_payload\n");
    scene_deliver(&scene, "g1", MSG_SUBSCRIBE, &(scene_head_t){"user_1", "2", 9, 0});
    scene_expect(&scene, "g1 refused SUBSCRIBE: SUBSCRIBE to a room that isn't the user's own\n");
    scene_fini(&scene);
}

static void creating_needs_no_membership_of_a_new_group(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "r1", 0, 0);
    str_t users[] = {STR("2")};
    proto_create_conversation_t create = {.users = {users, 1}};
    proto_create_conversation_encode(&create, &scene.body);
    scene_deliver(&scene, "r1", MSG_CREATE_CONVERSATION, &(scene_head_t){GROUP, "1", 0, 1});
    scene_expect(&scene, "w1 CREATE_CONVERSATION id=1 " GROUP " user=1\n");
    proto_create_conversation_encode(&create, &scene.body);
    scene_deliver(&scene, "r1", MSG_CREATE_CONVERSATION, &(scene_head_t){"conv_2_3", "1", 0, 2});
    scene_expect(&scene, "r1 ERROR reply=2 conv_2_3 user=1 forbidden\n");
    scene_fini(&scene);
}

static void trusted_history_is_for_gateways(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "r1", 0, 0);
    proto_history_t history = {.limit = 5, .trusted = 1};
    proto_history_encode(&history, &scene.body);
    scene_deliver(&scene, "g1", MSG_HISTORY, &(scene_head_t){"conv_1_2", NULL, 0, 1});
    scene_expect(&scene, "w1 HISTORY id=1 conv_1_2\n");
    proto_history_encode(&history, &scene.body);
    scene_deliver(&scene, "r1", MSG_HISTORY, &(scene_head_t){"conv_1_2", "1", 0, 2});
    scene_expect(&scene, "r1 refused HISTORY: malformed request\n"
                         "r1 ERROR reply=2 conv_1_2 user=1 invalid_payload\n");
    proto_history_encode(&history, &scene.body);
    scene_deliver(&scene, "g1", MSG_HISTORY, &(scene_head_t){"user_1", NULL, 0, 3});
    scene_expect(&scene, "g1 refused HISTORY: malformed request\n"
                         "g1 ERROR reply=3 user_1 invalid_payload\n");
    scene_deliver(&scene, "g1", MSG_HISTORY, &(scene_head_t){"conv_1_2", "1", 0, 4});
    scene_expect(&scene, "g1 refused HISTORY: malformed request\n"
                         "g1 ERROR reply=4 conv_1_2 user=1 invalid_payload\n");
    scene_fini(&scene);
}

/* ---- groups ---- */

static void group_requests_wait_for_its_members_in_order(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_join(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 40});
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 41});
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "2", 6, 42});
    scene_expect(&scene, "w1 LOAD_GROUP id=1 " GROUP "\n");
    assert_int_equal(memberships(&scene), 0);
    scene_group(&scene, "w1", 1, 3, "2,1");
    scene_expect(&scene, "w1 JOIN id=2 " GROUP " user=1 session=5\n"
                         "w1 SEND id=3 " GROUP " user=1 session=5\n"
                         "w1 SEND id=4 " GROUP " user=2 session=6\n");
    assert_int_equal(memberships(&scene), 1);
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "2", 6, 43});
    scene_expect(&scene, "w1 SEND id=5 " GROUP " user=2 session=6\n");
    scene_fini(&scene);
}

static void group_refuses_only_after_a_load_that_was_asked_for_later(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 41});
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "3", 6, 42});
    scene_forget(&scene);
    scene_group(&scene, "w1", 1, 1, "1");
    scene_expect(&scene, "w1 SEND id=2 " GROUP " user=1 session=5\n"
                         "w1 LOAD_GROUP id=3 " GROUP "\n");
    scene_group(&scene, "w1", 3, 1, "1");
    scene_expect(&scene, "g1 ERROR reply=42 " GROUP " user=3 session=6 forbidden\n");
    scene_fini(&scene);
}

static void unknown_group_is_forbidden_and_not_remembered(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_join(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 40});
    scene_group(&scene, "w1", 1, 0, "");
    scene_expect(&scene, "w1 LOAD_GROUP id=1 " GROUP "\n"
                         "g1 ERROR reply=40 " GROUP " user=1 session=5 forbidden\n");
    assert_int_equal(rights_groups(broker_core_rights(scene.core)), 0);
    scene_join(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 41});
    scene_expect(&scene, "w1 LOAD_GROUP id=2 " GROUP "\n");
    scene_group(&scene, "w1", 2, 1, "1");
    scene_expect(&scene, "w1 JOIN id=3 " GROUP " user=1 session=5\n");
    scene_fini(&scene);
}

static void load_asked_for_before_a_change_is_thrown_away(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_join(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 40});
    scene_forget(&scene);
    scene_members_changed(&scene, "w1", &(scene_head_t){GROUP, NULL, 0, 70}, 999, 4, "1");
    scene_expect(&scene, "w1 DONE reply=70 " GROUP "\n");
    scene_group(&scene, "w1", 1, 3, "1,2");
    scene_expect(&scene, "w1 LOAD_GROUP id=2 " GROUP "\n");
    scene_group(&scene, "w1", 2, 4, "2");
    scene_expect(&scene, "g1 ERROR reply=40 " GROUP " user=1 session=5 forbidden\n");
    scene_fini(&scene);
}

static void load_that_fails_or_expires_answers_unavailable(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 41});
    scene_error(&scene, "w1", 1, CODE_UNAVAILABLE);
    scene_expect(&scene, "w1 LOAD_GROUP id=1 " GROUP "\n"
                         "g1 ERROR reply=41 " GROUP " user=1 session=5 unavailable\n");
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 42});
    scene_forget(&scene);
    scene_at(&scene, 3000);
    scene_expect(&scene, "g1 ERROR reply=42 " GROUP " user=1 session=5 unavailable\n");
    scene_fini(&scene);
}

static void leaving_ends_a_join_that_waits_for_its_rights(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_join(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 40});
    scene_join(&scene, "g1", &(scene_head_t){GROUP, "1", 6, 41});
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 42});
    scene_leave(&scene, "g1", GROUP, 5);
    scene_join(&scene, "g1", &(scene_head_t){GROUP, "1", 7, 43});
    scene_leave(&scene, "g1", GROUP, 7);
    scene_join(&scene, "g1", &(scene_head_t){GROUP, "1", 7, 44});
    scene_forget(&scene);
    scene_group(&scene, "w1", 1, 1, "1");
    scene_expect(&scene, "w1 JOIN id=2 " GROUP " user=1 session=6\n"
                         "w1 SEND id=3 " GROUP " user=1 session=5\n"
                         "w1 JOIN id=4 " GROUP " user=1 session=7\n");
    assert_int_equal(memberships(&scene), 2);
    scene_fini(&scene);
}

static void member_added_while_waiting_does_not_overtake_himself(void **state) {
    (void)state;
    scene_t scene;
    str_t added = STR("2");
    start(&scene);
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 40});
    scene_group(&scene, "w1", 1, 1, "1");
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "2", 6, 41});
    scene_forget(&scene);
    proto_members_changed_encode(
        &(proto_members_changed_t){
            .job = 999, .epoch = SCENE_EPOCH, .members_version = 2, .added = {&added, 1}},
        &scene.body);
    scene_deliver(&scene, "w1", MSG_MEMBERS_CHANGED, &(scene_head_t){.room = GROUP, .id = 70});
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "2", 6, 42});
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 43});
    scene_expect(&scene, "w1 DONE reply=70 " GROUP "\n"
                         "w1 SEND id=4 " GROUP " user=1 session=5\n");
    scene_group(&scene, "w1", 3, 1, "1");
    scene_group(&scene, "w1", 5, 2, "1,2");
    scene_expect(&scene, "w1 LOAD_GROUP id=5 " GROUP "\n"
                         "w1 SEND id=6 " GROUP " user=2 session=6\n"
                         "w1 SEND id=7 " GROUP " user=2 session=6\n");
    scene_fini(&scene);
}

static void request_whose_deadline_passed_while_waiting_is_not_done(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 41, 1000});
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 42, 2000});
    scene_forget(&scene);
    scene_at(&scene, 1000);
    scene_group(&scene, "w1", 1, 1, "1");
    scene_expect(&scene, "g1 ERROR reply=41 " GROUP " user=1 session=5 unavailable\n"
                         "w1 SEND id=2 " GROUP " user=1 session=5\n");
    scene_at(&scene, 1999);
    scene_expect(&scene, "");
    scene_at(&scene, 2000);
    scene_expect(&scene, "g1 ERROR reply=42 " GROUP " user=1 session=5 unavailable\n");
    scene_fini(&scene);
}

static void removed_members_are_expelled(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "g2", 0, 0);
    scene_up(&scene, "r1", 0, 0);
    scene_join(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 40});
    scene_group(&scene, "w1", 1, 1, "1,2");
    scene_conversation(&scene, "w1", 2);
    scene_join(&scene, "g1", &(scene_head_t){GROUP, "2", 6, 41});
    scene_conversation(&scene, "w1", 3);
    scene_join(&scene, "g2", &(scene_head_t){GROUP, "1", 1, 42});
    scene_conversation(&scene, "w1", 4);
    proto_remove_participant_encode(&(proto_remove_participant_t){.target = STR("2")}, &scene.body);
    scene_deliver(&scene, "r1", MSG_REMOVE_PARTICIPANT, &(scene_head_t){GROUP, "1", 0, 50});
    scene_forget(&scene);
    scene_members_changed(&scene, "w1", &(scene_head_t){GROUP, "1", 0, 70}, 5, 2, "2");
    scene_expect(&scene, "r1 MEMBERS_CHANGED reply=50 " GROUP " user=1\n"
                         "g1 EXPEL " GROUP " user=1 users=2\n"
                         "w1 DONE reply=70 " GROUP " user=1\n");
    assert_int_equal(memberships(&scene), 2);
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "2", 6, 43});
    scene_expect(&scene, "w1 LOAD_GROUP id=6 " GROUP "\n");
    scene_group(&scene, "w1", 6, 2, "1");
    scene_expect(&scene, "g1 ERROR reply=43 " GROUP " user=2 session=6 forbidden\n");
    scene_fini(&scene);
}

static void removal_told_late_does_not_expel_who_was_added_again(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_join(&scene, "g1", &(scene_head_t){GROUP, "2", 5, 40});
    scene_group(&scene, "w1", 1, 3, "1,2");
    scene_forget(&scene);
    scene_members_changed(&scene, "w1", &(scene_head_t){GROUP, NULL, 0, 70}, 999, 2, "2");
    scene_expect(&scene, "w1 DONE reply=70 " GROUP "\n");
    assert_int_equal(memberships(&scene), 1);
    scene_members_changed(&scene, "w1", &(scene_head_t){GROUP, NULL, 0, 71}, 999, 4, "2");
    assert_int_equal(memberships(&scene), 0);
    scene_fini(&scene);
}

static void join_read_before_a_removal_does_not_subscribe(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_join(&scene, "g1", &(scene_head_t){GROUP, "2", 6, 40});
    scene_group(&scene, "w1", 1, 1, "1,2");
    scene_forget(&scene);
    scene_members_changed(&scene, "w1", &(scene_head_t){GROUP, "1", 0, 70}, 999, 2, "2");
    scene_conversation(&scene, "w1", 2);
    scene_expect(&scene, "g1 EXPEL " GROUP " user=1 users=2\n"
                         "w1 DONE reply=70 " GROUP " user=1\n"
                         "g1 ERROR reply=40 " GROUP " user=2 session=6 forbidden\n");
    assert_int_equal(memberships(&scene), 0);
    scene_fini(&scene);
}

/* ---- limits ---- */

static void limits_of_rooms_memberships_and_waiting(void **state) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.rooms = (rooms_limits_t){.max_rooms = 2, .max_memberships_per_gateway = 3};
    scene.config.rights.max_waiting_per_room = 1;
    scene_start(&scene);
    scene_up(&scene, "g1", 0, 0);
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40});
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_3", "1", 5, 41});
    scene_expect(&scene, "");
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_4", "1", 5, 42});
    scene_expect(&scene, "g1 ERROR reply=42 conv_1_4 user=1 session=5 unavailable\n");
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 6, 43});
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 7, 44});
    scene_expect(&scene, "g1 ERROR reply=44 conv_1_2 user=1 session=7 unavailable\n");
    scene_subscribe(&scene, "g1", "1", 7);
    scene_expect(&scene, "g1 refused SUBSCRIBE: too many rooms or memberships\n");
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 45});
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 46});
    scene_expect(&scene, "g1 ERROR reply=46 " GROUP " user=1 session=5 unavailable\n");
    scene_fini(&scene);
}

static void full_queue_refuses_a_join_and_leaves_no_membership(void **state) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.jobs.classes[JOB_READ].max_jobs = 1;
    scene_start(&scene);
    scene_up(&scene, "g1", 0, 0);
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40});
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_3", "1", 5, 41});
    scene_expect(&scene, "g1 ERROR reply=41 conv_1_3 user=1 session=5 unavailable\n");
    assert_int_equal(memberships(&scene), 1);
    assert_int_equal(scene.ended[JOB_READ][JOB_OUTCOME_REFUSED], 1);
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 42});
    scene_expect(&scene, "g1 ERROR reply=42 " GROUP " user=1 session=5 unavailable\n");
    assert_int_equal(rights_groups(broker_core_rights(scene.core)), 0);
    scene_fini(&scene);
}

static void session_cannot_be_two_users_in_one_room(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40});
    scene_forget(&scene);
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "2", 5, 41});
    scene_expect(&scene, "g1 refused JOIN: session is in the room as another user\n"
                         "g1 ERROR reply=41 conv_1_2 user=2 session=5 invalid_payload\n");
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "2", 0, 42});
    scene_expect(&scene, "g1 refused JOIN: malformed request\n"
                         "g1 ERROR reply=42 conv_1_2 user=2 invalid_payload\n");
    scene_fini(&scene);
}

static void gateway_down_takes_everything_of_it(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "g2", 0, 0);
    scene_subscribe(&scene, "g1", "1", 5);
    scene_join(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 40});
    scene_join(&scene, "g2", &(scene_head_t){"conv_1_2", "2", 5, 40});
    scene_typing(&scene, "g1", &(scene_head_t){"conv_1_2", "1", 5, 41}, true);
    scene_send(&scene, "g1", &(scene_head_t){GROUP, "1", 5, 42});
    scene_forget(&scene);
    scene_down(&scene, "g1");
    scene_expect(&scene, "g2 TYPING_EVENT conv_1_2 user=1 off\n");
    assert_int_equal(memberships(&scene), 1);
    scene_group(&scene, "w1", 3, 1, "1");
    scene_conversation(&scene, "w1", 1);
    scene_expect(&scene, "");
    scene_fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join_is_recorded_before_its_state_is_read),
        cmocka_unit_test(failed_join_ends_the_membership),
        cmocka_unit_test(join_that_expires_ends_the_membership),
        cmocka_unit_test(late_failure_of_an_earlier_join_keeps_the_later_one),
        cmocka_unit_test(second_join_is_answered_again),
        cmocka_unit_test(strangers_and_misspelled_ids_are_refused_without_a_job),
        cmocka_unit_test(rooms_of_users_are_checked),
        cmocka_unit_test(creating_needs_no_membership_of_a_new_group),
        cmocka_unit_test(trusted_history_is_for_gateways),
        cmocka_unit_test(group_requests_wait_for_its_members_in_order),
        cmocka_unit_test(group_refuses_only_after_a_load_that_was_asked_for_later),
        cmocka_unit_test(unknown_group_is_forbidden_and_not_remembered),
        cmocka_unit_test(load_asked_for_before_a_change_is_thrown_away),
        cmocka_unit_test(load_that_fails_or_expires_answers_unavailable),
        cmocka_unit_test(leaving_ends_a_join_that_waits_for_its_rights),
        cmocka_unit_test(member_added_while_waiting_does_not_overtake_himself),
        cmocka_unit_test(request_whose_deadline_passed_while_waiting_is_not_done),
        cmocka_unit_test(removed_members_are_expelled),
        cmocka_unit_test(removal_told_late_does_not_expel_who_was_added_again),
        cmocka_unit_test(join_read_before_a_removal_does_not_subscribe),
        cmocka_unit_test(limits_of_rooms_memberships_and_waiting),
        cmocka_unit_test(full_queue_refuses_a_join_and_leaves_no_membership),
        cmocka_unit_test(session_cannot_be_two_users_in_one_room),
        cmocka_unit_test(gateway_down_takes_everything_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
