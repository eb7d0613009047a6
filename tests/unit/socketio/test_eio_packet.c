/* eio_packet: Engine.IO packets on both transports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/socketio/eio_packet.h"

static void test_frames(void **state) {
    (void)state;
    static const struct {
        size_t body;
        const char *header;
        size_t header_length;
    } cases[] = {
        {0, "\x82\x00", 2},
        {125, "\x82\x7d", 2},
        {126, "\x82\x7e\x00\x7e", 4},
        {65535, "\x82\x7e\xff\xff", 4},
        {65536, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10},
    };
    char *bytes = xcalloc(1, 65536);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        eio_packet_t *packet = eio_packet_binary((str_t){bytes, cases[i].body});
        str_t frame = eio_packet_frame(packet);
        assert_int_equal(frame.n, cases[i].header_length + cases[i].body);
        assert_memory_equal(frame.p, cases[i].header, cases[i].header_length);
        assert_int_equal(eio_packet_size(packet), cases[i].body);
        eio_packet_unref(&packet);
    }
    free(bytes);
}

static void test_text(void **state) {
    (void)state;
    eio_packet_t *packet = eio_packet_text(STR("hello"));
    assert_true(str_eq(eio_packet_frame(packet), STR("\x81\x06"
                                                     "4hello")));
    eio_packet_t *other = eio_packet_ref(packet);
    eio_packet_unref(&packet);
    assert_null(packet);
    assert_int_equal(eio_packet_size(other), 6);
    eio_packet_unref(&other);
}

static void test_own_tail(void **state) {
    (void)state;
    strbuf_t out = {0};
    eio_packet_t *base = eio_packet_text(STR("2[\"e\"]"));
    eio_packet_t *packet = eio_packet_with_tail(base, 1, STR(",1]"));
    eio_packet_t *same = eio_packet_with_tail(base, 0, (str_t){0});
    assert_true(eio_packet_cost(packet) > eio_packet_cost(base));
    eio_packet_unref(&base);
    assert_null(eio_packet_frame(packet).p);
    assert_int_equal(eio_packet_size(packet), 9);
    eio_packet_append_frame(packet, &out);
    assert_int_equal(out.n, eio_packet_frame_size(packet));
    assert_true(str_eq(strbuf_str(&out), STR("\x81\x09"
                                             "42[\"e\",1]")));
    strbuf_clear(&out);
    eio_packet_append_to_payload(same, &out);
    eio_packet_append_to_payload(packet, &out);
    assert_true(str_eq(strbuf_str(&out), STR("42[\"e\"]\x1e"
                                             "42[\"e\",1]")));
    eio_packet_unref(&packet);
    eio_packet_unref(&same);
    strbuf_fini(&out);
}

/* With its tail a body passes the lengths where a frame's header grows. */
static void test_own_tail_lengthens_the_header(void **state) {
    (void)state;
    static const size_t lengths[] = {125, 126, 65535, 65536};
    char *bytes = xcalloc(1, 65536);
    memset(bytes, 'x', 65536);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        strbuf_t out = {0};
        eio_packet_t *whole = eio_packet_text((str_t){bytes, lengths[i] - 1});
        eio_packet_t *base = eio_packet_text((str_t){bytes, lengths[i] - 2});
        eio_packet_t *packet = eio_packet_with_tail(base, 2, STR("xxx"));
        eio_packet_append_frame(packet, &out);
        assert_true(str_eq(strbuf_str(&out), eio_packet_frame(whole)));
        eio_packet_unref(&packet);
        eio_packet_unref(&base);
        eio_packet_unref(&whole);
        strbuf_fini(&out);
    }
    free(bytes);
}

static void test_payload(void **state) {
    (void)state;
    strbuf_t payload = {0};
    eio_packet_t *text = eio_packet_text(STR("hello"));
    eio_packet_t *binary = eio_packet_binary((str_t){"\1\2\3\4", 4});
    eio_packet_append_to_payload(text, &payload);
    eio_packet_append_to_payload(binary, &payload);
    assert_string_equal(strbuf_cstr(&payload), "4hello\x1e"
                                               "bAQIDBA==");
    eio_packet_unref(&text);
    eio_packet_unref(&binary);
    strbuf_fini(&payload);
}

static void test_payload_is_split(void **state) {
    (void)state;
    static const char text[] = "a\x1e\x1e"
                               "bc\x1e";
    static const char *const parts[] = {"a", "", "bc", ""};
    str_t rest = {text, sizeof(text) - 1}, part;
    for (size_t i = 0; i < 4; i++) {
        assert_true(eio_payload_next(&rest, &part));
        assert_true(str_eq(part, str_from(parts[i])));
    }
    assert_false(eio_payload_next(&rest, &part));
    rest = STR("");
    assert_true(eio_payload_next(&rest, &part));
    assert_int_equal(part.n, 0);
    assert_false(eio_payload_next(&rest, &part));
}

static void test_decode(void **state) {
    (void)state;
    strbuf_t scratch = {0};
    eio_incoming_t in;
    assert_int_equal(eio_decode(STR("4hi"), &scratch, &in), OK);
    assert_int_equal(in.type, EIO_MESSAGE);
    assert_false(in.binary);
    assert_true(str_eq(in.payload, STR("hi")));
    assert_int_equal(eio_decode(STR("2"), &scratch, &in), OK);
    assert_int_equal(in.payload.n, 0);
    assert_int_equal(eio_decode(STR("bAQIDBA=="), &scratch, &in), OK);
    assert_true(in.binary);
    assert_memory_equal(in.payload.p, "\1\2\3\4", 4);
    assert_int_equal(eio_decode(STR("b"), &scratch, &in), OK);
    assert_int_equal(in.payload.n, 0);
    static const char *const bad[] = {"", "7", "abc", " 4", "b%", "bA", "4\xff", "4\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(eio_decode(str_from(bad[i]), &scratch, &in), ERR_INVALID);
    strbuf_fini(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),   cmocka_unit_test(test_text),
        cmocka_unit_test(test_own_tail), cmocka_unit_test(test_own_tail_lengthens_the_header),
        cmocka_unit_test(test_payload),  cmocka_unit_test(test_payload_is_split),
        cmocka_unit_test(test_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
