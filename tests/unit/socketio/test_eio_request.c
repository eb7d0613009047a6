/* eio_request: what is kept of a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/strbuf.h"
#include "gateway/socketio/eio_request.h"

static const char *const kept[] = {"authorization", "cookie", "origin", "x-none", NULL};

static eio_request_t *make(const char *text) {
    http_head_t head;
    size_t length;
    assert_int_equal(http_head_parse(str_from(text), 65000, &head, &length), OK);
    return eio_request_new(&head, kept, STR("10.0.0.9"), false);
}

static void test_headers(void **state) {
    (void)state;
    eio_request_t *request = make("GET /a/b?x HTTP/1.1\r\nAuthorization: Bearer t\r\nOther: o\r\n"
                                  "COOKIE: a=1\r\ncookie: b=2\r\nOrigin: p\r\nOrigin: q\r\n\r\n");
    str_t name, value;
    assert_true(str_eq(eio_request_path(request), STR("/a/b")));
    assert_true(str_eq(eio_request_peer(request), STR("10.0.0.9")));
    assert_false(eio_request_is_websocket(request));
    assert_true(str_eq(eio_request_header(request, "authorization"), STR("Bearer t")));
    assert_true(str_eq(eio_request_header(request, "cookie"), STR("a=1; b=2")));
    assert_true(str_eq(eio_request_header(request, "origin"), STR("p, q")));
    assert_null(eio_request_header(request, "other").p);
    assert_null(eio_request_header(request, "x-none").p);
    assert_true(eio_request_header_at(request, 2, &name, &value));
    assert_true(str_eq(name, STR("origin")));
    assert_false(eio_request_header_at(request, 3, &name, &value));
    eio_request_free(&request);
    assert_null(request);
}

static void test_query(void **state) {
    (void)state;
    eio_request_t *request = make("GET /?a=1&b=%41%2b+c&empty=&bare&&a=2&%zz=%4&__proto__=p "
                                  "HTTP/1.1\r\n\r\n");
    static const char *const pairs[][2] = {{"a", "1"},        {"b", "A+ c"}, {"empty", ""},
                                           {"bare", ""},      {"a", "2"},    {"%zz", "%4"},
                                           {"__proto__", "p"}};
    str_t key, value;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_true(eio_request_query_at(request, i, &key, &value));
        assert_true(str_eq(key, str_from(pairs[i][0])));
        assert_true(str_eq(value, str_from(pairs[i][1])));
    }
    assert_false(eio_request_query_at(request, 7, &key, &value));
    assert_true(str_eq(eio_request_query(request, "a"), STR("1")));
    assert_non_null(eio_request_query(request, "bare").p);
    assert_null(eio_request_query(request, "none").p);
    eio_request_free(&request);
}

static void test_very_many_parameters(void **state) {
    (void)state;
    strbuf_t text = {0};
    strbuf_append(&text, STR("GET /?"));
    for (int i = 0; i < 10000; i++)
        strbuf_append(&text, STR("a=1&"));
    strbuf_append(&text, STR(" HTTP/1.1\r\n\r\n"));
    eio_request_t *request = make(strbuf_cstr(&text));
    assert_true(str_eq(eio_request_query(request, "a"), STR("1")));
    eio_request_free(&request);
    strbuf_fini(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_very_many_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
