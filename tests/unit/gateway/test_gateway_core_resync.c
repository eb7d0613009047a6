/* A broker that comes back: everything is told anew, and what was missed is read. */
#include "gateway_scene.h"

#define TEST(name) static void name(void **state)
#define MESSAGE(seq) "{\"seq\":" seq ",\"senderId\":\"b\",\"clientId\":\"c" seq "\"}"

static size_t broker_of(const scene_t *scene, const char *room) {
    return brokers_of_room(scene->brokers, str_from(room));
}

static bool recorded(scene_t *scene, const char *text) {
    return strstr(strbuf_cstr(&scene->record), text) != NULL;
}

/* s1 of a and s2 of b have joined conv_a_b, which has `head` messages. */
static void start(scene_t *scene, uint64_t head) {
    scene_init(scene);
    scene_start(scene);
    scene_connect(scene, "a");
    scene_connect(scene, "b");
    scene_joined(scene, 1, head);
    scene_joined(scene, 2, head);
}

/* The broker of conv_a_b goes and comes back. */
static void restart(scene_t *scene) {
    scene_down(scene, broker_of(scene, "conv_a_b"));
    scene_up(scene, broker_of(scene, "conv_a_b"));
}

/* Answers the REJOIN of conv_a_b, and those of users' rooms, nobody refused. */
static void rejoin_all(scene_t *scene) {
    while (scene_pending(scene, MSG_REJOIN)) {
        scene_rejoined(scene, NULL, 0);
        scene_answer(scene, MSG_REJOIN, MSG_REJOINED);
    }
}

TEST(up_tells_sessions_rooms_and_watches) {
    (void)state;
    scene_t scene;
    start(&scene, 3);
    for (size_t broker = 0; broker < 2; broker++) {
        scene_down(&scene, broker);
        scene_up(&scene, broker);
    }
    assert_true(recorded(&scene, "ask REJOIN user_a sessions=1 users=a\n"));
    assert_true(recorded(&scene, "ask REJOIN user_b sessions=2 users=b\n"));
    assert_true(recorded(&scene, "ask REJOIN conv_a_b sessions=1,2 users=a,b\n"));
    assert_true(recorded(&scene, "ask HEADS conv_a_b rooms=conv_a_b\n"));
    assert_true(recorded(&scene, "ask WATCH user_"));
    assert_int_equal(scene_pending(&scene, MSG_REJOIN), 3);
    assert_int_equal(scene_pending(&scene, MSG_HEADS), 1);
    for (size_t i = 0; i < scene.request_count; i++)
        assert_true(scene.requests[i].link_bound);
    scene_fini(&scene);
}

TEST(nothing_is_delivered_before_the_rights_are_confirmed) {
    (void)state;
    scene_t scene;
    start(&scene, 3);
    restart(&scene);
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 4, "b");
    scene_expect(&scene, "");
    rejoin_all(&scene);
    scene_expect(&scene, "ask HISTORY conv_a_b after=3\n");
    scene_history(&scene, 4, 4, 4);
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    scene_expect(&scene, "s1 new_message " MESSAGE("4") "\ns2 new_message " MESSAGE("4") "\n");
    scene_fini(&scene);
}

TEST(who_is_refused_leaves_and_is_told) {
    (void)state;
    scene_t scene;
    uint64_t refused[] = {2, 77};
    start(&scene, 3);
    scene_down(&scene, broker_of(&scene, "conv_a_b"));
    scene_up(&scene, broker_of(&scene, "conv_a_b"));
    scene_forget(&scene);
    while (scene_pending(&scene, MSG_REJOIN)) {
        bool users = strncmp(scene.requests[0].room, "user_", 5) == 0;
        scene_rejoined(&scene, refused, users ? 0 : 2);
        scene_answer(&scene, MSG_REJOIN, MSG_REJOINED);
    }
    scene_expect(&scene, "post LEAVE conv_a_b user=b session=2\n"
                         "s2 conversation_removed {\"conversationId\":\"conv_a_b\"}\n");
    scene_new_message(&scene, "conv_a_b", 4, "b");
    scene_expect(&scene, "s1 new_message " MESSAGE("4") "\n");
    scene_fini(&scene);
}

