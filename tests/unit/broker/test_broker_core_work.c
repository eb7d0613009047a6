/* Requests as jobs: who gets them, in which order, and what happens when a worker or a requester
 * goes. */
#include "broker_scene.h"

static void start(scene_t *scene) {
    scene_init(scene);
    scene_start(scene);
    scene_up(scene, "g1", 0, 0);
}

static void send_to(scene_t *scene, const char *room, uint64_t id) {
    scene_send(scene, "g1", &(scene_head_t){room, "1", 5, id, 9000});
}

static void stored(scene_t *scene, const char *worker, const char *room, uint64_t job,
                   uint64_t seq) {
    scene_stored(scene, worker, &(scene_head_t){room, "1", 5, 70}, job, seq);
}

static void writes_of_one_room_stay_with_one_worker(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "w1", 2, 1);
    scene_up(&scene, "w2", 2, 1);
    send_to(&scene, "conv_1_2", 40);
    send_to(&scene, "conv_1_2", 41);
    send_to(&scene, "conv_1_2", 42);
    send_to(&scene, "conv_1_3", 43);
    scene_expect(&scene, "w1 SEND id=1 conv_1_2 user=1 session=5\n"
                         "w1 SEND id=2 conv_1_2 user=1 session=5\n"
                         "w2 SEND id=4 conv_1_3 user=1 session=5\n");
    stored(&scene, "w1", "conv_1_2", 1, 1);
    scene_expect(&scene, "g1 STORED reply=40 conv_1_2 user=1 session=5 seq=1\n"
                         "w1 SEND id=3 conv_1_2 user=1 session=5\n"
                         "w1 DONE reply=70 conv_1_2 user=1 session=5\n");
    scene_fini(&scene);
}

static void jobs_of_a_lost_worker_return_to_the_front(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "w1", 2, 1);
    send_to(&scene, "conv_1_2", 40);
    send_to(&scene, "conv_1_3", 41);
    send_to(&scene, "conv_1_2", 42);
    send_to(&scene, "conv_1_4", 43);
    scene_expect(&scene, "w1 SEND id=1 conv_1_2 user=1 session=5\n"
                         "w1 SEND id=2 conv_1_3 user=1 session=5\n");
    scene_down(&scene, "w1");
    scene_expect(&scene, "");
    assert_int_equal(jobs_requeued(broker_core_jobs(scene.core)), 2);
    scene_up(&scene, "w2", 4, 1);
    scene_expect(&scene, "w2 SEND id=1 conv_1_2 user=1 session=5\n"
                         "w2 SEND id=2 conv_1_3 user=1 session=5\n"
                         "w2 SEND id=3 conv_1_2 user=1 session=5\n"
                         "w2 SEND id=4 conv_1_4 user=1 session=5\n");
    scene_fini(&scene);
}

static void answer_of_a_lost_worker_still_counts(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "w1", 1, 1);
    send_to(&scene, "conv_1_2", 40);
    send_to(&scene, "conv_1_2", 41);
    scene_down(&scene, "w1");
    scene_up(&scene, "w1", 0, 0);
    scene_forget(&scene);
    stored(&scene, "w1", "conv_1_2", 1, 1);
    scene_expect(&scene, "g1 STORED reply=40 conv_1_2 user=1 session=5 seq=1\n"
                         "w1 DONE reply=70 conv_1_2 user=1 session=5\n");
    scene_up(&scene, "w2", 9, 9);
    scene_expect(&scene, "w2 SEND id=2 conv_1_2 user=1 session=5\n");
    scene_fini(&scene);
}

static void second_answer_of_a_job_sent_twice_is_not_relayed(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "w1", 1, 1);
    send_to(&scene, "conv_1_2", 40);
    scene_down(&scene, "w1");
    scene_up(&scene, "w2", 1, 1);
    scene_up(&scene, "w1", 1, 1);
    scene_forget(&scene);
    stored(&scene, "w1", "conv_1_2", 1, 1);
    send_to(&scene, "conv_1_2", 41);
    scene_expect(&scene, "g1 STORED reply=40 conv_1_2 user=1 session=5 seq=1\n"
                         "w1 DONE reply=70 conv_1_2 user=1 session=5\n");
    stored(&scene, "w2", "conv_1_2", 1, 1);
    scene_expect(&scene, "w2 SEND id=2 conv_1_2 user=1 session=5\n"
                         "w2 DONE reply=70 conv_1_2 user=1 session=5\n");
    scene_fini(&scene);
}

