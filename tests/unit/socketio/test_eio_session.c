/* eio_session and eio_server: the session machine, driven without any I/O. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/socketio/recorder.h"

enum { INTERVAL = 300, TIMEOUT = 200, UPGRADE = 1000, CLOSING = 5000, MAX_QUEUE = 1000 };

static eio_server_t *server;
static eio_session_t *session; /* the newest */
static char refused[64];       /* what the application was told last */

static void on_open(void *arg, eio_session_t *opened) {
    (void)arg;
    session = opened;
}

static void on_message(void *arg, eio_session_t *from, str_t message, bool binary) {
    (void)arg;
    (void)from;
    recorder_note("message %.*s%s", STR_ARG(message), binary ? " (binary)" : "");
    if (str_eq(message, STR("close me")))
        eio_close(from, EIO_CLOSE_SERVER);
}

static void on_close(void *arg, eio_session_t *closed, eio_close_t reason) {
    (void)arg;
    (void)closed;
    recorder_note("closed: %s", eio_close_name(reason));
}

static void on_refused(void *arg, const char *event, const char *detail,
                       const eio_request_t *request) {
    (void)arg;
    (void)request;
    snprintf(refused, sizeof(refused), "%s %s", event, detail);
}

static int set_up(void **state) {
    static const eio_handlers_t handlers = {
        .on_open = on_open, .on_message = on_message, .on_close = on_close};
    eio_server_options_t options = {.ping_interval_ms = INTERVAL,
                                    .ping_timeout_ms = TIMEOUT,
                                    .upgrade_timeout_ms = UPGRADE,
                                    .closing_timeout_ms = CLOSING,
                                    .max_queue_bytes = MAX_QUEUE,
                                    .on_refused = on_refused};
    (void)state;
    server = eio_server_create(&options, &handlers, &recorder_transport);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    eio_server_close_all(server, EIO_CLOSE_PING_TIMEOUT);
    eio_server_flush(server, 0);
    eio_server_advance(server, UINT64_MAX - 1); /* lingering ones give up */
    assert_int_equal(HASH_COUNT(server->sessions), 0);
    assert_int_equal(server->counters.sessions_polling, 0);
    assert_int_equal(server->counters.sessions_websocket, 0);
    assert_int_equal(server->counters.queued_bytes, 0);
    eio_server_destroy(&server);
    recorder_fini();
    return 0;
}

static const char *turn(uint64_t now_ms) {
    eio_server_advance(server, now_ms);
    eio_server_flush(server, now_ms);
    return recorder_take();
}

/* A session at time 0 whose handshake was answered; nothing is recorded of that. */
static void open_polling(void) {
    eio_server_open(server, NULL, "g0", NULL, 0);
    turn(0);
}

static void open_websocket(void) {
    eio_server_open(server, NULL, NULL, "w", 0);
    turn(0);
}

static void poll(const char *name) {
    assert_int_equal(eio_session_poll(session, (void *)name), OK);
}

static err_t post(const char *body, uint64_t now_ms) {
    assert_int_equal(eio_session_post_begin(session, "p"), OK);
    return eio_session_post_end(session, str_from(body), NULL, now_ms);
}

static void receive(const char *text, uint64_t now_ms) {
    eio_session_receive(session, "w", str_from(text), false, now_ms);
}

/* ---- handshake ---- */

static void test_polling_handshake(void **state) {
    (void)state;
    eio_server_open(server, NULL, "g0", NULL, 0);
    eio_send_text(session, STR("early"));
    assert_string_equal(turn(0), "g0 <- 0{\"sid\":\"AAAAAAAAAAAAAAAAAAAAAAAA\",\"upgrades\":["
                                 "\"websocket\"],\"pingInterval\":300,\"pingTimeout\":200,"
                                 "\"maxPayload\":1000000}\n");
    poll("g1");
    assert_string_equal(turn(0), "g1 <- 4early\n");
}

