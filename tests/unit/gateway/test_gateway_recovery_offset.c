/* recovery_offset: written and read again; what is malformed is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/recovery_offset.h"

static void test_written_and_read(void **state) {
    (void)state;
    strbuf_t text = {0};
    recovery_offset_t offset;
    recovery_offset_begin(&text, STR("0190a0b0-0000-7000"), 1767225600000);
    recovery_offset_add(&text, STR("conv_1_2"), 7, 1767225600001);
    recovery_offset_add(&text, STR("group_0190a0b0-0000-7000-8000-000000000001"), 0, 0);
    assert_string_equal(strbuf_cstr(&text), "1,0190a0b0,1767225600000/conv_1_2,7,1767225600001"
                                            "/group_0190a0b0-0000-7000-8000-000000000001,0,0");
    assert_int_equal(recovery_offset_parse(strbuf_str(&text), &offset), OK);
    assert_true(str_eq(offset.generation, STR("0190a0b0")));
    assert_int_equal(offset.changes_ms, 1767225600000);
    assert_int_equal(offset.n, 2);
    assert_true(str_eq(offset.rooms[0].name, STR("conv_1_2")));
    assert_int_equal(offset.rooms[0].seq, 7);
    assert_int_equal(offset.rooms[0].read_ms, 1767225600001);
    assert_int_equal(offset.rooms[1].seq, 0);
    strbuf_fini(&text);
}

static void test_without_rooms_or_generation(void **state) {
    (void)state;
    recovery_offset_t offset;
    assert_int_equal(recovery_offset_parse(STR("1,,0"), &offset), OK);
    assert_int_equal(offset.n, 0);
    assert_int_equal(offset.generation.n, 0);
}

static void test_malformed(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        "1",
        "1,",
        "1,,",
        "2,,0",
        "11,,0",
        "1,,x",
        "1,,-1",
        "1,G!,0",
        "1,123456789,0",
        "1,,0/",
        "1,,0//",
        "1,,0/conv_1_2",
        "1,,0/conv_1_2,1",
        "1,,0/conv_1_2,1,",
        "1,,0/conv_1_2,,1",
        "1,,0/conv_1_2,1,1,1",
        "1,,0/conv_2_1,1,1",
        "1,,0/user_1,1,1",
        "1,,0/conv_1_2,x,1",
        "1,,0/conv_1_2,9223372036854775808,1",
        "1,,0/conv_1_2,1,99999999999999999999",
        "1,,0/conv_1_2,1,1/conv_1_2,2,2",
        "1,,0/conv_1_2,1,1/",
        "1,,0,0/conv_1_2,1,1",
    };
    recovery_offset_t offset;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (recovery_offset_parse(str_from(cases[i]), &offset) != ERR_INVALID)
            fail_msg("\"%s\" was taken", cases[i]);
    }
}

static void test_limits(void **state) {
    (void)state;
    strbuf_t text = {0}, name = {0};
    recovery_offset_t offset;
    assert_int_equal(recovery_offset_parse(STR(RECOVERY_OFFSET_NONE), &offset), ERR_LIMIT);
    recovery_offset_begin(&text, (str_t){0}, 0);
    for (int i = 0; i < RECOVERY_ROOMS_MAX; i++) {
        strbuf_clear(&name);
        strbuf_printf(&name, "conv_%d_1000", i);
        recovery_offset_add(&text, strbuf_str(&name), 1, 1);
    }
    assert_true(text.n <= RECOVERY_OFFSET_MAX);
    assert_int_equal(recovery_offset_parse(strbuf_str(&text), &offset), OK);
    assert_int_equal(offset.n, RECOVERY_ROOMS_MAX);
    recovery_offset_add(&text, STR("conv_1_2"), 1, 1);
    assert_int_equal(recovery_offset_parse(strbuf_str(&text), &offset), ERR_LIMIT);
    while (text.n <= RECOVERY_OFFSET_MAX)
        strbuf_append_char(&text, '1');
    assert_int_equal(recovery_offset_parse(strbuf_str(&text), &offset), ERR_LIMIT);
    strbuf_fini(&text);
    strbuf_fini(&name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_without_rooms_or_generation),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
