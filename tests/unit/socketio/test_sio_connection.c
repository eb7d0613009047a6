/* sio_connection, sio_socket, sio_ack, sio_server: one client's namespaces, events and
 * acknowledgements, without any I/O. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/socketio/sio_world.h"

static sio_world_t world;
static sio_connect_t *asked; /* unanswered, when `later` is set */
static sio_socket_t *newest;
static bool later;
static str_t public_id; /* for the next to join */

static void on_connect(void *arg, sio_connect_t *connect) {
    (void)arg;
    str_t auth = sio_connect_auth(connect);
    recorder_note("connect %s %.*s", sio_connect_namespace(connect)->name, STR_ARG(auth));
    if (later)
        asked = connect;
    else
        newest = sio_accept(connect, &(sio_accept_t){.sid = public_id});
}

static void on_event(void *arg, sio_socket_t *socket, const sio_event_t *event) {
    (void)arg;
    (void)socket;
    recorder_note("event %.*s(%.*s)%s +%zu", STR_ARG(event->name), STR_ARG(event->args),
                  event->wants_ack ? " ack" : "", event->attachments.n);
}

static void on_disconnect(void *arg, sio_socket_t *socket, eio_close_t reason) {
    (void)arg;
    (void)socket;
    recorder_note("disconnect %s", eio_close_name(reason));
}

static void on_ack(void *arg, sio_socket_t *socket, err_t result, str_t args,
                   sio_attachments_t attachments) {
    (void)arg;
    (void)socket;
    recorder_note("ack %s %.*s +%zu", err_name(result), STR_ARG(args), attachments.n);
}

static int set_up(void **state) {
    static const sio_handlers_t handlers = {
        .on_connect = on_connect, .on_event = on_event, .on_disconnect = on_disconnect};
    (void)state;
    later = false;
    public_id = STR("S");
    world = sio_world_new(&(sio_options_t){.connect_timeout_ms = 1000,
                                           .max_pending_acks = 2,
                                           .ack_timeout_ms = 500,
                                           .max_attachments = 2},
                          &handlers);
    sio_world_open(&world, "w");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    sio_world_end(&world);
    return 0;
}

/* The client joins "/"; nothing is recorded of that. */
static void join(void) {
    sio_world_text(&world, "0");
    sio_world_turn(&world);
}

static const char *send(const char *packet) {
    sio_world_text(&world, packet);
    return sio_world_turn(&world);
}

/* ---- joining ---- */

static void test_join(void **state) {
    (void)state;
    assert_string_equal(send("0"), "connect / \nw <- 40{\"sid\":\"S\"}\n");
    assert_string_equal(send("0/other,{\"a\":1}"),
                        "connect /other {\"a\":1}\nw <- 40/other,{\"sid\":\"S\"}\n");
    assert_int_equal(sio_namespace_size(world.main), 1);
    assert_true(sio_socket_connected(newest));
    assert_ptr_equal(sio_namespace_find(world.other, STR("S")), newest);
    assert_null(sio_namespace_find(world.other, STR("T")));
}

static void test_random_ids(void **state) {
    (void)state;
    later = true;
    send("0");
    sio_socket_t *socket = sio_accept(asked, NULL);
    assert_int_equal(sio_socket_id(socket).n, 20);
    assert_false(str_eq(sio_socket_id(socket), eio_session_sid(world.session)));
    sio_world_turn(&world);
}

static void test_unknown_namespace(void **state) {
    (void)state;
    assert_string_equal(send("0/random"), "w <- 44/random,{\"message\":\"Invalid namespace\"}\n");
    assert_string_equal(send("0/a\"b,"), "w <- 44/a\"b,{\"message\":\"Invalid namespace\"}\n");
    join();
}

static void test_answer_later(void **state) {
    (void)state;
    later = true;
    assert_string_equal(send("0"), "connect / \n");
    assert_true(sio_connect_alive(asked));
    sio_refuse(asked, STR("no \"way\""), STR("{\"code\":1}"));
    assert_string_equal(sio_world_turn(&world),
                        "w <- 44{\"message\":\"no \\\"way\\\"\",\"data\":{\"code\":1}}\n");
    send("0");
    newest = sio_accept(asked, NULL);
    assert_non_null(newest);
    sio_world_turn(&world);
}

