/* bus_client and bus_server over real ZeroMQ on one libuv loop: requests, deliveries, a window of
 * requests in flight that must never stall, a broker that restarts, garbage on the socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>
#include <zmq.h>

#include "common/bus_client.h"
#include "common/bus_server.h"

static const uint64_t QUICK_NS = 400 * 1000 * 1000; /* well before the heartbeat */

typedef struct {
    uv_loop_t loop;
    char directory[64];
    char endpoint[96];
    brokers_t *brokers;
    bus_client_t *client;
    bus_server_t *server;
    link_peer_t *peer;
    int ups, downs, server_ups, server_downs, delivered, refused, answered, failed;
    int to_request; /* how many requests on_reply makes still */
    uv_timer_t deadline;
    bool late;
} world_t;

static void client_up(void *ctx, size_t broker, uint64_t epoch) {
    (void)broker;
    (void)epoch;
    ((world_t *)ctx)->ups++;
}

static void client_down(void *ctx, size_t broker, const char *reason) {
    (void)broker;
    (void)reason;
    ((world_t *)ctx)->downs++;
}

static void client_deliver(void *ctx, size_t broker, const envelope_t *envelope) {
    (void)broker;
    assert_int_equal(envelope->type, MSG_EXPEL);
    ((world_t *)ctx)->delivered++;
}

static void client_refused(void *ctx, size_t broker, unsigned reason) {
    (void)ctx;
    (void)broker;
    fail_msg("refused for reason %u", reason);
}

static void server_up(void *ctx, link_peer_t *peer) {
    ((world_t *)ctx)->peer = peer;
    ((world_t *)ctx)->server_ups++;
}

static void server_down(void *ctx, link_peer_t *peer, const char *reason) {
    (void)peer;
    (void)reason;
    ((world_t *)ctx)->peer = NULL;
    ((world_t *)ctx)->server_downs++;
}

static void server_deliver(void *ctx, link_peer_t *peer, const envelope_t *envelope) {
    world_t *world = ctx;
    envelope_t reply = {.type = MSG_DONE,
                        .flags = ENVELOPE_REPLY,
                        .request_id = envelope->request_id,
                        .body = STR("\x80")};
    assert_int_equal(bus_server_send(world->server, peer, &reply), OK);
}

static void server_refused(void *ctx, str_t routing_id, const char *what) {
    (void)routing_id;
    (void)what;
    ((world_t *)ctx)->refused++;
}

static const bus_client_handler_t client_handler = {client_up, client_down, client_deliver,
                                                    client_refused};
static const bus_server_handler_t server_handler = {server_up, server_down, server_deliver,
                                                    server_refused};

static void request(world_t *world);

static void on_reply(void *arg, err_t err, const envelope_t *reply) {
    world_t *world = arg;
    world->answered += err == OK && reply->type == MSG_DONE;
    world->failed += err != OK;
    if (world->to_request > 0) {
        world->to_request--;
        request(world);
    }
}

static void request(world_t *world) {
    envelope_t envelope = {.type = MSG_TYPING, .room = STR("conv_1_2"), .body = STR("\x80")};
    link_request_t wanted = {
        .envelope = &envelope, .timeout_ms = 20000, .on_reply = on_reply, .arg = world};
    assert_true(bus_client_request(world->client, &wanted).id != 0);
}

static void start_server(world_t *world) {
    bus_server_config_t config = {.name = "broker-1",
                                  .bind_endpoint = world->endpoint,
                                  .broker_digest = brokers_digest(world->brokers)};
    assert_int_equal(bus_server_new(&world->loop, &config, &server_handler, world, &world->server),
                     OK);
}

static void on_deadline(uv_timer_t *timer) {
    ((world_t *)timer->data)->late = true;
}

/* Runs the loop until *count reaches `wanted`; fails after 20 s. */
static void run_until(world_t *world, const int *count, int wanted) {
    world->late = false;
    uv_timer_start(&world->deadline, on_deadline, 20000, 0);
    while (*count < wanted && !world->late)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_timer_stop(&world->deadline);
    assert_false(world->late);
}

