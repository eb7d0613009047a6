/* What all clients together may take: queues, unfinished input, places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/socketio/sio_world.h"

enum { MAX_QUEUE = 1000, MAX_TOTAL_QUEUE = 2000, MAX_TOTAL_INPUT = 1000, MAX_SESSIONS = 3 };

static sio_world_t world;
static sio_connect_t *asked; /* unanswered, when `later` is set */
static bool later;

static void on_connect(void *arg, sio_connect_t *connect) {
    (void)arg;
    if (later)
        asked = connect;
    else
        sio_accept(connect, NULL);
}

static void on_event(void *arg, sio_socket_t *socket, const sio_event_t *event) {
    (void)arg;
    (void)socket;
    recorder_note("event +%zu", event->attachments.n);
}

static int set_up(void **state) {
    static const sio_handlers_t handlers = {.on_connect = on_connect, .on_event = on_event};
    (void)state;
    later = false;
    world = sio_world_new(&(sio_options_t){.engine = {.max_queue_bytes = MAX_QUEUE,
                                                      .max_total_queue_bytes = MAX_TOTAL_QUEUE,
                                                      .max_total_input_bytes = MAX_TOTAL_INPUT,
                                                      .max_sessions = MAX_SESSIONS}},
                          &handlers);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    world.now_ms = 1000000;
    sio_world_end(&world);
    return 0;
}

static eio_session_t *joined(const char *ws) {
    eio_session_t *session = sio_world_open(&world, ws);
    sio_world_text(&world, "0");
    sio_world_turn(&world);
    return session;
}

static uint64_t closes(eio_close_t reason) {
    return world.engine->counters.closes[reason];
}

static void send_bytes(eio_session_t *session, size_t n) {
    static const char bytes[MAX_QUEUE];
    eio_send_binary(session, (str_t){bytes, n});
}

/* ---- queues ---- */

/* Two that don't read take as much as each may; from then on it is they who must go. */
static void who_hoards_goes_before_who_does_not(void **state) {
    (void)state;
    eio_session_t *healthy = joined("healthy");
    eio_session_t *hoards = joined("hoards"), *too = joined("too");
    recorder_congest(true);
    send_bytes(hoards, 10);
    send_bytes(too, 10);
    sio_world_turn(&world); /* their WebSockets are congested now */
    recorder_congest(false);
    for (int i = 0; i < 6; i++) {
        send_bytes(hoards, 100);
        send_bytes(too, 100);
        send_bytes(healthy, 100);
        sio_world_turn(&world);
        assert_int_equal(healthy->state, EIO_STATE_OPEN);
        assert_true(world.engine->counters.queued_bytes <= MAX_TOTAL_QUEUE);
    }
    /* 2 × 6 × 116 bytes wait: 608 are left, and nobody may have more than what is left. */
    assert_int_equal(closes(EIO_CLOSE_QUEUE_LIMIT), 1);
    send_bytes(healthy, 100);
    sio_world_turn(&world);
    assert_int_equal(healthy->state, EIO_STATE_OPEN);
}

static void crowded_is_more_than_half(void **state) {
    (void)state;
    eio_session_t *session = joined("w");
    recorder_congest(true);
    send_bytes(session, 10);
    sio_world_turn(&world);
    send_bytes(session, MAX_QUEUE / 2 - 16);
    assert_false(eio_session_is_crowded(session));
    send_bytes(session, 1);
    assert_true(eio_session_is_crowded(session));
    recorder_congest(false);
    eio_session_writable(session);
    sio_world_turn(&world);
    assert_false(eio_session_is_crowded(session));
}

/* ---- unfinished input ---- */

static void nobody_takes_more_than_is_left_for_others(void **state) {
    (void)state;
    eio_server_t *engine = world.engine;
    assert_true(eio_server_take(engine, 0, 400));
    assert_false(eio_server_take(engine, 400, 201)); /* 600 are left, it would have 601 */
    assert_true(eio_server_take(engine, 0, 600));    /* another one */
    assert_false(eio_server_take(engine, 0, 1));
    assert_int_equal(engine->counters.input_bytes, 1000);
    assert_int_equal(engine->counters.refused_input, 2);
    eio_server_give(engine, 1000);
}

static void attachments_count_until_their_packet_is_whole(void **state) {
    (void)state;
    joined("w");
    sio_world_text(&world, "52-[\"a\",{\"_placeholder\":true,\"num\":0}]");
    sio_world_binary(&world, (str_t){(char[200]){0}, 200});
    assert_in_range(world.engine->counters.input_bytes, 200, 300);
    sio_world_binary(&world, STR("x"));
    assert_string_equal(sio_world_turn(&world), "event +2\n");
    assert_int_equal(world.engine->counters.input_bytes, 0);
    sio_world_text(&world, "52-[\"a\"]");
    sio_world_binary(&world, (str_t){(char[990]){0}, 990});
    assert_string_equal(sio_world_turn(&world), "w closed\n");
    assert_int_equal(closes(EIO_CLOSE_OVERLOAD), 1);
    assert_int_equal(world.engine->counters.input_bytes, 0);
}