static void test_close_instead_of_answer(void **state) {
    (void)state;
    later = true;
    send("0");
    sio_close_connect(asked, EIO_CLOSE_OVERLOAD);
    assert_string_equal(sio_world_turn(&world), "w closed\n");
}

static void test_client_goes_while_asked(void **state) {
    (void)state;
    later = true;
    send("0");
    sio_connect_t *first = asked;
    send("0/other,");
    eio_session_ws_gone(world.session, "w");
    assert_false(sio_connect_alive(asked));
    sio_world_turn(&world);
    assert_null(sio_connect_request(asked));
    assert_null(sio_accept(asked, NULL));
    sio_refuse(first, STR("late"), (str_t){0});
    assert_string_equal(sio_world_turn(&world), "");
}

static void test_hold_reply(void **state) {
    (void)state;
    later = true;
    send("0");
    newest = sio_accept(asked, &(sio_accept_t){.sid = STR("S"), .hold_reply = true});
    sio_emit(newest, STR("missed"), STR("1,\"offset\""));
    sio_socket_reply(newest, STR("P"));
    assert_string_equal(sio_world_turn(&world), "w <- 42[\"missed\",1,\"offset\"]\n"
                                                "w <- 40{\"sid\":\"S\",\"pid\":\"P\"}\n");
}

static void test_pid_without_holding(void **state) {
    (void)state;
    later = true;
    send("0");
    newest = sio_accept(asked, &(sio_accept_t){.sid = STR("S"), .pid = STR("P")});
    assert_string_equal(sio_world_turn(&world), "w <- 40{\"sid\":\"S\",\"pid\":\"P\"}\n");
}

static void test_arguments_for_one_socket_alone(void **state) {
    (void)state;
    join();
    str_t bytes = STR("\1\2");
    sio_namespace_t *nsp = sio_socket_namespace(newest);
    sio_packet_t *packet = sio_packet_new(nsp, STR("news"), STR("{}"), (sio_attachments_t){0});
    sio_packet_t *bare = sio_packet_new(nsp, STR("bare"), (str_t){0}, (sio_attachments_t){0});
    sio_packet_t *binary = sio_packet_new(nsp, STR("b"), STR("{\"_placeholder\":true,\"num\":0}"),
                                          (sio_attachments_t){&bytes, 1});
    sio_send_with(newest, packet, STR("\"one\""));
    sio_send_with(newest, packet, STR("\"two\",2"));
    sio_send(newest, packet);
    sio_send_with(newest, bare, STR("\"three\""));
    sio_packet_unref(&packet);
    sio_packet_unref(&bare);
    assert_string_equal(sio_world_turn(&world), "w <- 42[\"news\",{},\"one\"]\n"
                                                "w <- 42[\"news\",{},\"two\",2]\n"
                                                "w <- 42[\"news\",{}]\n"
                                                "w <- 42[\"bare\",\"three\"]\n");
    sio_send_with(newest, binary, STR("\"four\""));
    sio_packet_unref(&binary);
    const char *text = "w <- 451-[\"b\",{\"_placeholder\":true,\"num\":0},\"four\"]\n";
    assert_memory_equal(sio_world_turn(&world), text, strlen(text));
}

static void test_id_can_be_taken_over_from_a_closed_socket(void **state) {
    (void)state;
    join();
    sio_socket_t *old = sio_socket_ref(newest);
    sio_close(old, EIO_CLOSE_SERVER);
    world.session = eio_server_open(world.engine, NULL, NULL, "w2", 0);
    sio_world_text(&world, "0");
    assert_ptr_not_equal(old, newest);
    assert_ptr_equal(sio_namespace_find(world.main, STR("S")), newest);
    sio_world_turn(&world);
    assert_ptr_equal(sio_namespace_find(world.main, STR("S")), newest);
    assert_false(sio_socket_connected(old));
    sio_socket_unref(&old);
}

