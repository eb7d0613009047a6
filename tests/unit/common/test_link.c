/* A link in its life: what is asked is answered, whatever the wire loses, and who does not read is
 * noticed. */
#include "link_world.h"

static const link_listener_config_t next_epoch = {
    .name = "broker-1", .incarnation = 901, .broker_digest = 5};

static void restart_broker(link_world_t *world) {
    link_listener_free(&world->listener);
    world->listener = link_listener_new(&next_epoch, &link_world_listener_ops, world);
    world->peer = NULL;
}

static void test_opens_and_answers(void **state) {
    link_world_t *world = *state;
    link_world_request(world, 1, 5000, false); /* made before the link is up */
    link_world_run(world, 200);
    assert_int_equal(dialer_state(world->dialer), DIALER_UP);
    assert_true(dialer_epoch(world->dialer) == 900);
    assert_int_equal(world->answered, 1);
    link_world_request(world, 2, 5000, false);
    link_world_settle(world);
    assert_int_equal(world->answered, 2);
    assert_int_equal(dialer_pending(world->dialer), 0);
    assert_int_equal(dialer_pending_bytes(world->dialer), 0);
    assert_string_equal(link_peer_name(world->peer), "gateway-1");
    assert_int_equal(link_peer_role(world->peer), ROLE_GATEWAY);
    link_world_run(world, 60000); /* heartbeats hold it */
    assert_int_equal(world->dialer_ups, 1);
    assert_int_equal(world->dialer_downs, 0);
}

static void test_broker_restart_repeats_in_order(void **state) {
    link_world_t *world = *state;
    world->request_on_up = true;
    link_world_run(world, 200);
    world->answer = false;
    for (uint64_t session = 1; session <= 3; session++)
        link_world_request(world, session, 20000, false);
    link_world_settle(world);
    restart_broker(world);
    world->seen_count = 0;
    link_world_request(world, 4, 20000, false); /* goes to the new epoch, which drops it unread */
    world->answer = true;
    link_world_run(world, 1500);
    assert_int_equal(world->dialer_ups, 2);
    assert_int_equal(world->dialer_downs, 1);
    /* first what `up` sends, then the old requests as they were made */
    assert_int_equal(world->seen_count, 5);
    assert_true(world->seen[0] == 1000);
    for (uint64_t session = 1; session <= 4; session++)
        assert_true(world->seen[session] == session);
    assert_int_equal(world->answered, 6);
    assert_int_equal(world->closed, 0); /* the first up's request had been answered */
}

static void test_a_lost_envelope_is_noticed(void **state) {
    link_world_t *world = *state;
    link_world_run(world, 200);
    world->lose_next = 1;
    link_world_request(world, 1, 20000, false); /* lost, and nobody is told */
    link_world_request(world, 2, 20000, false); /* out of count: must not be taken before 1 */
    link_world_settle(world);
    link_world_run(world, 400);
    assert_int_equal(world->seen_count, 2);
    assert_true(world->seen[0] == 1 && world->seen[1] == 2);
    assert_int_equal(world->answered, 2);
    assert_int_equal(world->dialer_ups, 2);
}

static void test_a_lost_last_envelope_is_noticed_by_heartbeat(void **state) {
    link_world_t *world = *state;
    link_world_run(world, 200);
    world->lose_next = 1;
    link_world_request(world, 1, 20000, false);
    link_world_run(world, 1500);
    assert_int_equal(world->answered, 1);
    world->lose_replies = 1;
    link_world_request(world, 2, 20000, false);
    link_world_run(world, 1500);
    assert_int_equal(world->answered, 2);
}

static void test_cut_link(void **state) {
    link_world_t *world = *state;
    link_world_run(world, 200);
    world->cut = true;
    link_world_request(world, 1, 20000, false);
    link_world_request(world, 2, 300, false);
    link_world_run(world, 5000);
    assert_int_equal(world->dialer_downs, 1);
    assert_int_equal(world->listener_downs, 1);
    assert_int_equal(world->timed_out, 1);
    assert_int_equal(dialer_send(world->dialer, &(envelope_t){.type = MSG_LEAVE}, world->now_ms),
                     ERR_UNAVAILABLE);
    world->cut = false;
    link_world_run(world, 300);
    assert_int_equal(world->answered, 1);
    assert_int_equal(world->dialer_ups, 2);
}