static void what_is_kept_of_a_connect_counts_until_it_is_answered(void **state) {
    (void)state;
    later = true;
    sio_world_open(&world, "w1");
    sio_world_text(&world, "0{\"token\":\"1\"}");
    assert_int_equal(world.engine->counters.input_bytes, strlen("{\"token\":\"1\"}"));
    sio_refuse(asked, STR("no"), (str_t){0});
    assert_int_equal(world.engine->counters.input_bytes, 0);
    sio_world_text(&world, "0{\"token\":\"2\"}");
    eio_close(world.session, EIO_CLOSE_SERVER); /* before the answer */
    sio_world_turn(&world);
    assert_int_equal(world.engine->counters.input_bytes, 0);
    sio_close_connect(asked, EIO_CLOSE_OVERLOAD);
}

static void a_violation_for_want_of_room_says_try_later(void **state) {
    (void)state;
    eio_session_t *session = joined("w");
    eio_session_ws_violation(session, "w", EIO_WS_TRY_LATER);
    assert_string_equal(sio_world_turn(&world), "w closed 1013\n");
    assert_int_equal(closes(EIO_CLOSE_OVERLOAD), 1);
}

/* ---- places ---- */

static void the_longest_silent_gives_way(void **state) {
    (void)state;
    joined("one");
    sio_world_open(&world, "silent1");
    sio_world_open(&world, "silent2");
    assert_true(eio_server_has_room(world.engine));
    assert_string_equal(sio_world_turn(&world), "silent1 closed\n");
    joined("two");
    assert_true(eio_server_has_room(world.engine));
    assert_string_equal(sio_world_turn(&world), "silent2 closed\n");
    joined("three");
    assert_false(eio_server_has_room(world.engine)); /* all of them are somebody */
    assert_string_equal(sio_world_turn(&world), "");
    assert_int_equal(world.engine->counters.evicted, 2);
}

/* Who has asked to be let in isn't silent until that is refused, and who has left is. */
static void asking_is_not_silence_leaving_is(void **state) {
    (void)state;
    joined("one");
    joined("two");
    later = true;
    sio_world_open(&world, "three");
    sio_world_text(&world, "0");
    assert_false(eio_server_has_room(world.engine));
    sio_accept(asked, NULL);
    sio_world_turn(&world);
    assert_false(eio_server_has_room(world.engine));
    sio_world_text(&world, "1"); /* the newest leaves its namespace */
    assert_true(eio_server_has_room(world.engine));
    assert_string_equal(sio_world_turn(&world), "three closed\n");
}

static void evicted_polling_sessions_do_not_linger(void **state) {
    (void)state;
    eio_server_open(world.engine, NULL, "g0", NULL, 0);
    sio_world_turn(&world); /* it has no GET held: it would be told at its next one */
    joined("one");
    joined("two");
    assert_true(eio_server_has_room(world.engine));
    joined("three");
    assert_int_equal(HASH_COUNT(world.engine->sessions), MAX_SESSIONS);
}

static void a_lingering_session_gives_way_first(void **state) {
    (void)state;
    eio_session_t *polling = eio_server_open(world.engine, NULL, "g0", NULL, 0);
    sio_world_turn(&world);
    eio_close(polling, EIO_CLOSE_SERVER);
    sio_world_turn(&world);
    joined("one");
    sio_world_open(&world, "silent");
    assert_int_equal(HASH_COUNT(world.engine->sessions), MAX_SESSIONS);
    assert_true(eio_server_has_room(world.engine));
    assert_string_equal(sio_world_turn(&world), "");
    assert_int_equal(HASH_COUNT(world.engine->sessions), MAX_SESSIONS - 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_hoards_goes_before_who_does_not),
        TEST(crowded_is_more_than_half),
        TEST(nobody_takes_more_than_is_left_for_others),
        TEST(attachments_count_until_their_packet_is_whole),
        TEST(what_is_kept_of_a_connect_counts_until_it_is_answered),
        TEST(a_violation_for_want_of_room_says_try_later),
        TEST(the_longest_silent_gives_way),
        TEST(asking_is_not_silence_leaving_is),
        TEST(evicted_polling_sessions_do_not_linger),
        TEST(a_lingering_session_gives_way_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