static void reads_do_not_stand_behind_writes(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "w1", 1, 1);
    send_to(&scene, "conv_1_2", 40);
    send_to(&scene, "conv_1_2", 41);
    str_t rooms[] = {STR("conv_1_2")};
    proto_heads_encode(&(proto_heads_t){.rooms = {rooms, 1}}, &scene.body);
    scene_deliver(&scene, "g1", MSG_HEADS, &(scene_head_t){"conv_1_2", NULL, 0, 42});
    scene_expect(&scene, "w1 SEND id=1 conv_1_2 user=1 session=5\n"
                         "w1 HEADS id=3 conv_1_2\n");
    uint64_t seqs[] = {4};
    proto_head_seqs_t heads = {.seqs = {seqs, 1}, .generation = STR("g")};
    proto_head_seqs_encode(&heads, &scene.body);
    scene_answer(&scene, "w1", MSG_HEAD_SEQS, &(scene_head_t){.id = 3});
    scene_expect(&scene, "g1 HEAD_SEQS reply=42 conv_1_2\n");
    scene_fini(&scene);
}

static void tokens_are_checked_by_auth_workers_alone(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "w1", 4, 4);
    scene_up(&scene, "a1", 9, 1);
    for (uint64_t id = 1; id <= 2; id++) {
        proto_auth_verify_encode(&(proto_auth_verify_t){.token = STR("t")}, &scene.body);
        scene_deliver(&scene, "g1", MSG_AUTH_VERIFY, &(scene_head_t){.id = id});
    }
    scene_expect(&scene, "a1 AUTH_VERIFY id=1\n");
    scene_error(&scene, "w1", 1, CODE_UNAUTHORIZED);
    scene_expect(&scene, "w1 refused ERROR: an answer of the wrong kind\n");
    scene_error(&scene, "a1", 1, CODE_TOKEN_EXPIRED);
    scene_expect(&scene, "g1 ERROR reply=1 token_expired\n"
                         "a1 AUTH_VERIFY id=2\n");
    proto_identity_encode(&(proto_identity_t){.user_id = STR("1"), .expires_at_ms = 5},
                          &scene.body);
    scene_answer(&scene, "a1", MSG_IDENTITY, &(scene_head_t){.id = 2});
    scene_expect(&scene, "g1 IDENTITY reply=2\n");
    scene_fini(&scene);
}

static void job_without_a_worker_waits_until_its_deadline(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    send_to(&scene, "conv_1_2", 40);
    scene_at(&scene, 8999);
    scene_expect(&scene, "");
    scene_at(&scene, 9000);
    scene_expect(&scene, "g1 ERROR reply=40 conv_1_2 user=1 session=5 unavailable\n");
    assert_int_equal(scene.ended[JOB_WRITE][JOB_OUTCOME_EXPIRED], 1);
    assert_int_equal(jobs_gauges(broker_core_jobs(scene.core), JOB_WRITE).jobs, 0);
    scene_fini(&scene);
}

static void expired_job_keeps_its_credit_until_the_worker_answers(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "w1", 1, 1);
    send_to(&scene, "conv_1_2", 40);
    scene_at(&scene, 9000);
    scene_forget(&scene);
    send_to(&scene, "conv_1_2", 41);
    scene_expect(&scene, "");
    stored(&scene, "w1", "conv_1_2", 1, 1);
    scene_expect(&scene, "w1 SEND id=2 conv_1_2 user=1 session=5\n"
                         "w1 DONE reply=70 conv_1_2 user=1 session=5\n");
    scene_at(&scene, 18000);
    scene_forget(&scene);
    scene_down(&scene, "w1");
    /* It may have committed the message: the room hears of it from the next one. */
    scene_up(&scene, "w2", 1, 1);
    scene_expect(&scene, "w2 SEND id=2 conv_1_2 user=1 session=5\n");
    stored(&scene, "w2", "conv_1_2", 2, 2);
    scene_expect(&scene, "w2 DONE reply=70 conv_1_2 user=1 session=5\n");
    assert_int_equal(jobs_gauges(broker_core_jobs(scene.core), JOB_WRITE).jobs, 0);
    scene_fini(&scene);
}

static void queues_have_bounds_in_count_and_bytes(void **state) {
    (void)state;
    scene_t scene;
    scene_init(&scene);
    scene.config.jobs.classes[JOB_WRITE] = (job_class_limits_t){3, 1500};
    scene_start(&scene);
    scene_up(&scene, "g1", 0, 0);
    for (uint64_t id = 40; id < 44; id++)
        send_to(&scene, "conv_1_2", id);
    scene_expect(&scene, "g1 ERROR reply=43 conv_1_2 user=1 session=5 unavailable\n");
    scene_at(&scene, 9000);
    scene_forget(&scene);
    char text[1000];
    memset(text, 'x', sizeof(text));
    for (uint64_t id = 50; id < 52; id++) {
        proto_send_t send = {.text = {text, sizeof(text)}, .client_id = STR("c")};
        proto_send_encode(&send, &scene.body);
        scene_deliver(&scene, "g1", MSG_SEND, &(scene_head_t){"conv_1_2", "1", 5, id, 9000});
    }
    scene_expect(&scene, "g1 ERROR reply=51 conv_1_2 user=1 session=5 unavailable\n");
    assert_int_equal(scene.ended[JOB_WRITE][JOB_OUTCOME_REFUSED], 2);
    scene_fini(&scene);
}