TEST(heads_are_compared_at_once_and_again_after_five_seconds) {
    (void)state;
    scene_t scene;
    uint64_t head = 5;
    start(&scene, 3);
    restart(&scene);
    rejoin_all(&scene);
    scene_forget(&scene);
    scene_heads(&scene, &head, 1, "g1");
    scene_answer(&scene, MSG_HEADS, MSG_HEAD_SEQS);
    scene_expect(&scene, "ask HISTORY conv_a_b after=3\n");
    scene_history(&scene, 4, 5, 5);
    scene_answer(&scene, MSG_HISTORY, MSG_MESSAGES);
    scene_forget(&scene);
    scene_after(&scene, GATEWAY_HEADS_AGAIN_MS - 1);
    scene_expect(&scene, "");
    scene_after(&scene, 1);
    scene_expect(&scene, "ask HEADS conv_a_b rooms=conv_a_b\n");
    scene_heads(&scene, &head, 1, "g1");
    scene_answer(&scene, MSG_HEADS, MSG_HEAD_SEQS);
    scene_after(&scene, 60000);
    scene_expect(&scene, "");
    scene_fini(&scene);
}

TEST(heads_that_cannot_be_read_are_asked_for_until_they_can) {
    (void)state;
    scene_t scene;
    start(&scene, 3);
    restart(&scene);
    rejoin_all(&scene);
    int64_t pauses[] = {1000, 2000, 4000, 8000, 10000, 10000};
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        scene_error(&scene, MSG_HEADS, CODE_UNAVAILABLE);
        scene_forget(&scene);
        scene_after(&scene, pauses[i] - 1);
        scene_expect(&scene, "");
        scene_after(&scene, 1);
        scene_expect(&scene, "ask HEADS conv_a_b rooms=conv_a_b\n");
    }
    scene_heads(&scene, NULL, 0, "g1"); /* not as many as asked for */
    scene_answer(&scene, MSG_HEADS, MSG_HEAD_SEQS);
    scene_forget(&scene);
    scene_after(&scene, 10000);
    scene_expect(&scene, "ask HEADS conv_a_b rooms=conv_a_b\n");
    scene_fini(&scene);
}

TEST(another_generation_in_the_heads_closes_every_transport) {
    (void)state;
    scene_t scene;
    uint64_t head = 1;
    start(&scene, 3);
    restart(&scene);
    rejoin_all(&scene);
    scene_heads(&scene, &head, 1, "g2");
    scene_forget(&scene);
    scene_answer(&scene, MSG_HEADS, MSG_HEAD_SEQS);
    scene_expect(&scene, "close s1 generation_changed\nclose s2 generation_changed\n");
    scene_fini(&scene);
}

TEST(a_join_under_way_is_the_links_to_repeat) {
    (void)state;
    scene_t scene;
    start(&scene, 3);
    scene_event(&scene, 2, "join_conversation", "\"conv_a_b\"", 1);
    scene_forget(&scene);
    restart(&scene);
    assert_true(recorded(&scene, "ask REJOIN conv_a_b sessions=1 users=a\n"));
    scene_forget(&scene);
    rejoin_all(&scene);
    scene_new_message(&scene, "conv_a_b", 4, "a");
    scene_conversation(&scene, &(scene_conversation_t){.head = 4});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    assert_true(recorded(&scene, "s2 ack 1 "));
    assert_true(recorded(&scene, "ask HISTORY conv_a_b after=3\n")); /* for s2: it was a member */
    scene_fini(&scene);
}

/* Its answer came from the broker's life before; the membership has to be told to the next. */
TEST(a_join_that_waits_for_presence_is_rejoined) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    scene_connect(&scene, "a");
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 1);
    scene_conversation(&scene, &(scene_conversation_t){.head = 3});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_forget(&scene);
    restart(&scene);
    assert_true(recorded(&scene, "ask REJOIN conv_a_b sessions=1 users=a\n"));
    scene_after(&scene, 1000);
    assert_true(recorded(&scene, "s1 ack 1 {\"ok\":true"));
    scene_forget(&scene);
    rejoin_all(&scene);
    scene_new_message(&scene, "conv_a_b", 4, "b");
    scene_expect(&scene, "s1 new_message " MESSAGE("4") "\n");
    scene_fini(&scene);
}

