/* Bytes that mean nothing on the broker's socket: it survives, says what it refused, and goes on
 * serving those who speak properly. */
#include "broker_process.h"

#include <czmq.h>
#include <unistd.h>

#include "common/brokers.h"
#include "proto/envelope.h"
#include "proto/proto.h"

enum { RECEIVE_MS = 10000 };

static broker_process_t broker;

/* A service as the bus knows it. */
typedef struct {
    zsock_t *socket;
    proto_hello_t hello;
    uint32_t count;
    uint64_t epoch;
    zmsg_t *received; /* the latest */
} peer_t;

static uint64_t digest_of_list(void) {
    brokers_t *brokers;
    const char *why;
    assert_int_equal(brokers_new(str_from(broker.endpoint), &brokers, &why), OK);
    uint64_t digest = brokers_digest(brokers);
    brokers_free(&brokers);
    return digest;
}

static void peer_open(peer_t *self, const char *name) {
    *self = (peer_t){.socket = zsock_new(ZMQ_DEALER),
                     .hello = {.role = ROLE_GATEWAY,
                               .name = str_from(name),
                               .incarnation = 5,
                               .hello_id = 1,
                               .broker_digest = digest_of_list(),
                               .version = STR("0")}};
    zsock_set_identity(self->socket, name);
    zsock_set_rcvtimeo(self->socket, RECEIVE_MS);
    zsock_set_linger(self->socket, 0);
    assert_int_equal(zsock_connect(self->socket, "%s", broker.endpoint), 0);
}

static void peer_close(peer_t *self) {
    zmsg_destroy(&self->received);
    zsock_destroy(&self->socket);
}

static void send_frame(const peer_t *self, str_t frame) {
    zmsg_t *message = zmsg_new();
    zmsg_addmem(message, frame.p, frame.n);
    assert_int_equal(zmsg_send(&message, self->socket), 0);
}

static void send_envelope(const peer_t *self, const envelope_t *envelope) {
    strbuf_t frame = {0};
    envelope_encode(envelope, &frame);
    send_frame(self, strbuf_str(&frame));
    strbuf_fini(&frame);
}

/* Sends the next counted envelope. */
static void say(peer_t *self, uint16_t type, uint64_t id, str_t body) {
    envelope_t envelope = {.type = type,
                           .count = ++self->count,
                           .receiver = self->epoch,
                           .request_id = id,
                           .room = STR("conv_1_2"),
                           .user = STR("1"),
                           .session = 1,
                           .body = body};
    send_envelope(self, &envelope);
}

static void say_hello(peer_t *self) {
    strbuf_t body = {0};
    proto_hello_encode(&self->hello, &body);
    send_envelope(self, &(envelope_t){.type = MSG_HELLO, .body = strbuf_str(&body)});
    strbuf_fini(&body);
}

/* The next envelope but heartbeats; it lives until the next call. */
static envelope_t receive(peer_t *self) {
    envelope_t envelope;
    do {
        zmsg_destroy(&self->received);
        self->received = zmsg_recv(self->socket);
        assert_non_null(self->received);
        zframe_t *frame = zmsg_first(self->received);
        str_t bytes = {(const char *)zframe_data(frame), zframe_size(frame)};
        assert_int_equal(envelope_decode(bytes, &envelope), OK);
    } while (envelope.type == MSG_HEARTBEAT);
    return envelope;
}

static void open_link(peer_t *self) {
    proto_arena_t *arena = proto_arena_new();
    proto_welcome_t welcome;
    say_hello(self);
    envelope_t envelope = receive(self);
    assert_int_equal(envelope.type, MSG_WELCOME);
    assert_int_equal(proto_welcome_decode(envelope.body, arena, &welcome), OK);
    self->epoch = welcome.incarnation;
    self->count = 0;
    proto_arena_free(&arena);
}

static unsigned refusal_of(peer_t *self) {
    proto_arena_t *arena = proto_arena_new();
    proto_refused_t refused;
    envelope_t envelope = receive(self);
    assert_int_equal(envelope.type, MSG_REFUSED);
    assert_int_equal(proto_refused_decode(envelope.body, arena, &refused), OK);
    proto_arena_free(&arena);
    return (unsigned)refused.reason;
}

/* One who speaks properly is served. */
static void expect_service(void) {
    peer_t peer;
    strbuf_t body = {0};
    str_t users[] = {STR("1")};
    peer_open(&peer, "proper");
    open_link(&peer);
    proto_watch_encode(&(proto_watch_t){.users = {users, 1}}, &body);
    say(&peer, MSG_WATCH, 7, strbuf_str(&body));
    envelope_t answer = receive(&peer);
    assert_int_equal(answer.type, MSG_PRESENCES);
    assert_int_equal(answer.request_id, 7);
    strbuf_fini(&body);
    peer_close(&peer);
    assert_non_null(strstr(broker_process_get(&broker, "/health"), "200 OK"));
}

/* Waits until the broker has read all that was sent, by sending what it answers with RESYNC. */
static void wait_until_read(peer_t *self) {
    self->count += 1000;
    say(self, MSG_LEAVE, 0, STR("\x80"));
    while (receive(self).type != MSG_RESYNC)
        continue;
}

/* ---- tests; at most ten lines of one event are logged in ten seconds, so the refusals that are
 * looked for in the log come before the floods ---- */