static void lost_requester_loses_what_is_queued_and_is_not_answered(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "g2", 0, 0);
    scene_up(&scene, "w1", 1, 1);
    send_to(&scene, "conv_1_2", 40);
    send_to(&scene, "conv_1_2", 41);
    scene_send(&scene, "g2", &(scene_head_t){"conv_1_2", "2", 5, 40});
    scene_down(&scene, "g1");
    scene_up(&scene, "g1", 0, 0);
    send_to(&scene, "conv_1_2", 40);
    scene_forget(&scene);
    stored(&scene, "w1", "conv_1_2", 1, 1);
    scene_expect(&scene, "w1 SEND id=3 conv_1_2 user=2 session=5\n"
                         "w1 DONE reply=70 conv_1_2 user=1 session=5\n");
    scene_fini(&scene);
}

static void plain_results_reach_their_requester_alone(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "r1", 0, 0);
    scene_up(&scene, "w1", 9, 9);
    proto_user_seen_encode(&(proto_user_seen_t){0}, &scene.body);
    scene_deliver(&scene, "g1", MSG_USER_SEEN, &(scene_head_t){"user_1", "1", 0, 7});
    proto_put_user_encode(&(proto_put_user_t){.name = STR("A"), .role = STR("r")}, &scene.body);
    scene_deliver(&scene, "r1", MSG_PUT_USER, &(scene_head_t){"user_1", "2", 0, 7});
    scene_forget(&scene);
    proto_done_encode(&(proto_done_t){0}, &scene.body);
    scene_answer(&scene, "w1", MSG_DONE, &(scene_head_t){.id = 1});
    proto_json_encode(&(proto_json_t){.json = STR("{}")}, &scene.body);
    scene_answer(&scene, "w1", MSG_JSON, &(scene_head_t){.id = 2});
    scene_expect(&scene, "g1 DONE reply=7 user_1 user=1\n"
                         "r1 JSON reply=7 user_1 user=2\n");
    send_to(&scene, "conv_1_2", 40);
    scene_forget(&scene);
    proto_group_encode(&(proto_group_t){0}, &scene.body);
    scene_answer(&scene, "w1", MSG_GROUP, &(scene_head_t){.id = 3});
    scene_expect(&scene, "w1 refused GROUP: an answer of the wrong kind\n");
    proto_done_encode(&(proto_done_t){0}, &scene.body);
    scene_answer(&scene, "w1", MSG_DONE, &(scene_head_t){.id = 12345});
    scene_answer(&scene, "r1", MSG_DONE, &(scene_head_t){.id = 1});
    scene_expect(&scene, "r1 refused DONE: an answer that answers nothing\n");
    scene_answer(&scene, "g1", MSG_DONE, &(scene_head_t){.id = 1});
    scene_expect(&scene, "");
    scene_fini(&scene);
}

static void fact_as_a_plain_answer_is_refused(void **state) {
    (void)state;
    scene_t scene;
    start(&scene);
    scene_up(&scene, "w1", 9, 9);
    send_to(&scene, "conv_1_2", 40);
    scene_forget(&scene);
    proto_stored_t fact = {.job = 1, .epoch = SCENE_EPOCH, .seq = 1, .message = STR("{}")};
    proto_stored_encode(&fact, &scene.body);
    scene_answer(&scene, "w1", MSG_STORED, &(scene_head_t){"conv_1_2", "1", 5, 1});
    scene_expect(&scene, "w1 refused STORED: an answer of the wrong kind\n");
    stored(&scene, "w1", "conv_1_2", 1, 1);
    scene_expect(&scene, "g1 STORED reply=40 conv_1_2 user=1 session=5 seq=1\n"
                         "w1 DONE reply=70 conv_1_2 user=1 session=5\n");
    scene_fini(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_of_one_room_stay_with_one_worker),
        cmocka_unit_test(jobs_of_a_lost_worker_return_to_the_front),
        cmocka_unit_test(answer_of_a_lost_worker_still_counts),
        cmocka_unit_test(second_answer_of_a_job_sent_twice_is_not_relayed),
        cmocka_unit_test(reads_do_not_stand_behind_writes),
        cmocka_unit_test(tokens_are_checked_by_auth_workers_alone),
        cmocka_unit_test(job_without_a_worker_waits_until_its_deadline),
        cmocka_unit_test(expired_job_keeps_its_credit_until_the_worker_answers),
        cmocka_unit_test(queues_have_bounds_in_count_and_bytes),
        cmocka_unit_test(lost_requester_loses_what_is_queued_and_is_not_answered),
        cmocka_unit_test(plain_results_reach_their_requester_alone),
        cmocka_unit_test(fact_as_a_plain_answer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
