/* Strangers at the port of a broker that has keys: they learn nothing and change nothing, are
 * counted and logged at a limited rate, and those who belong there are served all the while. */
#include "bus_peer.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "keygen/keygen.h"

enum {
    FLOOD = 1500,
    FLOOD_LINES_MAX = 40, /* of one event; at most 10 in 10 s are logged */
    WAIT_SECONDS = 30,
};

#define STRANGERS(reason) "parley_broker_bus_strangers_total{reason=\"" reason "\"}"

static broker_process_t broker;
static key_pair_t broker_keys;

static void pause_briefly(void) {
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
}

/* Who shakes hands wrongly may see that first, and go. */
static unsigned long count_unshaken(void) {
    return broker_process_metric(&broker, STRANGERS("protocol")) +
           broker_process_metric(&broker, STRANGERS("silent"));
}

static unsigned long count_unknown(void) {
    return broker_process_metric(&broker, STRANGERS("key"));
}

static key_pair_t new_pair(void) {
    key_pair_t pair;
    assert_int_equal(zmq_curve_keypair(pair.public_key, pair.secret_key), 0);
    return pair;
}

static size_t count_in_log(const char *text) {
    size_t n = 0;
    for (const char *at = strbuf_cstr(&broker.log); (at = strstr(at, text)); at++)
        n++;
    return n;
}

/* Says hello as a gateway with these keys, and is not heard. */
static void expect_unheard(const bus_peer_keys_t *keys, unsigned long (*count)(void)) {
    bus_peer_t stranger;
    unsigned long before = count();
    time_t until = time(NULL) + WAIT_SECONDS;
    bus_peer_open_with(&stranger, &broker, "gateway-1", keys);
    bus_peer_say_hello(&stranger);
    while (count() == before) {
        assert_true(time(NULL) <= until);
        pause_briefly();
    }
    zsock_set_rcvtimeo(stranger.socket, 0);
    assert_null(zmsg_recv(stranger.socket));
    bus_peer_close(&stranger);
    bus_peer_expect_service(&broker);
}

/* ---- tests; at most ten lines of one event are logged in ten seconds, so their order counts ----
 */

static void who_has_no_key_of_ours_is_not_heard(void **state) {
    (void)state;
    key_pair_t own = new_pair(), other = new_pair();
    key_pair_t gateway = broker_process_keys(&broker, ROLE_GATEWAY);
    expect_unheard(&(bus_peer_keys_t){0}, count_unshaken);
    broker_process_expect(&broker, "event=bus_stranger reason=");
    /* Our key, but for another broker: nobody in the middle can pass it on. */
    expect_unheard(&(bus_peer_keys_t){&gateway, other.public_key}, count_unshaken);
    expect_unheard(&(bus_peer_keys_t){&own, broker_keys.public_key}, count_unknown);
    broker_process_expect(&broker, "event=bus_key_refused address=");
    /* A broker is nobody's client. */
    expect_unheard(&(bus_peer_keys_t){&broker_keys, broker_keys.public_key}, count_unknown);
}

static void each_key_speaks_in_its_own_role(void **state) {
    (void)state;
    for (unsigned key = ROLE_GATEWAY; key <= ROLE_AUTH; key <<= 1) {
        key_pair_t own = broker_process_keys(&broker, (role_t)key);
        bus_peer_t peer;
        char name[32];
        snprintf(name, sizeof(name), "service-%u", key);
        bus_peer_open_with(&peer, &broker, name, &(bus_peer_keys_t){&own, broker_keys.public_key});
        for (unsigned role = ROLE_GATEWAY; role <= ROLE_AUTH; role <<= 1) {
            peer.hello.role = role;
            if (role == key) {
                bus_peer_link(&peer);
                continue;
            }
            bus_peer_say_hello(&peer);
            assert_int_equal(bus_peer_refusal(&peer), 3);
        }
        bus_peer_close(&peer);
    }
    broker_process_expect(&broker, "reason=\"hello with a role that its key is not for\"");
}