static void test_websocket_handshake(void **state) {
    (void)state;
    eio_server_open(server, NULL, NULL, "w", 0);
    eio_send_text(session, STR("early"));
    assert_string_equal(turn(0), "w <- 0{\"sid\":\"AAAAAAAAAAAAAAAAAAAAAAAA\",\"upgrades\":[],"
                                 "\"pingInterval\":300,\"pingTimeout\":200,\"maxPayload\":1000000}"
                                 "\nw <- 4early\n");
}

static void test_sids(void **state) {
    (void)state;
    eio_server_options_t options = {.sid_prefix = "gateway-1"};
    eio_handlers_t handlers = server->handlers;
    eio_server_t *other = eio_server_create(&options, &handlers, &recorder_transport);
    eio_session_t *first = eio_server_open(other, NULL, NULL, "w", 0);
    assert_true(str_starts_with(eio_session_sid(first), STR("gateway-1.")));
    assert_int_equal(eio_session_sid(first).n, 10 + 24);
    eio_session_t *second = eio_server_open(other, NULL, NULL, "w2", 0);
    assert_false(str_eq(eio_session_sid(first), eio_session_sid(second)));
    assert_ptr_equal(eio_server_find(other, eio_session_sid(second)), second);
    assert_null(eio_server_find(other, STR("gateway-1.")));
    assert_null(eio_server_find(other, STR("")));
    eio_server_close_all(other, EIO_CLOSE_SERVER);
    eio_server_flush(other, 0);
    eio_server_destroy(&other);
}

/* ---- polling ---- */

static void test_poll_waits_for_packets(void **state) {
    (void)state;
    open_polling();
    poll("g1");
    assert_string_equal(turn(1), "");
    eio_send_text(session, STR("a"));
    eio_send_binary(session, (str_t){"\1\2\3\4", 4});
    assert_string_equal(turn(1), "g1 <- 4a|bAQIDBA==\n");
    eio_send_text(session, STR("b"));
    assert_string_equal(turn(1), "");
    poll("g2");
    assert_string_equal(turn(1), "g2 <- 4b\n");
}

static void test_second_poll_closes(void **state) {
    (void)state;
    open_polling();
    poll("g1");
    assert_int_equal(eio_session_poll(session, "g2"), ERR_EXISTS);
    str_t sid = eio_session_sid(session);
    assert_null(eio_server_find(server, sid));
    assert_string_equal(turn(1), "g1 <- 1\nclosed: poll_conflict\n");
}

static void test_second_post_closes(void **state) {
    (void)state;
    open_polling();
    assert_int_equal(eio_session_post_begin(session, "p1"), OK);
    assert_int_equal(eio_session_post_begin(session, "p2"), ERR_EXISTS);
    assert_string_equal(turn(1), "p1 forgotten\nclosed: poll_conflict\n");
}

static void test_post(void **state) {
    (void)state;
    open_polling();
    assert_int_equal(post("4a\x1e"
                          "bAQ==\x1e"
                          "4b",
                          1),
                     OK);
    assert_string_equal(recorder_take(), "message a\nmessage \x01 (binary)\nmessage b\n");
}

static void test_bad_packets_close(void **state) {
    (void)state;
    static const char *const bad[] = {"", "abc", "4a\x1e", "4\xff", "2", "2probe", "b!"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        open_polling();
        recorder_take();
        assert_int_equal(post(bad[i], 1), ERR_INVALID);
        assert_non_null(strstr(turn(1), "closed: parse_error\n"));
    }
}

static void test_stops_at_the_first_bad_packet(void **state) {
    (void)state;
    open_polling();
    assert_int_equal(post("4a\x1e!\x1e"
                          "4b",
                          1),
                     ERR_INVALID);
    assert_string_equal(turn(1), "message a\nclosed: parse_error\n");
}

