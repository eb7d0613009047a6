/* The envelope's head and the bounded walk over msgpack bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proto/envelope.h"
#include "proto/envelope_scan.h"

static void test_round_trip(void **state) {
    (void)state;
    envelope_t in = {
        .flags = ENVELOPE_REPLY,
        .type = 0x1234,
        .code = 9,
        .count = 77,
        .deadline_ms = 10000,
        .receiver = 0x1122334455667788,
        .request_id = 42,
        .session = 43,
        .trace = {.id = {1, 2, 3}, .sampled = true},
        .room = STR("conv_1_2"),
        .user = STR("1"),
        .body = STR("\x80"),
    };
    strbuf_t frame = {0};
    envelope_encode(&in, &frame);
    assert_int_equal(frame.n, ENVELOPE_HEAD_BYTES + 8 + 1 + 1);
    assert_int_equal(frame.p[2], 0x34); /* little-endian */
    envelope_t out;
    assert_int_equal(envelope_decode(strbuf_str(&frame), &out), OK);
    assert_int_equal(out.type, in.type);
    assert_int_equal(out.code, in.code);
    assert_int_equal(out.flags, in.flags);
    assert_int_equal(out.count, in.count);
    assert_int_equal(out.deadline_ms, in.deadline_ms);
    assert_true(out.receiver == in.receiver);
    assert_true(out.request_id == in.request_id);
    assert_true(out.session == in.session);
    assert_memory_equal(out.trace.id, in.trace.id, TRACE_ID_BYTES);
    assert_true(out.trace.sampled);
    assert_true(str_eq(out.room, in.room));
    assert_true(str_eq(out.user, in.user));
    assert_true(str_eq(out.body, in.body));
    strbuf_fini(&frame);
}

static void test_refuses_bad_heads(void **state) {
    (void)state;
    strbuf_t frame = {0};
    envelope_encode(&(envelope_t){.type = 1, .room = STR("r"), .user = STR("u")}, &frame);
    envelope_t out;
    for (size_t n = 0; n < frame.n; n++)
        assert_int_equal(envelope_decode((str_t){frame.p, n}, &out), ERR_INVALID);
    frame.p[0] = 2;
    assert_int_equal(envelope_decode(strbuf_str(&frame), &out), ERR_INVALID);
    frame.p[0] = 1;
    frame.p[38] = (char)(ENVELOPE_ROOM_BYTES + 1);
    assert_int_equal(envelope_decode(strbuf_str(&frame), &out), ERR_INVALID);
    strbuf_fini(&frame);
}

static void test_scan_accepts(void **state) {
    (void)state;
    assert_int_equal(envelope_scan(STR("\x80")), OK);
    assert_int_equal(envelope_scan(STR("\x01")), OK);
    assert_int_equal(envelope_scan(STR("\x82\x01\xa1x\x02\x93\x01\x02\xc0")), OK);
    assert_int_equal(envelope_scan(STR("\xc7\x02\x05"
                                       "ab")),
                     OK);
    assert_int_equal(envelope_scan(STR("\x91\xcf\x01\x02\x03\x04\x05\x06\x07\x08")), OK);
}

static void test_scan_refuses(void **state) {
    (void)state;
    assert_int_equal(envelope_scan(STR("")), ERR_INVALID);
    assert_int_equal(envelope_scan(STR("\xdd\x05\xf5\xe1\x00")),
                     ERR_INVALID); /* claims 100,000,000 */
    assert_int_equal(envelope_scan(STR("\xc1")), ERR_INVALID);
    assert_int_equal(envelope_scan(STR("\xa5"
                                       "abc")),
                     ERR_INVALID);
    assert_int_equal(envelope_scan(STR("\x80\x80")), ERR_INVALID); /* something behind it */
    assert_int_equal(envelope_scan(STR("\xdb\xff\xff\xff\xff")), ERR_INVALID);
    char deep[SCAN_MAX_DEPTH + 2];
    memset(deep, 0x91, sizeof(deep));
    deep[sizeof(deep) - 1] = 1;
    assert_int_equal(envelope_scan((str_t){deep, sizeof(deep)}), ERR_LIMIT);
    assert_int_equal(envelope_scan((str_t){deep + 1, sizeof(deep) - 1}), OK);
    size_t many = SCAN_MAX_ITEMS + 100;
    char *wide = xcalloc(1, many);
    memcpy(wide, "\xdd\x00\x01\x00\x00", 5); /* 65,536 children */
    assert_int_equal(envelope_scan((str_t){wide, 5 + 65536}), ERR_LIMIT);
    free(wide);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refuses_bad_heads),
        cmocka_unit_test(test_scan_accepts),
        cmocka_unit_test(test_scan_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
