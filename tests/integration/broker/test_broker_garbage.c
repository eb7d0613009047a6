/* Bytes that mean nothing on the socket of a broker without keys: it survives, says what it
 * refused, and goes on serving those who speak properly. */
#include "bus_peer.h"

#include <unistd.h>

static broker_process_t broker;

/* ---- tests; at most ten lines of one event are logged in ten seconds, so the refusals that are
 * looked for in the log come before the floods ---- */

static void wrong_hellos_are_refused_by_reason(void **state) {
    (void)state;
    bus_peer_t peer;
    bus_peer_open(&peer, &broker, "wrong");
    proto_hello_t good = peer.hello;
    bus_peer_send(&peer, STR("no envelope"));
    broker_process_expect(&broker, "peer=wrong reason=\"bytes that are no envelope\"");
    bus_peer_send_envelope(&peer, &(envelope_t){.type = MSG_HELLO, .body = STR("\xc1\xc1")});
    broker_process_expect(&broker, "reason=\"hello that can't be read\"");
    peer.hello.role = ROLE_BROKER;
    bus_peer_say_hello(&peer);
    assert_int_equal(bus_peer_refusal(&peer), 3);
    broker_process_expect(&broker, "reason=\"hello with a bad role\"");
    peer.hello = good;
    peer.hello.name = STR("../../etc");
    bus_peer_say_hello(&peer);
    assert_int_equal(bus_peer_refusal(&peer), 3);
    broker_process_expect(&broker, "reason=\"hello with a bad name or incarnation\"");
    peer.hello = good;
    peer.hello.broker_digest++;
    bus_peer_say_hello(&peer);
    assert_int_equal(bus_peer_refusal(&peer), 2);
    broker_process_expect(&broker, "reason=\"hello with another list of brokers\"");
    bus_peer_close(&peer);
    bus_peer_expect_service(&broker);
}

static void peer_may_say_only_what_its_role_may(void **state) {
    (void)state;
    bus_peer_t peer;
    bus_peer_open(&peer, &broker, "forger");
    bus_peer_link(&peer);
    bus_peer_say(&peer, MSG_STORED, 9, STR("\x80"));
    broker_process_expect(&broker, "reason=\"message that this role may not send\"");
    bus_peer_say(&peer, MSG_TYPING, 10, STR("\xc1"));
    envelope_t answer = bus_peer_receive(&peer);
    assert_int_equal(answer.type, MSG_ERROR);
    assert_int_equal(answer.code, CODE_INVALID_PAYLOAD);
    broker_process_expect(&broker, "event=bus_envelope_refused peer=forger type=TYPING");
    broker_process_expect(&broker, "reason=\"malformed TYPING\"");
    bus_peer_close(&peer);
    bus_peer_expect_service(&broker);
}

static void unknown_or_miscounted_envelopes_ask_for_a_hello(void **state) {
    (void)state;
    bus_peer_t peer;
    bus_peer_open(&peer, &broker, "stranger");
    bus_peer_say(&peer, MSG_LEAVE, 0, STR("\x80"));
    assert_int_equal(bus_peer_receive(&peer).type, MSG_RESYNC);
    bus_peer_link(&peer);
    peer.count = 41;
    bus_peer_say(&peer, MSG_LEAVE, 0, STR("\x80"));
    assert_int_equal(bus_peer_receive(&peer).type, MSG_RESYNC);
    broker_process_expect(&broker, "event=peer_down peer=stranger");
    bus_peer_link(&peer);
    peer.epoch++;
    bus_peer_say(&peer, MSG_LEAVE, 0, STR("\x80"));
    assert_int_equal(bus_peer_receive(&peer).type, MSG_RESYNC);
    bus_peer_close(&peer);
    bus_peer_expect_service(&broker);
}

static void fill_random(char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)rand();
}