static int set_up(void **state) {
    world_t *world = xcalloc(1, sizeof(*world));
    const char *why;
    strcpy(world->directory, "/tmp/parley-bus-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    snprintf(world->endpoint, sizeof(world->endpoint), "ipc://%s/b", world->directory);
    assert_int_equal(brokers_new(str_from(world->endpoint), &world->brokers, &why), OK);
    uv_loop_init(&world->loop);
    uv_timer_init(&world->loop, &world->deadline);
    world->deadline.data = world;
    start_server(world);
    bus_client_config_t config = {.brokers = world->brokers,
                                  .role = ROLE_GATEWAY,
                                  .name = "gateway-1",
                                  .max_pending_bytes = 1 << 20};
    assert_int_equal(bus_client_new(&world->loop, &config, &client_handler, world, &world->client),
                     OK);
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    world_t *world = *state;
    bus_client_close(&world->client);
    bus_server_close(&world->server);
    uv_close((uv_handle_t *)&world->deadline, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    brokers_free(&world->brokers);
    unlink(world->endpoint + strlen("ipc://"));
    rmdir(world->directory);
    free(world);
    return 0;
}

static void test_request_and_delivery(void **state) {
    world_t *world = *state;
    request(world);
    run_until(world, &world->answered, 1);
    envelope_t expel = {.type = MSG_EXPEL, .room = STR("conv_1_2"), .body = STR("\x80")};
    assert_int_equal(bus_server_send(world->server, world->peer, &expel), OK);
    run_until(world, &world->delivered, 1);
    assert_true(bus_client_is_up(world->client, 0));
}

static void test_a_window_never_stalls(void **state) {
    world_t *world = *state;
    run_until(world, &world->ups, 1);
    world->to_request = 20000;
    for (int i = 0; i < 64; i++)
        request(world);
    run_until(world, &world->answered, 20064);
    assert_int_equal(world->downs, 0);
}

static void test_broker_restart(void **state) {
    world_t *world = *state;
    run_until(world, &world->ups, 1);
    bus_server_close(&world->server);
    request(world);
    run_until(world, &world->downs, 1);
    start_server(world);
    run_until(world, &world->answered, 1);
    assert_int_equal(world->ups, 2);
    assert_int_equal(world->failed, 0);
}

/* Nothing is sent meanwhile: the heartbeat would find it after a second. */
static void test_idle_client_sees_the_broker_go(void **state) {
    world_t *world = *state;
    run_until(world, &world->ups, 1);
    uint64_t began_ns = uv_hrtime();
    bus_server_close(&world->server);
    run_until(world, &world->downs, 1);
    assert_true(uv_hrtime() - began_ns < QUICK_NS);
}

static void test_idle_broker_sees_a_client_crash(void **state) {
    world_t *world = *state;
    run_until(world, &world->ups, 1);
    strbuf_t body = {0}, frame = {0};
    proto_hello_t hello = {.role = ROLE_PERSIST,
                           .name = STR("persist-worker-1"),
                           .incarnation = 7,
                           .hello_id = 1,
                           .broker_digest = brokers_digest(world->brokers)};
    proto_hello_encode(&hello, &body);
    envelope_encode(&(envelope_t){.type = MSG_HELLO, .body = strbuf_str(&body)}, &frame);
    void *context = zmq_ctx_new(), *dealer = zmq_socket(context, ZMQ_DEALER);
    int linger = 0;
    zmq_setsockopt(dealer, ZMQ_LINGER, &linger, sizeof(linger));
    assert_int_equal(zmq_connect(dealer, world->endpoint), 0);
    assert_int_equal(zmq_send(dealer, frame.p, frame.n, 0), (int)frame.n);
    run_until(world, &world->server_ups, 2);
    uint64_t began_ns = uv_hrtime();
    zmq_close(dealer);
    zmq_ctx_term(context);
    run_until(world, &world->server_downs, 1);
    assert_true(uv_hrtime() - began_ns < QUICK_NS);
    strbuf_fini(&body);
    strbuf_fini(&frame);
}

/* Closing a socket whose connections still break must not block ZeroMQ's own thread. */
static void test_many_restarts(void **state) {
    world_t *world = *state;
    run_until(world, &world->ups, 1);
    for (int i = 1; i <= 20; i++) {
        bus_server_close(&world->server);
        start_server(world);
        request(world);
        run_until(world, &world->answered, i);
    }
}

static void test_garbage(void **state) {
    world_t *world = *state;
    void *context = zmq_ctx_new(), *stranger = zmq_socket(context, ZMQ_DEALER);
    int linger = 0;
    zmq_setsockopt(stranger, ZMQ_LINGER, &linger, sizeof(linger));
    assert_int_equal(zmq_connect(stranger, world->endpoint), 0);
    zmq_send(stranger, "rubbish", 7, 0);
    zmq_send(stranger, "", 0, 0);
    for (int part = 0; part < 5; part++)
        zmq_send(stranger, "parts", 5, part < 4 ? ZMQ_SNDMORE : 0);
    zmq_send(stranger, "rubbish", 7, 0);
    run_until(world, &world->refused, 3);
    request(world);
    run_until(world, &world->answered, 1);
    zmq_close(stranger);
    zmq_ctx_term(context);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_request_and_delivery),
        TEST(test_a_window_never_stalls),
        TEST(test_broker_restart),
        TEST(test_idle_client_sees_the_broker_go),
        TEST(test_idle_broker_sees_a_client_crash),
        TEST(test_many_restarts),
        TEST(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
