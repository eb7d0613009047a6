/* The bus with keys: strangers are not heard, nobody speaks in another role, services talk to the
 * brokers whose key they know alone, and keys change without a restart of everything. */
#include "bus_world.h"

#include <czmq.h>

#include "common/keyring_files.h"
#include "keygen/keygen.h"

static const uint64_t WAIT_NS = 20 * UINT64_C(1000000000);

static key_pair_t pair_of(bus_world_t *world, role_t role) {
    key_pair_t pair;
    char name[64];
    strbuf_t problem = {0};
    snprintf(name, sizeof(name), "%s.key", role_name(role));
    assert_int_equal(keyring_read_secret(bus_world_key_file(world, name), role, &pair, &problem),
                     OK);
    return pair;
}

static key_pair_t new_pair(void) {
    key_pair_t pair;
    assert_int_equal(zmq_curve_keypair(pair.public_key, pair.secret_key), 0);
    return pair;
}

/* Anybody with a ZeroMQ of his own, who has sent one frame. NULL keys: in clear. */
static zsock_t *stranger(const bus_world_t *world, const key_pair_t *own, const char *server_key,
                         str_t frame) {
    zsock_t *socket = zsock_new(ZMQ_DEALER);
    zsock_set_linger(socket, 0);
    if (own) {
        zsock_set_curve_publickey(socket, own->public_key);
        zsock_set_curve_secretkey(socket, own->secret_key);
        zsock_set_curve_serverkey(socket, server_key);
    }
    assert_int_equal(zsock_connect(socket, "%s", world->endpoint), 0);
    assert_int_equal(zmq_send(zsock_resolve(socket), frame.p, frame.n, 0), (int)frame.n);
    return socket;
}

static void expect_service(bus_world_t *world) {
    int before = world->answered;
    bus_world_request(world);
    bus_world_run_until(world, &world->answered, before + 1);
}

static void test_strangers_are_not_heard(void **state) {
    bus_world_t *world = *state;
    bus_world_run_until(world, &world->ups, 1);
    strbuf_t hello = {0};
    bus_world_append_hello(world, ROLE_GATEWAY, "gateway-1", &hello);
    key_pair_t broker = pair_of(world, ROLE_BROKER), own = new_pair(), other = new_pair();
    key_pair_t persist = pair_of(world, ROLE_PERSIST);
    zsock_t *in_clear = stranger(world, NULL, NULL, strbuf_str(&hello));
    bus_world_run_until(world, &world->unshaken, 1);
    zsock_t *wrong_server = stranger(world, &persist, other.public_key, strbuf_str(&hello));
    bus_world_run_until(world, &world->unshaken, 2);
    zsock_t *unknown = stranger(world, &own, broker.public_key, strbuf_str(&hello));
    bus_world_run_until(world, &world->unknown_keys, 1);
    /* Nor one that has the broker's own public key, or its pair. */
    zsock_t *as_broker = stranger(world, &broker, broker.public_key, strbuf_str(&hello));
    bus_world_run_until(world, &world->unknown_keys, 2);
    expect_service(world);
    assert_int_equal(world->server_ups, 1);
    assert_int_equal(world->refused, 0);
    assert_int_equal(world->downs, 0);
    zsock_destroy(&in_clear);
    zsock_destroy(&wrong_server);
    zsock_destroy(&unknown);
    zsock_destroy(&as_broker);
    strbuf_fini(&hello);
}

static void test_a_service_speaks_in_its_own_role_alone(void **state) {
    bus_world_t *world = *state;
    bus_world_run_until(world, &world->ups, 1);
    strbuf_t hello = {0};
    key_pair_t broker = pair_of(world, ROLE_BROKER), rest = pair_of(world, ROLE_REST);
    bus_world_append_hello(world, ROLE_PERSIST, "persist-worker-1", &hello);
    zsock_t *forger = stranger(world, &rest, broker.public_key, strbuf_str(&hello));
    bus_world_run_until(world, &world->refused, 1);
    assert_string_equal(world->refusal, "hello with a role that its key is not for");
    assert_int_equal(world->server_ups, 1);
    strbuf_clear(&hello);
    bus_world_append_hello(world, ROLE_REST, "rest-1", &hello);
    assert_int_equal(zmq_send(zsock_resolve(forger), hello.p, hello.n, 0), (int)hello.n);
    bus_world_run_until(world, &world->server_ups, 2);
    zsock_destroy(&forger);
    strbuf_fini(&hello);
}