/* REJOIN ends with its link; the JOIN that is repeated on the next one confirms the rights too. */
TEST(a_join_confirms_what_a_lost_rejoin_did_not) {
    (void)state;
    scene_t scene;
    start(&scene, 3);
    restart(&scene);
    scene_event(&scene, 1, "join_conversation", "\"conv_a_b\"", 1);
    restart(&scene);
    scene_conversation(&scene, &(scene_conversation_t){.head = 3});
    scene_answer(&scene, MSG_JOIN, MSG_CONVERSATION);
    scene_forget(&scene);
    scene_new_message(&scene, "conv_a_b", 4, "b");
    scene_expect(&scene, "s1 new_message " MESSAGE("4") "\n");
    scene_fini(&scene);
}

TEST(a_gap_fetch_is_taken_up_again_when_the_link_is_back) {
    (void)state;
    scene_t scene;
    start(&scene, 3);
    scene_new_message(&scene, "conv_a_b", 5, "b");
    assert_int_equal(scene_pending(&scene, MSG_HISTORY), 1);
    restart(&scene);
    assert_int_equal(scene_pending(&scene, MSG_HISTORY), 0);
    scene_forget(&scene);
    rejoin_all(&scene);
    scene_expect(&scene, "ask HISTORY conv_a_b after=3\n");
    scene_fini(&scene);
}

TEST(a_rejoin_that_fails_is_repeated) {
    (void)state;
    scene_t scene;
    start(&scene, 3);
    restart(&scene);
    scene_forget(&scene);
    while (scene_pending(&scene, MSG_REJOIN))
        scene_error(&scene, MSG_REJOIN, CODE_UNAVAILABLE);
    scene_after(&scene, 100);
    scene_expect(&scene, "ask REJOIN conv_a_b sessions=1,2 users=a,b\n");
    scene_fail(&scene, MSG_REJOIN, ERR_TIMEOUT);
    scene_after(&scene, 200);
    scene_expect(&scene, "ask REJOIN conv_a_b sessions=1,2 users=a,b\n");
    rejoin_all(&scene);
    scene_new_message(&scene, "conv_a_b", 4, "b");
    scene_expect(&scene, "s1 new_message " MESSAGE("4") "\ns2 new_message " MESSAGE("4") "\n");
    scene_fini(&scene);
}

/* A message may have been stored after the last comparison, and not told to us. */
TEST(heads_are_compared_after_a_rejoin_that_had_failed) {
    (void)state;
    scene_t scene;
    start(&scene, 3);
    restart(&scene);
    scene_heads(&scene, &(uint64_t){3}, 1, "g1");
    scene_answer(&scene, MSG_HEADS, MSG_HEAD_SEQS);
    scene_after(&scene, GATEWAY_HEADS_AGAIN_MS);
    scene_heads(&scene, &(uint64_t){3}, 1, "g1");
    scene_answer(&scene, MSG_HEADS, MSG_HEAD_SEQS);
    while (scene_pending(&scene, MSG_REJOIN))
        scene_error(&scene, MSG_REJOIN, CODE_UNAVAILABLE);
    scene_after(&scene, 100);
    assert_int_equal(scene_pending(&scene, MSG_HEADS), 0);
    rejoin_all(&scene);
    scene_after(&scene, 1000);
    assert_int_equal(scene_pending(&scene, MSG_HEADS), 1);
    scene_fini(&scene);
}

