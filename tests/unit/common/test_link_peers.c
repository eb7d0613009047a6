/* Who may open a link, and who may not. */
#include "link_world.h"

/* A hello for this role under a key of `key_roles`. */
static void say_hello(link_world_t *world, role_t key_roles, const char *routing,
                      const proto_hello_t *hello) {
    strbuf_t body = {0}, frame = {0};
    proto_hello_encode(hello, &body);
    envelope_encode(&(envelope_t){.type = MSG_HELLO, .body = strbuf_str(&body)}, &frame);
    link_world_receive_as(world, key_roles, str_from(routing), strbuf_str(&frame));
    strbuf_fini(&body);
    strbuf_fini(&frame);
}

static proto_hello_t hello_of(role_t role, const char *name, uint64_t incarnation) {
    return (proto_hello_t){.role = role,
                           .name = str_from(name),
                           .incarnation = incarnation,
                           .hello_id = 1,
                           .broker_digest = 5,
                           .version = STR("x")};
}

static void hello_from(link_world_t *world, const char *routing, uint64_t incarnation,
                       uint64_t digest) {
    proto_hello_t hello = hello_of(ROLE_GATEWAY, "gateway-1", incarnation);
    hello.broker_digest = digest;
    say_hello(world, ROLE_CLIENTS, routing, &hello);
}

static void test_the_later_life_wins(void **state) {
    link_world_t *world = *state;
    link_world_run(world, 200);
    hello_from(world, "gateway-1/4e", 78, 5);
    assert_int_equal(world->listener_downs, 1);
    assert_int_equal(world->listener_ups, 2);
    link_world_settle(world);
    assert_int_equal(dialer_state(world->dialer), DIALER_REFUSED);
    assert_int_equal(world->refused_reason, 1);
    assert_string_equal(dialer_refusal_text(world->refused_reason),
                        "a later process has this INSTANCE");
    assert_string_equal(dialer_refusal_text(99), "unknown");
    hello_from(world, world->routing, 77, 5); /* thawed, it tries again */
    assert_int_equal(world->listener_ups, 2);
    assert_int_equal(link_listener_peers(world->listener), 1);
}

static void test_another_broker_list_is_refused(void **state) {
    link_world_t *world = *state;
    hello_from(world, world->routing, 77, 6);
    assert_int_equal(world->refused, 1);
    assert_int_equal(link_listener_peers(world->listener), 0);
}

static void test_strangers(void **state) {
    link_world_t *world = *state;
    link_world_receive(world, STR("x"), STR("garbage"));
    link_world_receive(world, STR(""), STR("garbage"));
    assert_int_equal(world->refused, 2);
    strbuf_t frame = {0};
    envelope_encode(&(envelope_t){.type = MSG_SEND, .count = 1, .receiver = 900}, &frame);
    link_world_receive(world, str_from(world->routing), strbuf_str(&frame));
    assert_int_equal(world->seen_count, 0);
    /* a role that may not send this */
    link_world_run(world, 200);
    envelope_t stored = {.type = MSG_STORED, .body = STR("\x80")};
    assert_int_equal(dialer_send(world->dialer, &stored, world->now_ms), OK);
    link_world_settle(world);
    assert_int_equal(world->refused, 3);
    assert_int_equal(world->seen_count, 0);
    dialer_receive(world->dialer, STR("garbage"), world->now_ms);
    assert_int_equal(dialer_stats(world->dialer)->malformed, 1);
    strbuf_fini(&frame);
}

static void test_peers_are_bounded(void **state) {
    link_world_t *world = *state;
    for (unsigned i = 0; i < LISTENER_MAX_PEERS + 5; i++) {
        char name[32], routing[32];
        snprintf(name, sizeof(name), "g%u", i);
        snprintf(routing, sizeof(routing), "g%u/1", i);
        proto_hello_t hello = hello_of(ROLE_REST, name, 1);
        say_hello(world, ROLE_CLIENTS, routing, &hello);
    }
    assert_int_equal(link_listener_peers(world->listener), LISTENER_MAX_PEERS);
    assert_int_equal(world->refused, 5);
}

static void test_a_key_is_for_its_role(void **state) {
    link_world_t *world = *state;
    proto_hello_t hello = hello_of(ROLE_PERSIST, "persist-worker-1", 1);
    for (role_t key = ROLE_GATEWAY; key <= ROLE_BROKER; key = (role_t)(key << 1))
        say_hello(world, key, "w/1", &hello);
    say_hello(world, 0, "w/1", &hello);
    assert_int_equal(world->listener_ups, 1);
    assert_int_equal(world->refused, 5);
    hello.role = ROLE_PERSIST | ROLE_GATEWAY;
    say_hello(world, ROLE_PERSIST, "w/2", &hello);
    assert_int_equal(world->listener_ups, 1);
}

/* Neither by its routing id nor by its instance name. */
static void test_no_key_touches_a_peer_of_another_role(void **state) {
    link_world_t *world = *state;
    strbuf_t frame = {0};
    link_world_run(world, 200);
    assert_int_equal(world->listener_ups, 1);
    proto_hello_t hello = hello_of(ROLE_AUTH, "gateway-1", 1);
    say_hello(world, ROLE_AUTH, world->routing, &hello);
    envelope_t next = {.type = MSG_GOODBYE, .count = 1, .receiver = 900, .body = STR("\x80")};
    envelope_encode(&next, &frame);
    link_world_receive_as(world, ROLE_AUTH, str_from(world->routing), strbuf_str(&frame));
    assert_int_equal(world->refused, 2);
    say_hello(world, ROLE_AUTH, "gateway-1/1", &hello); /* a name of its own, if a strange one */
    assert_int_equal(world->listener_ups, 2);
    assert_int_equal(world->listener_downs, 0);
    link_world_run(world, 5000);
    assert_int_equal(dialer_state(world->dialer), DIALER_UP);
    assert_int_equal(world->dialer_ups, 1);
    strbuf_fini(&frame);
}

static void test_a_key_that_is_taken_back_ends_its_link(void **state) {
    link_world_t *world = *state;
    strbuf_t frame = {0};
    link_world_run(world, 200);
    envelope_encode(&(envelope_t){.type = MSG_HEARTBEAT, .count = 9, .receiver = 900}, &frame);
    link_world_receive_as(world, 0, str_from(world->routing), strbuf_str(&frame));
    assert_int_equal(world->listener_downs, 1);
    assert_int_equal(world->refused, 1);
    assert_int_equal(link_listener_peers(world->listener), 0);
    strbuf_fini(&frame);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, link_world_set_up, link_world_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_later_life_wins),
        TEST(test_another_broker_list_is_refused),
        TEST(test_strangers),
        TEST(test_peers_are_bounded),
        TEST(test_a_key_is_for_its_role),
        TEST(test_no_key_touches_a_peer_of_another_role),
        TEST(test_a_key_that_is_taken_back_ends_its_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