static void test_probe_finds_who_is_gone(void **state) {
    link_world_t *world = *state;
    link_world_run(world, 200);
    link_listener_probe(world->listener, world->now_ms);
    link_world_run(world, 200);
    assert_int_equal(world->listener_downs, 0); /* it can be reached: all is well */
    world->cut = true;
    link_listener_probe(world->listener, world->now_ms);
    link_listener_tick(world->listener, world->now_ms + LISTENER_PROBE_MS - 1);
    assert_int_equal(world->listener_downs, 0);
    link_listener_tick(world->listener, world->now_ms + LISTENER_PROBE_MS);
    assert_int_equal(world->listener_downs, 1);
}

static void test_broken_connection_is_hello_at_once(void **state) {
    link_world_t *world = *state;
    link_world_run(world, 200);
    dialer_lost(world->dialer, "the connection broke", world->now_ms);
    dialer_tick(world->dialer, world->now_ms);
    assert_int_equal(world->dialer_downs, 1);
    link_world_settle(world);
    assert_int_equal(world->dialer_ups, 2);
    assert_int_equal(dialer_state(world->dialer), DIALER_UP);
}

static void test_frozen_client_starts_anew(void **state) {
    link_world_t *world = *state;
    link_world_run(world, 200);
    /* The broker goes on alone; the client sees none of it until it thaws. */
    for (int i = 0; i < 100; i++, world->now_ms += 50)
        link_listener_tick(world->listener, world->now_ms);
    assert_int_equal(world->listener_downs, 1);
    envelope_t expel = {.type = MSG_EXPEL, .body = STR("\x80")};
    assert_null(world->peer);
    link_world_settle(world); /* old heartbeats: not acted on, though they fit the count */
    assert_int_equal(dialer_state(world->dialer), DIALER_HELLO);
    link_world_run(world, 300);
    assert_int_equal(world->dialer_ups, 2);
    assert_int_equal(link_listener_send(world->listener, world->peer, &expel, world->now_ms), OK);
    link_world_settle(world);
    assert_int_equal(world->delivered, 1);
}

static void test_link_bound_requests_end_with_the_link(void **state) {
    link_world_t *world = *state;
    link_world_run(world, 200);
    world->answer = false;
    link_world_request(world, 1, 20000, true);
    link_world_request(world, 2, 20000, false);
    link_world_settle(world);
    restart_broker(world);
    link_world_run(world, 1500);
    assert_int_equal(world->closed, 1);
    assert_int_equal(dialer_pending(world->dialer), 1);
}

/* What `up` asks for while the wire breaks is old by the next `up`: it must not go out then. */
static void test_an_unsent_link_bound_request_ends_too(void **state) {
    link_world_t *world = *state;
    world->answer = false;
    link_world_run(world, 200);
    world->cut = true;
    link_world_request(world, 1, 20000, true);
    link_world_run(world, 200);
    assert_int_equal(world->closed, 1);
    world->cut = false;
    link_world_run(world, 4000);
    assert_int_equal(dialer_state(world->dialer), DIALER_UP);
    assert_int_equal(world->seen_count, 0);
}

static void test_limits_and_cancel(void **state) {
    link_world_t *world = *state;
    size_t made = 0;
    uint64_t id, last = 0;
    while ((id = link_world_request(world, 1, 1000, false))) {
        last = id;
        made++;
    }
    assert_in_range(made, 10, 64);
    dialer_cancel(world->dialer, last);
    dialer_cancel(world->dialer, last); /* unknown now: ignored */
    assert_int_equal(dialer_pending(world->dialer), made - 1);
    assert_true(link_world_request(world, 1, 1000, false) != 0);
    world->cut = true;
    link_world_run(world, 1200);
    assert_int_equal(world->timed_out, made);
    assert_int_equal(dialer_pending_bytes(world->dialer), 0);
}

static void test_goodbye(void **state) {
    link_world_t *world = *state;
    link_world_run(world, 200);
    dialer_goodbye(world->dialer, world->now_ms);
    link_world_settle(world);
    assert_int_equal(world->listener_downs, 1);
    assert_int_equal(link_listener_peers(world->listener), 0);
}

/* ---- a side that doesn't read ---- */

