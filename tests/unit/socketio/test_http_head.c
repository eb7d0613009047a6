/* http_head: the first thing that bytes from outside meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/strbuf.h"
#include "gateway/socketio/http_head.h"

enum { MAX = 8192 };

static err_t parse(const char *text, http_head_t *head) {
    size_t length;
    return http_head_parse(str_from(text), MAX, head, &length);
}

static void test_reads_a_request(void **state) {
    (void)state;
    static const char text[] = "GET /socket.io/?EIO=4&t=x#f HTTP/1.1\r\n"
                               "Host: a\r\nX-One:  two words \t\r\nEmpty:\r\n\r\nrest";
    http_head_t head;
    size_t length;
    assert_int_equal(http_head_parse(str_from(text), MAX, &head, &length), OK);
    assert_string_equal(text + length, "rest");
    assert_true(str_eq(head.method, STR("GET")));
    assert_true(str_eq(head.path, STR("/socket.io/")));
    assert_true(str_eq(head.query, STR("EIO=4&t=x")));
    assert_int_equal(head.n_headers, 3);
    assert_true(str_eq(http_head_header(&head, STR("x-one")), STR("two words")));
    assert_int_equal(http_head_header(&head, STR("empty")).n, 0);
    assert_non_null(http_head_header(&head, STR("empty")).p);
    assert_null(http_head_header(&head, STR("absent")).p);
    assert_true(head.keep_alive);
    assert_false(head.has_content_length);
}

static void test_every_cut_is_incomplete(void **state) {
    (void)state;
    static const char text[] = "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n";
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        http_head_t head;
        size_t length;
        assert_int_equal(http_head_parse((str_t){text, n}, MAX, &head, &length), ERR_UNAVAILABLE);
    }
}

static void test_framing(void **state) {
    (void)state;
    http_head_t head;
    assert_int_equal(parse("POST / HTTP/1.1\r\nContent-Length: 42\r\n\r\n", &head), OK);
    assert_true(head.has_content_length);
    assert_int_equal(head.content_length, 42);
    assert_int_equal(parse("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", &head), OK);
    assert_true(head.has_transfer_encoding);
    assert_int_equal(parse("GET / HTTP/1.1\r\nConnection: foo, Close\r\n\r\n", &head), OK);
    assert_false(head.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n", &head), OK);
    assert_false(head.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &head), OK);
    assert_true(head.keep_alive);
    assert_int_equal(parse("POST / HTTP/1.1\r\nExpect: 100-Continue\r\n\r\n", &head), OK);
    assert_true(head.expects_continue);
}

static void test_refuses(void **state) {
    (void)state;
    static const char *const bad[] = {
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET http://a/ HTTP/1.1\r\n\r\n",
        "G(T / HTTP/1.1\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        http_head_t head;
        assert_int_equal(parse(bad[i], &head), ERR_INVALID);
    }
}

static void test_control_characters_are_noted(void **state) {
    (void)state;
    http_head_t head;
    assert_int_equal(parse("GET / HTTP/1.1\r\nOrigin: a\x01z\r\n\r\n", &head), OK);
    assert_true(head.has_control_characters);
    assert_int_equal(parse("GET / HTTP/1.1\r\nOrigin: a\tz\r\n\r\n", &head), OK);
    assert_false(head.has_control_characters);
}

static void test_limits(void **state) {
    (void)state;
    http_head_t head;
    size_t length;
    strbuf_t text = {0};
    strbuf_append(&text, STR("GET / HTTP/1.1\r\n"));
    for (int i = 0; i < HTTP_MAX_HEADERS; i++)
        strbuf_append(&text, STR("A: b\r\n"));
    size_t full = text.n;
    strbuf_append(&text, STR("\r\n"));
    assert_int_equal(http_head_parse(strbuf_str(&text), MAX, &head, &length), OK);
    text.n = full;
    strbuf_append(&text, STR("A: b\r\n\r\n"));
    assert_int_equal(http_head_parse(strbuf_str(&text), MAX, &head, &length), ERR_LIMIT);

    strbuf_clear(&text);
    while (text.n < MAX)
        strbuf_append_char(&text, 'a');
    assert_int_equal(http_head_parse(strbuf_str(&text), MAX, &head, &length), ERR_LIMIT);
    strbuf_fini(&text);
}

static void test_lists(void **state) {
    (void)state;
    assert_true(http_list_has(STR("keep-alive, Upgrade"), STR("upgrade")));
    assert_true(http_list_has(STR("UPGRADE"), STR("upgrade")));
    assert_false(http_list_has(STR("upgrades, up grade"), STR("upgrade")));
    assert_false(http_list_has((str_t){0}, STR("upgrade")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_request),
        cmocka_unit_test(test_every_cut_is_incomplete),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_control_characters_are_noted),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
