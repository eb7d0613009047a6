/* cursor: what is written is read back, anything else refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "persist-worker/cursor.h"

static void test_round_trip(void **state) {
    (void)state;
    strbuf_t text = {0};
    cursor_t cursor;
    char room[IDS_ROOM_MAX + 1] = "conv_";
    memset(room + 5, 'a', 64);
    room[69] = '_';
    memset(room + 70, 'b', 64);
    cursor_append(&text, INT64_MAX, str_from(room));
    assert_true(text.n <= CURSOR_TEXT_MAX);
    for (size_t i = 0; i < text.n; i++)
        assert_non_null(
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", text.p[i]));
    assert_int_equal(cursor_parse(strbuf_str(&text), &cursor), OK);
    assert_int_equal(cursor.activity_us, INT64_MAX);
    assert_int_equal(cursor.conversation_n, IDS_ROOM_MAX);
    assert_memory_equal(cursor.conversation, room, IDS_ROOM_MAX);
    strbuf_fini(&text);
}

static void test_refused(void **state) {
    (void)state;
    /* "", "x", "1/user_1", "1/conv_2_1", "-1/conv_1_2", "1conv_1_2",
     * "99999999999999999999/conv_1_2", bad alphabet, padding. */
    static const char *const texts[] = {"",
                                        "eA",
                                        "MS91c2VyXzE",
                                        "MS9jb252XzJfMQ",
                                        "LTEvY29udl8xXzI",
                                        "MWNvbnZfMV8y",
                                        "OTk5OTk5OTk5OTk5OTk5OTk5OTkvY29udl8xXzI",
                                        "MS9jb252XzFfMg==",
                                        "MS9jb252XzFf+g",
                                        "a b"};
    cursor_t cursor;
    assert_int_equal(cursor_parse(STR("MS9jb252XzFfMg"), &cursor), OK); /* 1/conv_1_2 */
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(cursor_parse(str_from(texts[i]), &cursor), ERR_INVALID);
    char longer[CURSOR_TEXT_MAX + 2];
    memset(longer, 'A', sizeof(longer));
    assert_int_equal(cursor_parse((str_t){longer, sizeof(longer)}, &cursor), ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
