/* participants: presence merged into JSON text, and text that is not what it should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/participants.h"

/* Users "on…" are online, "old…" and "new…" were seen at certain times. */
static user_presence_t look_up(void *ctx, str_t user) {
    (void)ctx;
    return (user_presence_t){.online = str_starts_with(user, STR("on")),
                             .last_seen_ms = str_starts_with(user, STR("old"))   ? 1
                                             : str_starts_with(user, STR("new")) ? 2000000000000
                                                                                 : 0};
}

static err_t merge(const char *json, const str_t *ids, size_t n, strbuf_t *out) {
    return participants_merge(str_from(json), &(proto_texts_t){ids, n}, look_up, NULL, out);
}

static void expect(const char *json, const char *id, const char *expected) {
    strbuf_t out = {0};
    str_t ids[] = {str_from(id)};
    assert_int_equal(merge(json, ids, 1, &out), OK);
    assert_string_equal(strbuf_cstr(&out), expected);
    strbuf_fini(&out);
}

static void test_merge(void **state) {
    (void)state;
    expect("[{\"id\":\"on\",\"lastReadSeq\":3,\"lastSeenAt\":null}]", "on",
           "[{\"id\":\"on\",\"lastReadSeq\":3,\"online\":true,\"lastSeenAt\":null}]");
    expect("[{}]", "off", "[{\"online\":false,\"lastSeenAt\":null}]");
    expect(" [ { \"online\" : true , \"name\" : \"a,}]\\\"\" , \"x\" : [ 1 , { } ] } ] ", "off",
           "[{\"name\":\"a,}]\\\"\",\"x\":[ 1 , { } ],\"online\":false,\"lastSeenAt\":null}]");
    strbuf_t out = {0};
    str_t ids[] = {STR("on"), STR("off")};
    assert_int_equal(merge("[{\"id\":1},{\"id\":2}]", ids, 2, &out), OK);
    assert_string_equal(strbuf_cstr(&out), "[{\"id\":1,\"online\":true,\"lastSeenAt\":null},"
                                           "{\"id\":2,\"online\":false,\"lastSeenAt\":null}]");
    strbuf_clear(&out);
    assert_int_equal(merge("[]", NULL, 0, &out), OK);
    assert_string_equal(strbuf_cstr(&out), "[]");
    strbuf_fini(&out);
}

static void test_later_time_wins(void **state) {
    (void)state;
    expect("[{\"lastSeenAt\":\"2020-01-01T00:00:00.000Z\"}]", "old",
           "[{\"online\":false,\"lastSeenAt\":\"2020-01-01T00:00:00.000Z\"}]");
    expect("[{\"lastSeenAt\":\"2020-01-01T00:00:00.000Z\"}]", "new",
           "[{\"online\":false,\"lastSeenAt\":\"2033-05-18T03:33:20.000Z\"}]");
    expect("[{\"lastSeenAt\":\"2020-01-01T00:00:00.000Z\"}]", "never",
           "[{\"online\":false,\"lastSeenAt\":\"2020-01-01T00:00:00.000Z\"}]");
    expect("[{\"lastSeenAt\":null}]", "old",
           "[{\"online\":false,\"lastSeenAt\":\"1970-01-01T00:00:00.001Z\"}]");
}

static void test_not_what_it_should_be(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "[",
                                      "{}",
                                      "[1]",
                                      "[{]",
                                      "[{\"a\"}]",
                                      "[{\"a\":}]",
                                      "[{\"a\":1,}]",
                                      "[{\"a\":1}",
                                      "[{\"a\":1}]x",
                                      "[{\"a\":\"}]",
                                      "[{\"a\":[}]",
                                      "[{\"a\":1}{\"b\":1}]",
                                      "[{\"a\":1},{\"b\":1}]",
                                      "[]",
                                      "[{a:1}]",
                                      "[{\"a\":1]",
                                      "[{\"a\\"};
    strbuf_t out = {0};
    str_t ids[] = {STR("on")};
    strbuf_append(&out, STR("kept"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (merge(bad[i], ids, 1, &out) != ERR_INVALID)
            fail_msg("accepted: %s", bad[i]);
        assert_string_equal(strbuf_cstr(&out), "kept");
    }
    strbuf_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_later_time_wins),
        cmocka_unit_test(test_not_what_it_should_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
