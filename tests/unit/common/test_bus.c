/* bus_client and bus_server over real ZeroMQ on one libuv loop: requests, deliveries, a window of
 * requests in flight that must never stall, a broker that restarts, garbage on the socket. */
#include "bus_world.h"

#include <zmq.h>

static const uint64_t QUICK_NS = 400 * 1000 * 1000; /* well before the heartbeat */

static void test_request_and_delivery(void **state) {
    bus_world_t *world = *state;
    bus_world_request(world);
    bus_world_run_until(world, &world->answered, 1);
    envelope_t expel = {.type = MSG_EXPEL, .room = STR("conv_1_2"), .body = STR("\x80")};
    assert_int_equal(bus_server_send(world->server, world->peer, &expel), OK);
    bus_world_run_until(world, &world->delivered, 1);
    assert_true(bus_client_is_up(world->client, 0));
}

static void test_a_window_never_stalls(void **state) {
    bus_world_t *world = *state;
    bus_world_run_until(world, &world->ups, 1);
    world->to_request = 20000;
    for (int i = 0; i < 64; i++)
        bus_world_request(world);
    bus_world_run_until(world, &world->answered, 20064);
    assert_int_equal(world->downs, 0);
}

static void test_broker_restart(void **state) {
    bus_world_t *world = *state;
    bus_world_run_until(world, &world->ups, 1);
    bus_server_close(&world->server);
    bus_world_request(world);
    bus_world_run_until(world, &world->downs, 1);
    bus_world_start_server(world);
    bus_world_run_until(world, &world->answered, 1);
    assert_int_equal(world->ups, 2);
    assert_int_equal(world->failed, 0);
}

/* Nothing is sent meanwhile: the heartbeat would find it after a second. */
static void test_idle_client_sees_the_broker_go(void **state) {
    bus_world_t *world = *state;
    bus_world_run_until(world, &world->ups, 1);
    uint64_t began_ns = uv_hrtime();
    bus_server_close(&world->server);
    bus_world_run_until(world, &world->downs, 1);
    assert_true(uv_hrtime() - began_ns < QUICK_NS);
}

static void test_idle_broker_sees_a_client_crash(void **state) {
    bus_world_t *world = *state;
    bus_world_run_until(world, &world->ups, 1);
    strbuf_t frame = {0};
    bus_world_append_hello(world, ROLE_PERSIST, "persist-worker-1", &frame);
    void *context = zmq_ctx_new(), *dealer = zmq_socket(context, ZMQ_DEALER);
    int linger = 0;
    zmq_setsockopt(dealer, ZMQ_LINGER, &linger, sizeof(linger));
    assert_int_equal(zmq_connect(dealer, world->endpoint), 0);
    assert_int_equal(zmq_send(dealer, frame.p, frame.n, 0), (int)frame.n);
    bus_world_run_until(world, &world->server_ups, 2);
    uint64_t began_ns = uv_hrtime();
    zmq_close(dealer);
    zmq_ctx_term(context);
    bus_world_run_until(world, &world->server_downs, 1);
    assert_true(uv_hrtime() - began_ns < QUICK_NS);
    strbuf_fini(&frame);
}

/* Closing a socket whose connections still break must not block ZeroMQ's own thread. */
static void test_many_restarts(void **state) {
    bus_world_t *world = *state;
    bus_world_run_until(world, &world->ups, 1);
    for (int i = 1; i <= 20; i++) {
        bus_server_close(&world->server);
        bus_world_start_server(world);
        bus_world_request(world);
        bus_world_run_until(world, &world->answered, i);
    }
}

static void test_garbage(void **state) {
    bus_world_t *world = *state;
    void *context = zmq_ctx_new(), *stranger = zmq_socket(context, ZMQ_DEALER);
    int linger = 0;
    zmq_setsockopt(stranger, ZMQ_LINGER, &linger, sizeof(linger));
    assert_int_equal(zmq_connect(stranger, world->endpoint), 0);
    zmq_send(stranger, "rubbish", 7, 0);
    zmq_send(stranger, "", 0, 0);
    for (int part = 0; part < 5; part++)
        zmq_send(stranger, "parts", 5, part < 4 ? ZMQ_SNDMORE : 0);
    zmq_send(stranger, "rubbish", 7, 0);
    bus_world_run_until(world, &world->refused, 3);
    bus_world_request(world);
    bus_world_run_until(world, &world->answered, 1);
    zmq_close(stranger);
    zmq_ctx_term(context);
}

static int set_up_with(void **state, bool keys) {
    bus_world_t *world = bus_world_new(keys);
    bus_world_start_server(world);
    bus_world_start_client(world);
    *state = world;
    return 0;
}

static int set_up(void **state) {
    return set_up_with(state, false);
}

static int set_up_with_keys(void **state) {
    return set_up_with(state, true);
}

static int tear_down(void **state) {
    bus_world_free(*state);
    return 0;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_WITH_KEYS(name)                                                                       \
    { #name " with keys", name, set_up_with_keys, tear_down, NULL }
    const struct CMUnitTest tests[] = {
        TEST(test_request_and_delivery),
        TEST(test_a_window_never_stalls),
        TEST(test_broker_restart),
        TEST(test_idle_client_sees_the_broker_go),
        TEST(test_idle_broker_sees_a_client_crash),
        TEST(test_many_restarts),
        TEST(test_garbage),
        TEST_WITH_KEYS(test_request_and_delivery),
        TEST_WITH_KEYS(test_a_window_never_stalls),
        TEST_WITH_KEYS(test_broker_restart),
        TEST_WITH_KEYS(test_idle_client_sees_the_broker_go),
        TEST_WITH_KEYS(test_many_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