static void test_client_close(void **state) {
    (void)state;
    open_polling();
    poll("g1");
    assert_int_equal(post("1", 1), OK);
    assert_string_equal(turn(1), "g1 <- 6\nclosed: client_close\n");
}

static void test_given_up_poll_closes(void **state) {
    (void)state;
    open_polling();
    poll("g1");
    eio_session_poll_gone(session);
    assert_string_equal(turn(1), "closed: transport_close\n");
}

static void test_given_up_post_closes(void **state) {
    (void)state;
    open_polling();
    poll("g1");
    assert_int_equal(eio_session_post_begin(session, "p1"), OK);
    eio_session_post_gone(session, EIO_CLOSE_TRANSPORT);
    assert_string_equal(turn(1), "g1 <- 1\nclosed: transport_close\n");
}

static void test_server_closes_a_held_poll(void **state) {
    (void)state;
    open_polling();
    poll("g1");
    eio_send_text(session, STR("last"));
    eio_close(session, EIO_CLOSE_SERVER);
    eio_send_text(session, STR("too late"));
    assert_string_equal(turn(1), "g1 <- 4last|1\nclosed: server_close\n");
}

static void test_server_closes_without_poll(void **state) {
    (void)state;
    open_polling();
    eio_close(session, EIO_CLOSE_OVERLOAD);
    assert_string_equal(turn(1), "closed: overload\n");
    assert_int_equal(eio_session_post_begin(session, "p"), ERR_CLOSED);
    assert_false(eio_session_can_upgrade(session));
    poll("g1");
    assert_string_equal(turn(1 + CLOSING - 1), "g1 <- 6|1\n");
    assert_int_equal(HASH_COUNT(server->sessions), 0);

    open_polling();
    eio_send_text(session, STR("last"));
    eio_close(session, EIO_CLOSE_SERVER);
    turn(1);
    poll("g1");
    assert_string_equal(turn(2), "g1 <- 4last|1\n");

    open_polling();
    eio_close(session, EIO_CLOSE_SERVER);
    turn(1);
    assert_int_equal(HASH_COUNT(server->sessions), 1);
    turn(1 + CLOSING);
    assert_int_equal(HASH_COUNT(server->sessions), 0);
}

static void test_close_within_a_message(void **state) {
    (void)state;
    open_polling();
    assert_int_equal(post("4close me\x1e"
                          "4not read",
                          1),
                     OK);
    assert_string_equal(turn(1), "message close me\nclosed: server_close\n");
}

/* ---- heartbeat ---- */

static void test_heartbeat(void **state) {
    (void)state;
    open_websocket();
    assert_int_equal(eio_server_next_deadline(server), INTERVAL);
    assert_string_equal(turn(INTERVAL - 1), "");
    assert_string_equal(turn(INTERVAL), "w <- 2\n");
    receive("3", INTERVAL + 50);
    assert_int_equal(eio_server_next_deadline(server), INTERVAL + 50 + INTERVAL);
    assert_string_equal(turn(2 * INTERVAL + 50), "w <- 2\n");
}

static void test_ping_timeout_counts_from_when_it_was_due(void **state) {
    (void)state;
    open_polling();
    turn(INTERVAL + 30); /* late, as a busy loop is */
    assert_int_equal(eio_server_next_deadline(server), INTERVAL + TIMEOUT);
    assert_string_equal(turn(INTERVAL + TIMEOUT - 1), "");
    assert_string_equal(turn(INTERVAL + TIMEOUT), "closed: ping_timeout\n");
    assert_null(eio_server_find(server, STR("AAAAAAAAAAAAAAAAAAAAAAAA")));
}

static void test_frozen_process_gives_clients_time(void **state) {
    (void)state;
    open_websocket();
    assert_string_equal(turn(60000), "w <- 2\n");
    assert_int_equal(eio_server_next_deadline(server), 60000 + TIMEOUT);
}