static envelope_t large(size_t bytes) {
    static char body[LINK_TELL_BYTES];
    return (envelope_t){.type = MSG_EXPEL, .body = {body, bytes}};
}

static void test_a_broker_that_does_not_read_loses_its_link(void **state) {
    link_world_t *world = *state;
    dialer_config_t config = link_world_dialer_config;
    config.max_unread_bytes = 10000;
    dialer_free(&world->dialer);
    world->dialer = dialer_new(&config, &link_world_dialer_ops, world);
    link_world_run(world, 200);
    envelope_t envelope = large(4000);
    assert_int_equal(dialer_send(world->dialer, &envelope, world->now_ms), OK);
    assert_int_equal(dialer_send(world->dialer, &envelope, world->now_ms), OK);
    assert_in_range(dialer_unread_bytes(world->dialer), 8000, 10000);
    assert_int_not_equal(dialer_send(world->dialer, &envelope, world->now_ms), OK);
    assert_int_equal(dialer_state(world->dialer), DIALER_HELLO);
    link_world_run(world, 200); /* it begins anew, with nothing unread */
    assert_int_equal(world->dialer_ups, 2);
    assert_int_equal(world->dialer_downs, 1);
    link_world_run(world, 2000);
    assert_in_range(dialer_unread_bytes(world->dialer), 0, 200);
}

static void test_a_peer_that_does_not_read_loses_its_link(void **state) {
    link_world_t *world = *state;
    link_listener_config_t config = link_world_listener_config;
    config.max_unread_bytes = 10000;
    link_listener_free(&world->listener);
    world->listener = link_listener_new(&config, &link_world_listener_ops, world);
    link_world_run(world, 200);
    for (int i = 0; i < 10; i++) { /* it reads: the bound is never reached */
        envelope_t envelope = large(4000);
        assert_int_equal(link_listener_send(world->listener, world->peer, &envelope, world->now_ms),
                         OK);
        link_world_run(world, 1500);
    }
    assert_int_equal(world->delivered, 10);
    link_world_run(world, 1500);
    envelope_t envelope = large(9000);
    assert_int_equal(link_listener_send(world->listener, world->peer, &envelope, world->now_ms),
                     OK);
    assert_in_range(link_listener_unread_bytes(world->listener, ROLE_GATEWAY), 9000, 10000);
    assert_int_equal(link_listener_unread_bytes(world->listener, ROLE_REST), 0);
    assert_int_not_equal(link_listener_send(world->listener, world->peer, &envelope, world->now_ms),
                         OK);
    link_world_run(world, 1500);
    assert_int_equal(world->listener_downs, 1);
    assert_non_null(world->peer);
}

static void test_each_side_knows_how_far_the_other_has_read(void **state) {
    link_world_t *world = *state;
    link_world_run(world, 200);
    envelope_t envelope = large(LINK_TELL_BYTES);
    for (size_t bytes = 0; bytes <= LINK_BEHIND_BYTES; bytes += LINK_TELL_BYTES) {
        assert_int_equal(dialer_send(world->dialer, &envelope, world->now_ms), OK);
        assert_int_equal(link_listener_send(world->listener, world->peer, &envelope, world->now_ms),
                         OK);
    }
    assert_true(link_peer_is_behind(world->peer));
    assert_true(dialer_is_behind(world->dialer));
    link_world_settle(world); /* told at once, without waiting for a heartbeat */
    assert_false(link_peer_is_behind(world->peer));
    assert_false(dialer_is_behind(world->dialer));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, link_world_set_up, link_world_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_opens_and_answers),
        TEST(test_broker_restart_repeats_in_order),
        TEST(test_a_lost_envelope_is_noticed),
        TEST(test_a_lost_last_envelope_is_noticed_by_heartbeat),
        TEST(test_cut_link),
        TEST(test_probe_finds_who_is_gone),
        TEST(test_broken_connection_is_hello_at_once),
        TEST(test_frozen_client_starts_anew),
        TEST(test_link_bound_requests_end_with_the_link),
        TEST(test_an_unsent_link_bound_request_ends_too),
        TEST(test_limits_and_cancel),
        TEST(test_goodbye),
        TEST(test_a_broker_that_does_not_read_loses_its_link),
        TEST(test_a_peer_that_does_not_read_loses_its_link),
        TEST(test_each_side_knows_how_far_the_other_has_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