static void wrong_hellos_are_refused_by_reason(void **state) {
    (void)state;
    peer_t peer;
    peer_open(&peer, "wrong");
    proto_hello_t good = peer.hello;
    send_frame(&peer, STR("no envelope"));
    broker_process_expect(&broker, "peer=wrong reason=\"bytes that are no envelope\"");
    send_envelope(&peer, &(envelope_t){.type = MSG_HELLO, .body = STR("\xc1\xc1")});
    broker_process_expect(&broker, "reason=\"hello that can't be read\"");
    peer.hello.role = ROLE_BROKER;
    say_hello(&peer);
    assert_int_equal(refusal_of(&peer), 3);
    broker_process_expect(&broker, "reason=\"hello with a bad role\"");
    peer.hello = good;
    peer.hello.name = STR("../../etc");
    say_hello(&peer);
    assert_int_equal(refusal_of(&peer), 3);
    broker_process_expect(&broker, "reason=\"hello with a bad name or incarnation\"");
    peer.hello = good;
    peer.hello.broker_digest++;
    say_hello(&peer);
    assert_int_equal(refusal_of(&peer), 2);
    broker_process_expect(&broker, "reason=\"hello with another list of brokers\"");
    peer_close(&peer);
    expect_service();
}

static void peer_may_say_only_what_its_role_may(void **state) {
    (void)state;
    peer_t peer;
    peer_open(&peer, "forger");
    open_link(&peer);
    say(&peer, MSG_STORED, 9, STR("\x80"));
    broker_process_expect(&broker, "reason=\"message that this role may not send\"");
    say(&peer, MSG_TYPING, 10, STR("\xc1"));
    envelope_t answer = receive(&peer);
    assert_int_equal(answer.type, MSG_ERROR);
    assert_int_equal(answer.code, CODE_INVALID_PAYLOAD);
    broker_process_expect(&broker, "event=bus_envelope_refused peer=forger type=TYPING");
    broker_process_expect(&broker, "reason=\"malformed TYPING\"");
    peer_close(&peer);
    expect_service();
}

static void unknown_or_miscounted_envelopes_ask_for_a_hello(void **state) {
    (void)state;
    peer_t peer;
    peer_open(&peer, "stranger");
    say(&peer, MSG_LEAVE, 0, STR("\x80"));
    assert_int_equal(receive(&peer).type, MSG_RESYNC);
    open_link(&peer);
    peer.count = 41;
    say(&peer, MSG_LEAVE, 0, STR("\x80"));
    assert_int_equal(receive(&peer).type, MSG_RESYNC);
    broker_process_expect(&broker, "event=peer_down peer=stranger");
    open_link(&peer);
    peer.epoch++;
    say(&peer, MSG_LEAVE, 0, STR("\x80"));
    assert_int_equal(receive(&peer).type, MSG_RESYNC);
    peer_close(&peer);
    expect_service();
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
    expect_service();
}

static void random_frames_from_a_dealer(void **state) {
    (void)state;
    char bytes[512];
    peer_t peer;
    peer_open(&peer, "noise");
    for (size_t i = 0; i < 5000; i++) {
        zmsg_t *message = zmsg_new();
        for (int parts = rand() % 4; parts >= 0; parts--) {
            fill_random(bytes, sizeof(bytes));
            zmsg_addmem(message, bytes, (size_t)rand() % sizeof(bytes));
        }
        assert_int_equal(zmsg_send(&message, peer.socket), 0);
    }
    wait_until_read(&peer);
    peer_close(&peer);
    expect_service();
}

static void random_bodies_of_every_type_from_every_role(void **state) {
    (void)state;
    static const uint64_t roles[] = {ROLE_GATEWAY, ROLE_REST, ROLE_PERSIST, ROLE_AUTH};
    char bytes[64];
    for (size_t i = 0; i < 4; i++) {
        peer_t peer;
        peer_open(&peer, "bodies");
        peer.hello.role = roles[i];
        peer.hello.incarnation = 10 + i;
        peer.hello.write_credit = peer.hello.read_credit = 1000;
        open_link(&peer);
        for (uint16_t type = 10; type < 10000; type++) {
            if (type % 100 == MSG_GOODBYE)
                continue;
            fill_random(bytes, sizeof(bytes));
            bytes[0] = (char)(0x80 | (bytes[0] & 3));
            say(&peer, type % 100, type, (str_t){bytes, (size_t)rand() % sizeof(bytes)});
        }
        wait_until_read(&peer);
        peer_close(&peer);
        expect_service();
    }
}

static void frame_over_the_bound_ends_the_connection(void **state) {
    (void)state;
    peer_t peer;
    peer_open(&peer, "giant");
    open_link(&peer);
    char *bytes = xcalloc(1, ENVELOPE_MAX_BYTES + 1);
    send_frame(&peer, (str_t){bytes, ENVELOPE_MAX_BYTES + 1});
    free(bytes);
    broker_process_expect(&broker, "event=peer_down peer=giant");
    peer_close(&peer);
    expect_service();
}

static void counts_say_how_much_was_refused(void **state) {
    (void)state;
    static const char *const names[] = {"\nparley_broker_bus_refused_total{what=\"frame\"} ",
                                        "\nparley_broker_bus_refused_total{what=\"envelope\"} ",
                                        "\nparley_broker_bus_dropped_total "};
    for (size_t i = 0; i < 3; i++) {
        const char *at = strstr(broker_process_get(&broker, "/metrics"), names[i]);
        assert_non_null(at);
        assert_true(strtoul(at + strlen(names[i]), NULL, 10) >= (i == 0 ? 1000 : 1));
    }
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
    broker_process_start(&broker, argv[1]);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    broker_process_stop(&broker);
    return failed;
}