static void test_connect_timeout(void **state) {
    (void)state;
    assert_int_equal(eio_server_next_deadline(world.engine), 1000);
    send("0/random");
    world.now_ms = 1000;
    assert_string_equal(sio_world_turn(&world), "w closed\n");
    assert_int_equal(world.engine->counters.closes[EIO_CLOSE_CONNECT_TIMEOUT], 1);
    sio_world_open(&world, "w");
    join();
    world.now_ms = 2500;
    assert_string_equal(sio_world_turn(&world), "");
}

static void test_drain(void **state) {
    (void)state;
    join();
    sio_server_drain(world.server);
    assert_false(eio_server_has_room(world.engine));
    assert_string_equal(send("2[\"a\"]"), "event a() +0\n");
    assert_string_equal(send("0/other,"), "w closed\ndisconnect shutdown\n");
}

/* ---- violations: the connection closes, there is no answer ---- */

static void test_violations(void **state) {
    (void)state;
    static const char *const bad[] = {
        "2",
        "7",
        "0",
        "2/other,[\"a\"]",
        "2/random,[\"a\"]",
        "1/other,",
        "4{\"message\":\"x\"}",
        "3[]",
        "2[]",
        "2[null]",
        "2[{\"toString\":\"foo\"}]",
        "2[\"disconnect\"]",
        "53-[\"a\"]",
        "50-[\"a\"]",
        "1{}",
        "51-[\"a\",{\"_placeholder\":true,\"num\":3}]",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        join();
        assert_string_equal(send(bad[i]), "w closed\ndisconnect protocol_error\n");
        sio_world_open(&world, "w");
    }
}

static void test_violations_before_joining(void **state) {
    (void)state;
    static const char *const bad[] = {"2[\"a\"]", "30[]", "1", "4", "0[]", "0null"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_string_equal(send(bad[i]), "w closed\n");
        sio_world_open(&world, "w");
    }
    sio_world_binary(&world, STR("x"));
    assert_string_equal(sio_world_turn(&world), "w closed\n");
}

static void test_violations_while_asked(void **state) {
    (void)state;
    static const char *const bad[] = {"0", "2[\"a\"]", "1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        later = true;
        send("0");
        assert_string_equal(send(bad[i]), "w closed\n");
        assert_null(sio_accept(asked, NULL));
        sio_world_open(&world, "w");
    }
}

static void test_violations_of_attachments(void **state) {
    (void)state;
    join();
    send("51-[\"a\"]");
    assert_string_equal(send("2[\"a\"]"), "w closed\ndisconnect protocol_error\n");
    sio_world_open(&world, "w");
    join();
    sio_world_binary(&world, STR("x"));
    assert_string_equal(sio_world_turn(&world), "w closed\ndisconnect protocol_error\n");
}

/* ---- events ---- */

static void test_events(void **state) {
    (void)state;
    join();
    assert_string_equal(send("2[\"a\",1,{}]"), "event a(1,{}) +0\n");
    assert_string_equal(send("27[\"b\\u0041\"]"), "event bA() ack +0\n");
    assert_string_equal(send("2[12]"), "event 12() +0\n");
    assert_string_equal(send("2[\"error\"]"), "event error() +0\n");
    assert_string_equal(send("2[\"message\",\"\\ud800\\u0000\",12345678901234567890]"),
                        "event message(\"\\ud800\\u0000\",12345678901234567890) +0\n");
    assert_string_equal(send("52-[\"c\",{\"_placeholder\":true,\"num\":1}]"), "");
    sio_world_binary(&world, STR("x"));
    sio_world_binary(&world, STR("y"));
    assert_string_equal(sio_world_turn(&world), "event c({\"_placeholder\":true,\"num\":1}) +2\n");
}

static void test_emit(void **state) {
    (void)state;
    static const str_t bytes = {"\1\2", 2};
    join();
    sio_emit(newest, STR("a"), STR("1"));
    sio_emit_binary(newest, STR("b"), STR("{\"_placeholder\":true,\"num\":0}"),
                    (sio_attachments_t){&bytes, 1});
    assert_string_equal(sio_world_turn(&world),
                        "w <- 42[\"a\",1]\n"
                        "w <- 451-[\"b\",{\"_placeholder\":true,\"num\":0}]\nw <- (2 bytes)\n");
}