/* A rest service that has guessed a gateway's routing id, and so took its connection over. */
static void a_stolen_routing_id_is_of_no_use(void **state) {
    (void)state;
    key_pair_t rest = broker_process_keys(&broker, ROLE_REST);
    bus_peer_t victim, thief;
    bus_peer_open(&victim, &broker, "victim");
    bus_peer_link(&victim);
    bus_peer_open_with(&thief, &broker, "victim",
                       &(bus_peer_keys_t){&rest, broker_keys.public_key});
    thief.epoch = victim.epoch;
    bus_peer_say(&thief, MSG_LEAVE, 0, STR("\x80"));
    broker_process_expect(&broker,
                          "peer=victim reason=\"the routing id of a peer of another role\"");
    bus_peer_close(&victim);
    bus_peer_close(&thief);
    bus_peer_expect_service(&broker);
}

/* Bytes that begin a handshake, more or less, and then silence. */
static void begin_handshake(int fd, size_t i) {
    static const char greeting[64] = "\xff\0\0\0\0\0\0\0\1\x7f\3\0"
                                     "CURVE";
    static const char hello[202] = "\x04\xc8\5HELLO\1\0";
    if (i % 3 == 0)
        return;
    (void)!send(fd, greeting, sizeof(greeting), MSG_NOSIGNAL);
    if (i % 3 == 2)
        (void)!send(fd, hello, sizeof(hello), MSG_NOSIGNAL);
}

static void expect_closed(int fd) {
    char bytes[256];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ssize_t n = 1;
    while (n > 0) {
        assert_int_equal(poll(&wait, 1, WAIT_SECONDS * 1000), 1);
        n = recv(fd, bytes, sizeof(bytes), 0);
    }
    assert_true(n == 0 || errno == ECONNRESET);
    close(fd);
}

static void a_flood_of_half_open_handshakes_passes(void **state) {
    (void)state;
    static int flood[FLOOD];
    bus_peer_t resident;
    strbuf_t beat = {0};
    unsigned long before = count_unshaken();
    bus_peer_open(&resident, &broker, "resident");
    bus_peer_link(&resident);
    for (size_t i = 0; i < FLOOD; i++) {
        flood[i] = connect_to(broker.port);
        begin_handshake(flood[i], i);
    }
    proto_heartbeat_encode(&(proto_heartbeat_t){0}, &beat);
    for (int i = 0; i < 3; i++) { /* new ones get in, and nobody falls out */
        bus_peer_say(&resident, MSG_HEARTBEAT, 0, strbuf_str(&beat));
        bus_peer_expect_service(&broker);
    }
    for (size_t i = 0; i < FLOOD; i++) {
        if (i % 100 == 0)
            bus_peer_say(&resident, MSG_HEARTBEAT, 0, strbuf_str(&beat));
        expect_closed(flood[i]);
    }
    assert_in_range(count_unshaken() - before, FLOOD, FLOOD + 10);
    bus_peer_expect_service(&broker);
    bus_peer_close(&resident);
    strbuf_fini(&beat);
}

static void the_log_is_not_flooded(void **state) {
    (void)state;
    assert_in_range(count_in_log("event=bus_stranger "), 1, FLOOD_LINES_MAX);
    assert_in_range(count_in_log("event=bus_key_refused "), 1, FLOOD_LINES_MAX);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_no_key_of_ours_is_not_heard),
        cmocka_unit_test(a_stolen_routing_id_is_of_no_use),
        cmocka_unit_test(each_key_speaks_in_its_own_role),
        cmocka_unit_test(a_flood_of_half_open_handshakes_passes),
        cmocka_unit_test(the_log_is_not_flooded),
    };
    char directory[] = "/tmp/parley-strangers-XXXXXX", command[64];
    strbuf_t report = {0}, problem = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: %s PATH_OF_PARLEY_BROKER\n", argv[0]);
        return 2;
    }
    if (!mkdtemp(directory) || keygen_fill(directory, &report, &problem) != OK) {
        fprintf(stderr, "no keys: %s\n", strbuf_cstr(&problem));
        return 1;
    }
    broker_process_start(&broker, argv[1], directory);
    broker_keys = broker_process_keys(&broker, ROLE_BROKER);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    broker_process_stop(&broker);
    snprintf(command, sizeof(command), "rm -r %s", directory);
    strbuf_fini(&report);
    strbuf_fini(&problem);
    return system(command) == 0 ? failed : 1;
}
