/* eio_verify: the checks of a request in their order, CORS, responses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/socketio/eio_verify.h"
#include "tests/unit/socketio/recorder.h"

static const char *const kept[] = {"origin", NULL};

static void ignore_session(void *arg, eio_session_t *session) {
    (void)arg;
    (void)session;
}

static void ignore_close(void *arg, eio_session_t *session, eio_close_t reason) {
    (void)arg;
    (void)session;
    (void)reason;
}

static const eio_handlers_t handlers = {.on_open = ignore_session, .on_close = ignore_close};

static void refuse_evil(void *arg, const eio_request_t *request, eio_verdict_t *verdict) {
    (void)arg;
    verdict->allow = !str_eq(eio_request_header(request, "origin"), STR("evil"));
    verdict->message = STR("Not \"you\"");
}

/* A server with one session on polling, and one that was upgraded. */
typedef struct {
    eio_server_t *server;
    eio_session_t *polling, *upgraded;
} world_t;

static world_t make_world(eio_server_options_t options) {
    world_t world = {.server = eio_server_create(&options, &handlers, &recorder_transport)};
    world.polling = eio_server_open(world.server, NULL, "g", NULL, 0);
    world.upgraded = eio_server_open(world.server, NULL, NULL, "w", 0);
    return world;
}

static void end_world(world_t *world) {
    eio_server_close_all(world->server, EIO_CLOSE_PING_TIMEOUT);
    eio_server_flush(world->server, 0);
    eio_server_destroy(&world->server);
    recorder_fini();
}

/* The refusal of one request; "%s" in the query stands for the sid. */
static eio_refusal_t verify(const world_t *world, const char *method, const char *query,
                            const char *header, bool upgrade) {
    strbuf_t text = {0};
    http_head_t head;
    size_t length;
    eio_session_t *found;
    eio_verdict_t verdict;
    strbuf_printf(&text, "%s /socket.io/?%s HTTP/1.1\r\n%s\r\n", method, query, header);
    assert_int_equal(http_head_parse(strbuf_str(&text), 8192, &head, &length), OK);
    eio_request_t *request = eio_request_new(&head, kept, STR("::1"), upgrade);
    eio_refusal_t refusal = eio_verify(world->server, &head, request, &found, &verdict);
    eio_request_free(&request);
    strbuf_fini(&text);
    return refusal;
}

static void expect(const world_t *world, const char *query, bool upgrade, unsigned status,
                   int code) {
    eio_refusal_t refusal = verify(world, "GET", query, "", upgrade);
    assert_int_equal(refusal.status, status);
    if (status)
        assert_int_equal(refusal.code, code);
}

static void test_handshakes(void **state) {
    (void)state;
    world_t world = make_world((eio_server_options_t){0});
    expect(&world, "EIO=4&transport=polling", false, 0, 0);
    expect(&world, "EIO=4&transport=websocket", true, 0, 0);
    expect(&world, "EIO=4&transport=polling&sid=", false, 0, 0);
    static const char *const unknown[] = {
        "", "abc", "__proto__", "constructor", "webtransport", "POLLING"};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        char query[64];
        snprintf(query, sizeof(query), "EIO=4&transport=%s", unknown[i]);
        expect(&world, query, false, 400, 0);
        expect(&world, query, true, 400, 0);
    }
    expect(&world, "EIO=4", false, 400, 0);
    expect(&world, "transport=polling", false, 400, 5);
    expect(&world, "EIO=3&transport=polling", false, 400, 5);
    expect(&world, "EIO=abc&transport=websocket", true, 400, 5);
    expect(&world, "EIO=4&transport=websocket", false, 400, 3);
    expect(&world, "EIO=4&transport=polling", true, 400, 3);
    assert_int_equal(verify(&world, "POST", "EIO=4&transport=polling", "", false).code, 2);
    assert_int_equal(verify(&world, "PUT", "EIO=4&transport=polling", "", false).code, 2);
    assert_int_equal(verify(&world, "OPTIONS", "EIO=4&transport=polling", "", false).code, 2);
    assert_int_equal(
        verify(&world, "GET", "EIO=4&transport=polling", "Origin: a\x02\r\n", false).code, 3);
    end_world(&world);
}

static void test_sessions(void **state) {
    (void)state;
    world_t world = make_world((eio_server_options_t){0});
    char query[128];
    expect(&world, "EIO=4&transport=polling&sid=abc", false, 400, 1);
    expect(&world, "EIO=4&transport=websocket&sid=__proto__", true, 400, 1);

    snprintf(query, sizeof(query), "EIO=4&transport=polling&sid=%s", world.polling->sid);
    expect(&world, query, false, 0, 0);
    expect(&world, query, true, 400, 3);
    assert_int_equal(verify(&world, "POST", query, "", false).status, 0);
    assert_int_equal(verify(&world, "PUT", query, "", false).status, 500);
    snprintf(query, sizeof(query), "EIO=4&transport=websocket&sid=%s", world.polling->sid);
    expect(&world, query, true, 0, 0);
    expect(&world, query, false, 400, 3);
    snprintf(query, sizeof(query), "EIO=3&transport=polling&sid=%s", world.polling->sid);
    expect(&world, query, false, 400, 3);
    snprintf(query, sizeof(query), "EIO=4&transport=polling&sid=%s", world.upgraded->sid);
    expect(&world, query, false, 400, 3);

    snprintf(query, sizeof(query), "EIO=4&transport=polling&sid=%s", world.polling->sid);
    eio_close(world.polling, EIO_CLOSE_CLIENT);
    expect(&world, query, false, 400, 1);
    end_world(&world);
}