static void test_one_packet_for_many(void **state) {
    (void)state;
    join();
    sio_socket_t *first = newest;
    public_id = STR("S2");
    sio_world_open(&world, "w2");
    join();
    assert_ptr_not_equal(first, newest);
    sio_packet_t *packet = sio_packet_new(world.main, STR("a"), (str_t){0}, (sio_attachments_t){0});
    for (sio_socket_t *s = sio_namespace_first(world.main); s; s = sio_socket_next(s))
        sio_send(s, packet);
    sio_packet_unref(&packet);
    assert_string_equal(sio_world_turn(&world), "w <- 42[\"a\"]\nw2 <- 42[\"a\"]\n");
}

static void test_volatile(void **state) {
    (void)state;
    join();
    sio_packet_t *packet = sio_packet_new(world.main, STR("a"), (str_t){0}, (sio_attachments_t){0});
    assert_true(sio_send_volatile(newest, packet));
    recorder_congest(true);
    sio_world_turn(&world);
    assert_false(sio_send_volatile(newest, packet));
    recorder_congest(false);
    eio_session_writable(world.session);
    assert_true(sio_send_volatile(newest, packet));
    sio_packet_unref(&packet);
    sio_world_turn(&world);
}

/* ---- acknowledgements ---- */

static void capture_ack(void *arg, sio_socket_t *socket, const sio_event_t *event) {
    (void)socket;
    *(sio_ack_t *)arg = sio_event_ack(event);
}

static void test_answer_an_event(void **state) {
    (void)state;
    static const str_t bytes = {"\1", 1};
    sio_ack_t ack = {0};
    join();
    world.main->handlers.on_event = capture_ack;
    world.main->handlers.arg = &ack;
    send("25[\"a\"]");
    assert_non_null(ack.socket);
    sio_ack_send(&ack, STR("{\"ok\":true}"));
    assert_null(ack.socket);
    sio_ack_send(&ack, STR("again"));
    assert_string_equal(sio_world_turn(&world), "w <- 435[{\"ok\":true}]\n");
    send("26[\"a\"]");
    sio_ack_send_binary(&ack, STR("{\"_placeholder\":true,\"num\":0}"),
                        (sio_attachments_t){&bytes, 1});
    assert_string_equal(sio_world_turn(&world),
                        "w <- 461-6[{\"_placeholder\":true,\"num\":0}]\nw <- (1 bytes)\n");
    send("2[\"a\"]");
    assert_null(ack.socket);
}

static void test_answer_after_the_client_went(void **state) {
    (void)state;
    sio_ack_t ack = {0};
    join();
    world.main->handlers.on_event = capture_ack;
    world.main->handlers.arg = &ack;
    send("25[\"a\"]");
    eio_session_ws_gone(world.session, "w");
    sio_world_turn(&world);
    assert_false(sio_socket_connected(ack.socket));
    sio_ack_send(&ack, STR("1"));
    assert_null(ack.socket);
}

static void test_ask_the_client(void **state) {
    (void)state;
    join();
    assert_int_equal(sio_emit_ack(newest, STR("q"), STR("1"), on_ack, NULL), OK);
    assert_int_equal(sio_emit_ack(newest, STR("q"), STR("2"), on_ack, NULL), OK);
    assert_int_equal(sio_emit_ack(newest, STR("q"), STR("3"), on_ack, NULL), ERR_LIMIT);
    assert_string_equal(sio_world_turn(&world), "w <- 420[\"q\",1]\nw <- 421[\"q\",2]\n");
    assert_string_equal(send("31[true]"), "ack ok true +0\n");
    assert_string_equal(send("31[true]"), ""); /* again: ignored */
    assert_string_equal(send("39[true]"), ""); /* unknown: ignored */
    send("61-0[{\"_placeholder\":true,\"num\":0}]");
    sio_world_binary(&world, STR("x"));
    assert_string_equal(sio_world_turn(&world), "ack ok {\"_placeholder\":true,\"num\":0} +1\n");
    assert_int_equal(sio_emit_ack(newest, STR("q"), (str_t){0}, on_ack, NULL), OK);
    assert_string_equal(sio_world_turn(&world), "w <- 422[\"q\"]\n");
}