TEST(users_rooms_are_told_again_when_that_failed) {
    (void)state;
    scene_t scene;
    start(&scene, 3);
    size_t broker = broker_of(&scene, "user_a");
    scene_down(&scene, broker);
    scene_up(&scene, broker);
    scene_forget(&scene);
    while (scene_pending(&scene, MSG_REJOIN))
        scene_error(&scene, MSG_REJOIN, CODE_UNAVAILABLE);
    scene_after(&scene, GATEWAY_HEADS_AGAIN_MS);
    assert_true(recorded(&scene, "ask REJOIN user_a sessions=1 users=a\n"));
    scene_forget(&scene);
    while (scene_pending(&scene, MSG_REJOIN)) {
        uint64_t refused = 1;
        bool mine = strcmp(scene.requests[0].room, "user_a") == 0;
        scene_rejoined(&scene, &refused, mine ? 1 : 0);
        scene_answer(&scene, MSG_REJOIN, MSG_REJOINED);
    }
    assert_true(recorded(&scene, "close s1 rejoin_refused\n"));
    scene_fini(&scene);
}

TEST(presence_that_changed_meanwhile_is_told) {
    (void)state;
    scene_t scene;
    start(&scene, 3);
    for (size_t broker = 0; broker < 2; broker++) {
        scene_down(&scene, broker);
        scene_up(&scene, broker);
    }
    rejoin_all(&scene);
    scene_forget(&scene);
    while (scene_pending(&scene, MSG_WATCH)) {
        scene_presences(&scene, "b=1");
        scene_answer(&scene, MSG_WATCH, MSG_PRESENCES);
    }
    scene_expect(&scene, "s1 presence {\"userId\":\"b\",\"online\":true,\"lastSeenAt\":null}\n");
    scene_fini(&scene);
}

TEST(large_rooms_are_told_in_batches) {
    (void)state;
    enum { MEMBERS = 45 };
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    for (size_t i = 0; i < MEMBERS; i++) {
        scene_connect(&scene, "a");
        scene_joined(&scene, i + 1, 0);
    }
    restart(&scene);
    scene_forget(&scene);
    size_t rejoins = scene_pending(&scene, MSG_REJOIN);
    assert_in_range(rejoins, 1, 2);
    rejoin_all(&scene);
    scene_new_message(&scene, "conv_a_b", 1, "b");
    assert_true(recorded(&scene, "s45 new_message"));
    scene_fini(&scene);
}

TEST(sockets_that_come_while_the_link_is_down_are_told_with_up) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene_start(&scene);
    size_t broker = broker_of(&scene, "user_a");
    scene_down(&scene, broker);
    scene_ask(&scene, "x", "10.0.0.1");
    scene_identity(&scene, "a", SCENE_UNIX_MS + 1000);
    scene_answer(&scene, MSG_AUTH_VERIFY, MSG_IDENTITY);
    assert_false(recorded(&scene, "SUBSCRIBE"));
    scene_forget(&scene);
    scene_up(&scene, broker);
    scene_expect(&scene, "ask REJOIN user_a sessions=1 users=a\n");
    scene_fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_tells_sessions_rooms_and_watches),
        cmocka_unit_test(nothing_is_delivered_before_the_rights_are_confirmed),
        cmocka_unit_test(who_is_refused_leaves_and_is_told),
        cmocka_unit_test(heads_are_compared_at_once_and_again_after_five_seconds),
        cmocka_unit_test(heads_that_cannot_be_read_are_asked_for_until_they_can),
        cmocka_unit_test(another_generation_in_the_heads_closes_every_transport),
        cmocka_unit_test(a_join_under_way_is_the_links_to_repeat),
        cmocka_unit_test(a_join_that_waits_for_presence_is_rejoined),
        cmocka_unit_test(a_join_confirms_what_a_lost_rejoin_did_not),
        cmocka_unit_test(a_gap_fetch_is_taken_up_again_when_the_link_is_back),
        cmocka_unit_test(a_rejoin_that_fails_is_repeated),
        cmocka_unit_test(heads_are_compared_after_a_rejoin_that_had_failed),
        cmocka_unit_test(users_rooms_are_told_again_when_that_failed),
        cmocka_unit_test(presence_that_changed_meanwhile_is_told),
        cmocka_unit_test(large_rooms_are_told_in_batches),
        cmocka_unit_test(sockets_that_come_while_the_link_is_down_are_told_with_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