static void test_the_application_decides(void **state) {
    (void)state;
    world_t world = make_world((eio_server_options_t){.on_request = refuse_evil});
    eio_refusal_t refusal =
        verify(&world, "GET", "EIO=4&transport=polling", "Origin: evil\r\n", false);
    assert_int_equal(refusal.status, 403);
    assert_int_equal(refusal.code, 4);
    assert_true(str_eq(refusal.message, STR("Not \"you\"")));
    assert_int_equal(
        verify(&world, "GET", "EIO=4&transport=websocket", "Origin: evil\r\n", true).status, 403);
    expect(&world, "EIO=4&transport=polling", false, 0, 0);
    end_world(&world);
}

static void test_room(void **state) {
    (void)state;
    world_t world = make_world((eio_server_options_t){.max_sessions = 2});
    expect(&world, "EIO=4&transport=polling", false, 503, 4);
    end_world(&world);
    world = make_world((eio_server_options_t){.transports = EIO_WEBSOCKET});
    expect(&world, "EIO=4&transport=polling", false, 400, 0);
    eio_server_drain(world.server);
    expect(&world, "EIO=4&transport=websocket", true, 503, 4);
    end_world(&world);
}

static void test_paths(void **state) {
    (void)state;
    world_t world = make_world((eio_server_options_t){0});
    assert_true(eio_path_matches(world.server, STR("/socket.io/")));
    assert_true(eio_path_matches(world.server, STR("/socket.io")));
    assert_false(eio_path_matches(world.server, STR("/socket.io/x")));
    assert_false(eio_path_matches(world.server, STR("/socket.i")));
    assert_false(eio_path_matches(world.server, STR("/")));
    end_world(&world);
}

static void expect_cors(const eio_cors_t *cors, const char *origin, const char *expected) {
    char text[128];
    http_head_t head;
    size_t length;
    strbuf_t headers = {0};
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nOrigin: %s\r\n\r\n", origin);
    assert_int_equal(http_head_parse(str_from(text), 8192, &head, &length), OK);
    eio_cors_append(cors, &head, &headers);
    assert_string_equal(strbuf_cstr(&headers), expected);
    strbuf_fini(&headers);
}

static void test_cors(void **state) {
    (void)state;
    static const char *const any[] = {"*", NULL};
    static const char *const one[] = {"http://a", NULL};
    static const char *const two[] = {"http://a", "http://b", NULL};
    expect_cors(&(eio_cors_t){0}, "http://a", "");
    expect_cors(&(eio_cors_t){.origins = any}, "http://a", "Access-Control-Allow-Origin: *\r\n");
    expect_cors(&(eio_cors_t){.origins = one, .credentials = true}, "http://x",
                "Access-Control-Allow-Origin: http://a\r\nVary: Origin\r\n"
                "Access-Control-Allow-Credentials: true\r\n");
    expect_cors(&(eio_cors_t){.origins = two}, "http://b",
                "Access-Control-Allow-Origin: http://b\r\nVary: Origin\r\n");
    expect_cors(&(eio_cors_t){.origins = two}, "http://c", "Vary: Origin\r\n");
}

static void test_preflight(void **state) {
    (void)state;
    http_head_t head;
    size_t length;
    strbuf_t headers = {0};
    assert_int_equal(http_head_parse(STR("OPTIONS / HTTP/1.1\r\n"
                                         "Access-Control-Request-Headers: x-a, x-b\r\n\r\n"),
                                     8192, &head, &length),
                     OK);
    eio_cors_append_preflight(&(eio_cors_t){0}, &head, &headers);
    assert_string_equal(strbuf_cstr(&headers),
                        "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"
                        "Vary: Access-Control-Request-Headers\r\n"
                        "Access-Control-Allow-Headers: x-a, x-b\r\n");
    strbuf_clear(&headers);
    eio_cors_append_preflight(
        &(eio_cors_t){.methods = "GET", .allowed_headers = "x-c", .max_age_seconds = 60}, &head,
        &headers);
    assert_string_equal(strbuf_cstr(&headers), "Access-Control-Allow-Methods: GET\r\n"
                                               "Access-Control-Allow-Headers: x-c\r\n"
                                               "Access-Control-Max-Age: 60\r\n");
    strbuf_fini(&headers);
}

static void test_response(void **state) {
    (void)state;
    strbuf_t to = {0};
    http_response_append(&(http_response_t){.status = 200,
                                            .content_type = "text/html",
                                            .headers = STR("A: b\r\n"),
                                            .body = STR("ok"),
                                            .keep_alive = true},
                         &to);
    assert_string_equal(strbuf_cstr(&to),
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n"
                        "Cache-Control: no-store\r\nConnection: keep-alive\r\nA: b\r\n\r\nok");
    strbuf_fini(&to);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshakes),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_the_application_decides),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_cors),
        cmocka_unit_test(test_preflight),
        cmocka_unit_test(test_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