static void test_client_does_not_answer(void **state) {
    (void)state;
    join();
    world.now_ms = 100;
    assert_int_equal(sio_emit_ack(newest, STR("q"), (str_t){0}, on_ack, NULL), OK);
    sio_world_turn(&world);
    world.now_ms = 599;
    assert_string_equal(sio_world_turn(&world), "");
    world.now_ms = 600;
    assert_string_equal(sio_world_turn(&world), "ack timeout  +0\n");
    assert_string_equal(send("30[]"), "");
    assert_int_equal(sio_emit_ack(newest, STR("q"), (str_t){0}, on_ack, NULL), OK);
    eio_session_ws_gone(world.session, "w");
    assert_string_equal(sio_world_turn(&world), "ack closed  +0\ndisconnect transport_close\n");
}

/* ---- leaving ---- */

static void test_client_leaves(void **state) {
    (void)state;
    join();
    send("0/other,");
    assert_string_equal(send("1"), "disconnect client_left\n");
    assert_string_equal(send("2/other,[\"a\"]"), "event a() +0\n");
    assert_string_equal(send("0"), "connect / \nw <- 40{\"sid\":\"S\"}\n");
}

static void test_server_disconnects(void **state) {
    (void)state;
    join();
    sio_socket_t *kept = sio_socket_ref(newest);
    sio_disconnect(newest);
    assert_false(sio_socket_connected(newest));
    assert_string_equal(recorder_take(), ""); /* nothing is called back before the turn ends */
    sio_emit(kept, STR("a"), (str_t){0});
    sio_disconnect(kept);
    assert_string_equal(sio_world_turn(&world), "disconnect server_left\nw <- 41\n");
    assert_int_equal(sio_namespace_size(world.main), 0);
    assert_int_equal(sio_emit_ack(kept, STR("a"), (str_t){0}, on_ack, NULL), ERR_CLOSED);
    assert_false(sio_socket_on_websocket(kept));
    assert_int_equal(sio_socket_queued(kept), 0);
    assert_null(sio_socket_request(kept));
    sio_socket_unref(&kept);
}

static void test_close_while_iterating(void **state) {
    (void)state;
    join();
    public_id = STR("S2");
    sio_world_open(&world, "w2");
    join();
    for (sio_socket_t *s = sio_namespace_first(world.main); s; s = sio_socket_next(s))
        sio_close(s, EIO_CLOSE_SHUTDOWN);
    assert_string_equal(sio_world_turn(&world), "w closed\ndisconnect shutdown\n"
                                                "w2 closed\ndisconnect shutdown\n");
    assert_null(sio_namespace_first(world.main));
}

static void test_all_namespaces_end_with_the_connection(void **state) {
    (void)state;
    join();
    send("0/other,");
    sio_close(newest, EIO_CLOSE_SERVER);
    assert_string_equal(sio_world_turn(&world),
                        "w closed\ndisconnect server_close\ndisconnect server_close\n");
    assert_int_equal(sio_server_counters(world.server)->sockets, 0);
    assert_int_equal(sio_server_counters(world.server)->disconnects[EIO_CLOSE_SERVER], 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_join),
        TEST(test_random_ids),
        TEST(test_unknown_namespace),
        TEST(test_answer_later),
        TEST(test_close_instead_of_answer),
        TEST(test_client_goes_while_asked),
        TEST(test_hold_reply),
        TEST(test_pid_without_holding),
        TEST(test_arguments_for_one_socket_alone),
        TEST(test_id_can_be_taken_over_from_a_closed_socket),
        TEST(test_connect_timeout),
        TEST(test_drain),
        TEST(test_violations),
        TEST(test_violations_before_joining),
        TEST(test_violations_while_asked),
        TEST(test_violations_of_attachments),
        TEST(test_events),
        TEST(test_emit),
        TEST(test_one_packet_for_many),
        TEST(test_volatile),
        TEST(test_answer_an_event),
        TEST(test_answer_after_the_client_went),
        TEST(test_ask_the_client),
        TEST(test_client_does_not_answer),
        TEST(test_client_leaves),
        TEST(test_server_disconnects),
        TEST(test_close_while_iterating),
        TEST(test_all_namespaces_end_with_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