static void test_other_packets_prolong_once(void **state) {
    (void)state;
    open_websocket();
    turn(INTERVAL);
    receive("4alive", INTERVAL + 100);
    receive("4alive", INTERVAL + 150);
    assert_int_equal(eio_server_next_deadline(server), INTERVAL + 100 + TIMEOUT);
    receive("3", INTERVAL + 180);
    assert_int_equal(eio_server_next_deadline(server), INTERVAL + 180 + INTERVAL);
}

static void test_unsolicited_pongs_change_nothing(void **state) {
    (void)state;
    open_websocket();
    for (int i = 0; i < 1000; i++)
        receive("3", 10);
    assert_int_equal(eio_server_next_deadline(server), INTERVAL);
    assert_string_equal(turn(INTERVAL), "w <- 2\n");
}

static void test_ping_goes_through_a_held_poll(void **state) {
    (void)state;
    open_polling();
    poll("g1");
    assert_string_equal(turn(INTERVAL), "g1 <- 2\n");
    assert_int_equal(post("3", INTERVAL + 1), OK);
    assert_string_equal(turn(INTERVAL + TIMEOUT), "");
}

/* ---- upgrade ---- */

static void test_upgrade(void **state) {
    (void)state;
    open_polling();
    poll("g1");
    assert_true(eio_session_probe(session, "w", 10));
    assert_false(eio_session_can_upgrade(session));
    assert_false(eio_session_probe(session, "w2", 10));
    receive("2probe", 20);
    assert_string_equal(turn(20), "w <- 3probe\n");
    assert_string_equal(turn(20 + EIO_RELEASE_DELAY_MS), "g1 <- 6\n");
    poll("g2");
    assert_string_equal(turn(130), "g2 <- 6\n");
    eio_send_text(session, STR("between"));
    assert_string_equal(turn(131), "");
    assert_int_equal(post("4posted", 132), OK);
    receive("5", 140);
    assert_string_equal(turn(140), "message posted\nw <- 4between\n");
    assert_int_equal(eio_session_poll(session, "g3"), ERR_INVALID);
    assert_int_equal(eio_session_post_begin(session, "p"), ERR_INVALID);
    assert_int_equal(server->counters.upgrades, 1);
    assert_string_equal(turn(10 + UPGRADE), "w <- 2\n");
}

static void test_poll_takes_packets_while_probing(void **state) {
    (void)state;
    open_polling();
    poll("g1");
    assert_true(eio_session_probe(session, "w", 10));
    receive("2probe", 20);
    turn(20);
    eio_send_text(session, STR("a"));
    assert_string_equal(turn(21), "g1 <- 4a\n");
}

static void test_switch_with_held_poll(void **state) {
    (void)state;
    open_polling();
    poll("g1");
    assert_true(eio_session_probe(session, "w", 10));
    receive("2probe", 20);
    receive("5", 20);
    assert_string_equal(turn(20), "w <- 3probe\ng1 <- 6\n");
    assert_true(eio_session_on_websocket(session));
}

static void test_ping_sent_by_poll_is_answered_on_websocket(void **state) {
    (void)state;
    open_polling();
    poll("g1");
    turn(INTERVAL);
    assert_true(eio_session_probe(session, "w", INTERVAL + 10));
    receive("2probe", INTERVAL + 10);
    receive("5", INTERVAL + 10);
    receive("3", INTERVAL + 20);
    turn(INTERVAL + 20);
    assert_int_equal(eio_server_next_deadline(server), INTERVAL + 20 + INTERVAL);
}