/* Somebody has taken the broker's place: with a key of his own, or with none. */
static void test_another_broker_gets_no_hello(void **state) {
    bus_world_t *world = *state;
    key_pair_t own = new_pair();
    bus_server_close(&world->server);
    for (int encrypted = 0; encrypted < 2; encrypted++) {
        const char *events = encrypted ? "inproc://other-key" : "inproc://no-key";
        zsock_t *rogue = zsock_new(ZMQ_ROUTER);
        zsock_t *monitor = zsock_new(ZMQ_PAIR);
        zsock_set_rcvtimeo(rogue, 0);
        if (encrypted) {
            zsock_set_curve_server(rogue, 1);
            zsock_set_curve_secretkey(rogue, own.secret_key);
        }
        int failures = 0;
        assert_int_equal(zmq_socket_monitor(zsock_resolve(rogue), events,
                                            ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                                ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL),
                         0);
        assert_int_equal(zsock_connect(monitor, "%s", events), 0);
        assert_true(zsock_bind(rogue, "%s", world->endpoint) >= 0);
        /* It tries again and again, and never gets as far as a message. */
        uint64_t began_ns = uv_hrtime();
        while (failures < 3) {
            assert_true(uv_hrtime() - began_ns < WAIT_NS);
            uv_run(&world->loop, UV_RUN_ONCE);
            zmsg_t *event = zsock_events(monitor) & ZMQ_POLLIN ? zmsg_recv(monitor) : NULL;
            failures += event != NULL;
            zmsg_destroy(&event);
            assert_null(zmsg_recv(rogue));
        }
        zmq_socket_monitor(zsock_resolve(rogue), NULL, 0);
        zsock_destroy(&rogue);
        zsock_destroy(&monitor);
    }
    assert_int_equal(world->ups, 0);
    /* The right one comes back, and is found though the handshakes before had failed. */
    bus_world_start_server(world);
    bus_world_run_until(world, &world->ups, 1);
    expect_service(world);
}

static void replace_public_keys(bus_world_t *world, const char *text) {
    FILE *file = fopen(bus_world_key_file(world, "public.keys"), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* As an operator does it: the old file away, a new one made, and both public keys stay listed. */
static void change_key(bus_world_t *world, role_t role) {
    char from[160], name[64];
    strbuf_t report = {0}, problem = {0};
    snprintf(name, sizeof(name), "%s.key", role_name(role));
    strcpy(from, bus_world_key_file(world, name));
    assert_int_equal(rename(from, bus_world_key_file(world, "old")), 0);
    assert_int_equal(keygen_fill(world->keys, &report, &problem), OK);
    strbuf_fini(&report);
    strbuf_fini(&problem);
}

static void test_the_brokers_key_changes(void **state) {
    bus_world_t *world = *state;
    bus_world_run_until(world, &world->ups, 1);
    change_key(world, ROLE_BROKER);
    bus_client_close(&world->client); /* services learn of the new key first */
    bus_world_start_client(world);
    bus_world_run_until(world, &world->ups, 2);
    bus_server_close(&world->server);
    bus_world_run_until(world, &world->downs, 1);
    bus_world_start_server(world);
    bus_world_run_until(world, &world->ups, 3);
    expect_service(world);
}

static void test_a_services_key_changes_while_the_broker_runs(void **state) {
    bus_world_t *world = *state;
    bus_world_run_until(world, &world->ups, 1);
    key_pair_t old = pair_of(world, ROLE_GATEWAY), broker = pair_of(world, ROLE_BROKER);
    change_key(world, ROLE_GATEWAY);
    bus_client_close(&world->client);
    bus_world_start_client(world); /* tries until the broker has read the file again */
    bus_world_run_until(world, &world->ups, 2);
    expect_service(world);
    assert_int_equal(world->server_ups, 2);

    /* The old key is taken out: who still uses it isn't heard any more, connected or not. */
    strbuf_t hello = {0}, text = {0};
    bus_world_append_hello(world, ROLE_GATEWAY, "gateway-2", &hello);
    zsock_t *late = stranger(world, &old, broker.public_key, strbuf_str(&hello));
    bus_world_run_until(world, &world->server_ups, 3);
    strbuf_printf(&text, "gateway %s\nbroker %s\n", pair_of(world, ROLE_GATEWAY).public_key,
                  broker.public_key);
    replace_public_keys(world, strbuf_cstr(&text));
    uint64_t began_ns = uv_hrtime();
    while (world->refused == 0) {
        assert_true(uv_hrtime() - began_ns < WAIT_NS);
        (void)!zmq_send(zsock_resolve(late), hello.p, hello.n, ZMQ_DONTWAIT);
        uv_run(&world->loop, UV_RUN_ONCE);
    }
    assert_int_equal(world->server_ups, world->server_downs + 1);
    assert_string_equal(world->refusal, "a key that is not accepted any more");
    zsock_t *again = stranger(world, &old, broker.public_key, strbuf_str(&hello));
    bus_world_run_until(world, &world->unknown_keys, 1);
    expect_service(world);
    zsock_destroy(&late);
    zsock_destroy(&again);
    strbuf_fini(&hello);
    strbuf_fini(&text);
}

/* What was read stays in force. */
static void test_a_broken_file_changes_nothing(void **state) {
    bus_world_t *world = *state;
    bus_world_run_until(world, &world->ups, 1);
    replace_public_keys(world, "gateway rubbish\n");
    bus_server_close(&world->server);
    bus_world_run_until(world, &world->downs, 1);
    bus_server_config_t config = {
        .name = "broker-1", .bind_endpoint = world->endpoint, .keys_directory = world->keys};
    bus_server_t *server = NULL;
    assert_int_equal(
        bus_server_new(&world->loop, &config, &(bus_server_handler_t){0}, world, &server),
        ERR_INVALID);
    assert_null(server);
}

static int set_up(void **state) {
    bus_world_t *world = bus_world_new(true);
    bus_world_start_server(world);
    bus_world_start_client(world);
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    bus_world_free(*state);
    return 0;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_strangers_are_not_heard),
        TEST(test_a_service_speaks_in_its_own_role_alone),
        TEST(test_another_broker_gets_no_hello),
        TEST(test_the_brokers_key_changes),
        TEST(test_a_services_key_changes_while_the_broker_runs),
        TEST(test_a_broken_file_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
