/* log_line: no value can forge a line, and the limit on lines that peers cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/log_line.h"

static void check(log_field_t field, const char *expected) {
    strbuf_t line = {0};
    log_line_field(&line, &field);
    assert_string_equal(strbuf_cstr(&line), expected);
    strbuf_fini(&line);
}

static void test_values(void **state) {
    (void)state;
    check(log_text("k", "plain-word_1.2/3:4@x"), " k=plain-word_1.2/3:4@x");
    check(log_text("k", ""), " k=\"\"");
    check(log_text("k", NULL), " k=\"\"");
    check(log_text("k", "two words"), " k=\"two words\"");
    check(log_text("k", "a=b"), " k=\"a=b\"");
    check(log_text("k", "say \"hi\" \\"), " k=\"say \\\"hi\\\" \\\\\"");
    check(log_text("k", "x\nts=1 level=error"), " k=\"x\\nts=1 level=error\"");
    check(log_text("k", "\r\t\x1b[2J\x7f"), " k=\"\\x0d\\x09\\x1b[2J\\x7f\"");
    check(log_text("k", "\xc2\x85\xe2\x80\xa8"), " k=\"\\xc2\\x85\\xe2\\x80\\xa8\"");
    check(log_str("k", (str_t){"a\0b", 3}), " k=\"a\\x00b\"");
    check(log_u64("k", UINT64_MAX), " k=18446744073709551615");
    check(log_i64("k", -5), " k=-5");
    check(log_err(ERR_LIMIT), " error=limit");
}

static void test_no_line_breaks(void **state) {
    (void)state;
    char all[256];
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)i;
    strbuf_t line = {0};
    log_field_t field = log_str("k", (str_t){all, sizeof(all)});
    log_line_field(&line, &field);
    for (size_t i = 0; i < line.n; i++)
        assert_in_range((unsigned char)line.p[i], 0x20, 0x7e);
    strbuf_fini(&line);
}

static void test_long_value(void **state) {
    (void)state;
    char text[LOG_VALUE_MAX + 1];
    memset(text, 'a', sizeof(text));
    strbuf_t line = {0};
    log_field_t field = log_str("k", (str_t){text, LOG_VALUE_MAX});
    log_line_field(&line, &field);
    assert_int_equal(line.n, 3 + LOG_VALUE_MAX);
    strbuf_clear(&line);
    field = log_str("k", (str_t){text, LOG_VALUE_MAX + 1});
    log_line_field(&line, &field);
    assert_int_equal(line.n, 3 + LOG_VALUE_MAX + 5);
    assert_memory_equal(line.p + line.n - 4, "...\"", 4);
    strbuf_fini(&line);
}

static void test_limit(void **state) {
    (void)state;
    static log_limit_t limit;
    uint64_t suppressed = 0;
    for (int i = 0; i < LOG_LIMIT_LINES; i++)
        assert_true(log_limit_allow(&limit, "bad_packet", 1000 + i, &suppressed));
    assert_int_equal(suppressed, 0);
    for (int i = 0; i < 123; i++)
        assert_false(log_limit_allow(&limit, "bad_packet", 2000, &suppressed));
    assert_true(log_limit_allow(&limit, "bad_body", 2000, &suppressed));
    assert_null(log_limit_next_suppressed(&limit, 2000, &suppressed));
    /* The next window's first line tells how many were left out. */
    assert_true(log_limit_allow(&limit, "bad_packet", 1000 + LOG_LIMIT_WINDOW_MS, &suppressed));
    assert_int_equal(suppressed, 123);
    assert_null(log_limit_next_suppressed(&limit, INT64_MAX / 2, &suppressed));
}

static void test_suppressed_is_told_without_another_line(void **state) {
    (void)state;
    static log_limit_t limit;
    uint64_t suppressed = 0;
    for (int i = 0; i < LOG_LIMIT_LINES + 7; i++)
        (void)log_limit_allow(&limit, "bad_packet", 0, &suppressed);
    assert_null(log_limit_next_suppressed(&limit, LOG_LIMIT_WINDOW_MS - 1, &suppressed));
    assert_string_equal(log_limit_next_suppressed(&limit, LOG_LIMIT_WINDOW_MS, &suppressed),
                        "bad_packet");
    assert_int_equal(suppressed, 7);
    assert_null(log_limit_next_suppressed(&limit, LOG_LIMIT_WINDOW_MS, &suppressed));
}

static void test_many_events(void **state) {
    (void)state;
    static log_limit_t limit;
    static char names[200][8];
    uint64_t suppressed = 0;
    int allowed = 0;
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof(names[i]), "e%d", i);
        allowed += log_limit_allow(&limit, names[i], 0, &suppressed);
    }
    assert_int_equal(limit.n, LOG_LIMIT_EVENTS);
    /* 63 of their own, the rest share one allowance. */
    assert_int_equal(allowed, LOG_LIMIT_EVENTS - 1 + LOG_LIMIT_LINES);
    assert_string_equal(log_limit_next_suppressed(&limit, LOG_LIMIT_WINDOW_MS, &suppressed),
                        "other_events");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_no_line_breaks),
        cmocka_unit_test(test_long_value),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_suppressed_is_told_without_another_line),
        cmocka_unit_test(test_many_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