static void test_failed_probes_leave_the_session_alone(void **state) {
    (void)state;
    static const char *const bad[] = {"5", "4hello", "2", "2probe2", "3probe", ""};
    open_polling();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(eio_session_probe(session, "w", 10));
        receive(bad[i], 10);
        assert_string_equal(turn(10), "w closed\n");
    }
    assert_true(eio_session_probe(session, "w", 10));
    receive("2probe", 10);
    receive("4early", 10);
    assert_string_equal(turn(10), "w <- 3probe\nw closed\n");

    assert_true(eio_session_probe(session, "w", 10));
    eio_session_ws_gone(session, "w");
    assert_true(eio_session_probe(session, "w", 10));
    eio_session_ws_violation(session, "w", EIO_WS_TOO_LARGE);
    assert_string_equal(turn(10), "w closed\n");
    poll("g1");
    eio_send_text(session, STR("still here"));
    assert_string_equal(turn(11), "g1 <- 4still here\n");
}

static void test_upgrade_timeout(void **state) {
    (void)state;
    open_polling();
    assert_true(eio_session_probe(session, "w", 10));
    receive("2probe", 10);
    turn(10);
    poll("g1");
    turn(INTERVAL);
    assert_int_equal(post("3", INTERVAL), OK);
    for (uint64_t now = INTERVAL; now < 10 + UPGRADE; now += 100) {
        turn(now);
        assert_int_equal(post("3", now), OK);
    }
    assert_non_null(strstr(turn(10 + UPGRADE), "w closed\n"));
    assert_int_equal(session->state, EIO_STATE_OPEN);
    assert_true(eio_session_can_upgrade(session));
}

static void test_close_while_probing(void **state) {
    (void)state;
    open_polling();
    poll("g1");
    assert_true(eio_session_probe(session, "w", 10));
    eio_close(session, EIO_CLOSE_SERVER);
    assert_string_equal(turn(10), "w closed\ng1 <- 1\nclosed: server_close\n");
}

/* ---- WebSocket ---- */

static void test_websocket_messages(void **state) {
    (void)state;
    open_websocket();
    receive("4text", 1);
    receive("bAQ==", 1);
    eio_session_receive(session, "w", STR("raw"), true, 1);
    eio_session_receive(session, "w", STR(""), true, 1);
    receive("4", 1);
    assert_string_equal(recorder_take(), "message text\nmessage \x01 (binary)\n"
                                         "message raw (binary)\nmessage  (binary)\nmessage \n");
}