static void raw_bytes_on_the_port(void **state) {
    (void)state;
    static char random_bytes[65536];
    static const char greeting[] =
        "\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    static const char endless[] = "\x06\xff\xff\xff\xff\xff\xff\xff\xff";
    fill_random(random_bytes, sizeof(random_bytes));
    for (size_t i = 0; i < 200; i++) {
        int fd = connect_to(broker.port);
        ssize_t sent = 0;
        if (i % 4 == 1)
            sent = send(fd, random_bytes, sizeof(random_bytes), MSG_NOSIGNAL);
        else if (i % 4 == 2)
            sent = send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
        else if (i % 4 == 3)
            sent = send(fd, greeting, 64, MSG_NOSIGNAL) + send(fd, endless, 9, MSG_NOSIGNAL);
        assert_true(i % 4 == 0 || sent != 0);
        close(fd);
    }
    bus_peer_expect_service(&broker);
}

static void random_frames_from_a_dealer(void **state) {
    (void)state;
    char bytes[512];
    bus_peer_t peer;
    bus_peer_open(&peer, &broker, "noise");
    for (size_t i = 0; i < 5000; i++) {
        zmsg_t *message = zmsg_new();
        for (int parts = rand() % 4; parts >= 0; parts--) {
            fill_random(bytes, sizeof(bytes));
            zmsg_addmem(message, bytes, (size_t)rand() % sizeof(bytes));
        }
        assert_int_equal(zmsg_send(&message, peer.socket), 0);
    }
    bus_peer_wait_until_read(&peer);
    bus_peer_close(&peer);
    bus_peer_expect_service(&broker);
}

static void random_bodies_of_every_type_from_every_role(void **state) {
    (void)state;
    static const uint64_t roles[] = {ROLE_GATEWAY, ROLE_REST, ROLE_PERSIST, ROLE_AUTH};
    char bytes[64];
    for (size_t i = 0; i < 4; i++) {
        bus_peer_t peer;
        // Each its own name: what the broker still reads of one must not be answered to the next.
        char name[16];
        snprintf(name, sizeof(name), "bodies-%zu", i);
        bus_peer_open(&peer, &broker, name);
        peer.hello.role = roles[i];
        peer.hello.incarnation = 10 + i;
        peer.hello.write_credit = peer.hello.read_credit = 1000;
        bus_peer_link(&peer);
        for (uint16_t type = 10; type < 10000; type++) {
            if (type % 100 == MSG_GOODBYE)
                continue;
            fill_random(bytes, sizeof(bytes));
            bytes[0] = (char)(0x80 | (bytes[0] & 3));
            bus_peer_say(&peer, type % 100, type, (str_t){bytes, (size_t)rand() % sizeof(bytes)});
        }
        bus_peer_wait_until_read(&peer);
        bus_peer_close(&peer);
        bus_peer_expect_service(&broker);
    }
}

static void frame_over_the_bound_ends_the_connection(void **state) {
    (void)state;
    bus_peer_t peer;
    bus_peer_open(&peer, &broker, "giant");
    bus_peer_link(&peer);
    char *bytes = xcalloc(1, ENVELOPE_MAX_BYTES + 1);
    bus_peer_send(&peer, (str_t){bytes, ENVELOPE_MAX_BYTES + 1});
    free(bytes);
    broker_process_expect(&broker, "event=peer_down peer=giant");
    bus_peer_close(&peer);
    bus_peer_expect_service(&broker);
}

static void counts_say_how_much_was_refused(void **state) {
    (void)state;
    assert_true(broker_process_metric(&broker, "parley_broker_bus_refused_total{what=\"frame\"}") >=
                1000);
    assert_true(
        broker_process_metric(&broker, "parley_broker_bus_refused_total{what=\"envelope\"}") > 0);
    assert_true(broker_process_metric(&broker, "parley_broker_bus_dropped_total") > 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_hellos_are_refused_by_reason),
        cmocka_unit_test(peer_may_say_only_what_its_role_may),
        cmocka_unit_test(unknown_or_miscounted_envelopes_ask_for_a_hello),
        cmocka_unit_test(raw_bytes_on_the_port),
        cmocka_unit_test(random_frames_from_a_dealer),
        cmocka_unit_test(random_bodies_of_every_type_from_every_role),
        cmocka_unit_test(frame_over_the_bound_ends_the_connection),
        cmocka_unit_test(counts_say_how_much_was_refused),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s PATH_OF_PARLEY_BROKER\n", argv[0]);
        return 2;
    }
    srand(1);
    broker_process_start(&broker, argv[1], NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    broker_process_stop(&broker);
    return failed;
}