static void test_websocket_parse_errors(void **state) {
    (void)state;
    static const struct {
        const char *text, *close;
    } bad[] = {{"", "w closed\n"},
               {"abc", "w closed\n"},
               {"2probe", "w closed\n"},
               {"2", "w closed\n"},
               {"4\xc0\x80", "w closed 1007\n"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        open_websocket();
        receive(bad[i].text, 1);
        const char *log = turn(1);
        assert_non_null(strstr(log, bad[i].close));
        assert_non_null(strstr(log, "closed: parse_error\n"));
    }
    assert_string_equal(refused, "bad_packet websocket");
    assert_int_equal(server->counters.refused, sizeof(bad) / sizeof(bad[0]));
}

static void test_websocket_closes(void **state) {
    (void)state;
    open_websocket();
    receive("1", 1);
    assert_string_equal(turn(1), "w closed\nclosed: client_close\n");
    open_websocket();
    eio_session_ws_gone(session, "w");
    assert_string_equal(turn(1), "closed: transport_close\n");
    open_websocket();
    eio_session_ws_violation(session, "w", EIO_WS_TOO_LARGE);
    assert_string_equal(turn(1), "w closed 1009\nclosed: too_large\n");
    assert_string_equal(refused, "too_large websocket");
    open_websocket();
    eio_send_text(session, STR("last"));
    eio_close(session, EIO_CLOSE_SERVER);
    receive("4not read", 1);
    assert_string_equal(turn(1), "w <- 4last\nw closed\nclosed: server_close\n");
    open_websocket();
    eio_close(session, EIO_CLOSE_SERVER);
    eio_session_ws_gone(session, "w");
    assert_string_equal(turn(1), "closed: server_close\n");
}

static void test_congestion(void **state) {
    (void)state;
    open_websocket();
    recorder_congest(true);
    eio_send_text(session, STR("a"));
    assert_string_equal(turn(1), "w <- 4a\n");
    assert_false(eio_session_can_send(session));
    eio_send_text(session, STR("b"));
    eio_send_text(session, STR("c"));
    assert_string_equal(turn(1), "");
    assert_true(eio_session_queued(session) > 0);
    recorder_congest(false);
    eio_session_writable(session);
    assert_string_equal(turn(1), "w <- 4b\nw <- 4c\n");
    assert_int_equal(eio_session_queued(session), 0);
    assert_null(session->queue.ring);
}

static void test_queue_limit(void **state) {
    (void)state;
    char bytes[100] = {0};
    open_websocket();
    recorder_congest(true);
    eio_send_text(session, STR("a"));
    turn(1);
    for (int i = 0; i < 8; i++)
        eio_send_binary(session, (str_t){bytes, sizeof(bytes)});
    assert_int_equal(session->state, EIO_STATE_OPEN);
    eio_send_binary(session, (str_t){bytes, sizeof(bytes)});
    assert_string_equal(turn(1), "w closed abort\nclosed: queue_limit\n");
    assert_int_equal(server->counters.closes[EIO_CLOSE_QUEUE_LIMIT], 1);

    open_polling();
    for (int i = 0; i < 9; i++)
        eio_send_binary(session, (str_t){bytes, sizeof(bytes)});
    assert_string_equal(turn(1), "closed: queue_limit\n");
}

static void test_large_and_small_packets_keep_their_order(void **state) {
    (void)state;
    enum { LARGE = 300 };
    char name[LARGE];
    memset(name, 'x', sizeof(name));
    open_websocket();
    eio_send_text(session, STR("1"));
    eio_send_text(session, (str_t){name, sizeof(name)});
    eio_send_text(session, STR("2"));
    const char *log = turn(1);
    assert_true(strstr(log, "41\n") < strstr(log, "4xxx"));
    assert_true(strstr(log, "4xxx") < strstr(log, "42\n"));
}

static void test_close_names(void **state) {
    (void)state;
    for (int i = 0; i < EIO_CLOSE_REASONS; i++) {
        assert_non_null(eio_close_name((eio_close_t)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(eio_close_name((eio_close_t)i), eio_close_name((eio_close_t)k));
    }
    assert_string_equal(eio_close_name(EIO_CLOSE_REASONS), "unknown");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_polling_handshake),
        TEST(test_websocket_handshake),
        TEST(test_sids),
        TEST(test_poll_waits_for_packets),
        TEST(test_second_poll_closes),
        TEST(test_second_post_closes),
        TEST(test_post),
        TEST(test_bad_packets_close),
        TEST(test_stops_at_the_first_bad_packet),
        TEST(test_client_close),
        TEST(test_given_up_poll_closes),
        TEST(test_given_up_post_closes),
        TEST(test_server_closes_a_held_poll),
        TEST(test_server_closes_without_poll),
        TEST(test_close_within_a_message),
        TEST(test_heartbeat),
        TEST(test_ping_timeout_counts_from_when_it_was_due),
        TEST(test_frozen_process_gives_clients_time),
        TEST(test_other_packets_prolong_once),
        TEST(test_unsolicited_pongs_change_nothing),
        TEST(test_ping_goes_through_a_held_poll),
        TEST(test_upgrade),
        TEST(test_poll_takes_packets_while_probing),
        TEST(test_switch_with_held_poll),
        TEST(test_ping_sent_by_poll_is_answered_on_websocket),
        TEST(test_failed_probes_leave_the_session_alone),
        TEST(test_upgrade_timeout),
        TEST(test_close_while_probing),
        TEST(test_websocket_messages),
        TEST(test_websocket_parse_errors),
        TEST(test_websocket_closes),
        TEST(test_congestion),
        TEST(test_queue_limit),
        TEST(test_large_and_small_packets_keep_their_order),
        TEST(test_close_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
