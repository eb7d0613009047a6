/* ids: the spelling rules of API.md, "Identity" and "Settled details". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/ids.h"

static const char user64[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char uuid[] = "0190163d-8694-739b-aea5-966c26f8ad91";

static void test_user(void **state) {
    (void)state;
    static const char *const good[] = {"1", "a", "A-Z.z@x|y:0", "007", user64, "-", "."};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(ids_is_user(str_from(good[i])));
    static const char *const bad[] = {"", "a_b", " 1", "1 ", "a/b", "\xc3\xa4", "a\n", "a+b"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ids_is_user(str_from(bad[i])));
    assert_int_equal(sizeof(user64) - 1, IDS_USER_MAX);
    char user65[sizeof(user64) + 1];
    memset(user65, 'a', sizeof(user65));
    assert_false(ids_is_user((str_t){user65, 65}));
    assert_false(ids_is_user((str_t){"a\0b", 3}));
    for (int c = 0; c < 256; c++) {
        char one = (char)c;
        bool expected = c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                    "0123456789.@|:-",
                                    c);
        assert_int_equal(ids_is_user((str_t){&one, 1}), expected);
    }
}

static int sign(int n) {
    return (n > 0) - (n < 0);
}

static void test_order(void **state) {
    (void)state;
    static const struct {
        const char *less, *more;
    } pairs[] = {
        {"1", "2"},
        {"9", "10"},
        {"2", "10"},
        {"007", "7"},
        {"007", "07"},
        {"6", "007"},
        {"007", "8"},
        {"0", "1"},
        {"00", "000"},
        {"10", "9a"},
        {"10", "a"},
        {"9", "a1"},
        {"A", "a"},
        {"a", "ab"},
        {"B", "a"},
        {"-1", "1"},
        {"18446744073709551615", "18446744073709551616"},
        {"99999999999999999999999999999999", "100000000000000000000000000000000"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        str_t less = str_from(pairs[i].less), more = str_from(pairs[i].more);
        assert_int_equal(sign(ids_compare_users(less, more)), -1);
        assert_int_equal(sign(ids_compare_users(more, less)), 1);
        assert_int_equal(ids_compare_users(less, less), 0);
    }
}

/* Only numbers come in numeric order; "10" and "9a" compare by bytes. */
static void test_direct_spelling(void **state) {
    (void)state;
    static const struct {
        const char *name;
        ids_kind_t kind;
    } cases[] = {
        {"conv_1_2", IDS_DIRECT},
        {"conv_2_1", IDS_INVALID},
        {"conv_9_10", IDS_DIRECT},
        {"conv_10_9", IDS_INVALID},
        {"conv_10_9a", IDS_DIRECT},
        {"conv_9a_10", IDS_INVALID},
        {"conv_007_7", IDS_DIRECT},
        {"conv_7_007", IDS_INVALID},
        {"conv_a_a", IDS_INVALID},
        {"conv_7_7", IDS_INVALID},
        {"conv_1_", IDS_INVALID},
        {"conv__1", IDS_INVALID},
        {"conv__", IDS_INVALID},
        {"conv_", IDS_INVALID},
        {"conv_1", IDS_INVALID},
        {"conv_1_2_3", IDS_INVALID},
        {"conv_1_2 ", IDS_INVALID},
        {" conv_1_2", IDS_INVALID},
        {"Conv_1_2", IDS_INVALID},
        {"conv-1-2", IDS_INVALID},
        {"conv_auth0|5_bob@example.org", IDS_DIRECT},
        {"", IDS_INVALID},
        {"user_", IDS_INVALID},
        {"user_7", IDS_USER},
        {"user_a_b", IDS_INVALID},
        {"group_", IDS_INVALID},
        {"group_7", IDS_INVALID},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        str_t name = str_from(cases[i].name);
        assert_int_equal(ids_parse_room(name).kind, cases[i].kind);
        assert_int_equal(ids_is_conversation(name), cases[i].kind == IDS_DIRECT);
    }
}

static void test_group(void **state) {
    (void)state;
    char name[64];
    snprintf(name, sizeof(name), "group_%s", uuid);
    ids_room_t room = ids_parse_room(str_from(name));
    assert_int_equal(room.kind, IDS_GROUP);
    assert_true(str_eq(room.uuid, str_from(uuid)));
    assert_true(ids_is_conversation(str_from(name)));
    assert_false(ids_is_participant(str_from(name), str_from(uuid)));
    name[10] = 'D'; /* one uuid must have one spelling */
    assert_int_equal(ids_parse_room(str_from(name)).kind, IDS_INVALID);
}

static void test_direct(void **state) {
    (void)state;
    strbuf_t name = {0};
    assert_int_equal(ids_append_direct(&name, STR("10"), STR("9")), OK);
    assert_string_equal(strbuf_cstr(&name), "conv_9_10");
    assert_int_equal(ids_append_direct(&name, STR("a"), STR("a")), ERR_INVALID);
    assert_int_equal(ids_append_direct(&name, STR("a"), STR("b_c")), ERR_INVALID);
    assert_int_equal(ids_append_direct(&name, STR(""), STR("b")), ERR_INVALID);
    assert_string_equal(strbuf_cstr(&name), "conv_9_10");
    strbuf_clear(&name);
    char last[sizeof(user64)];
    memcpy(last, user64, sizeof(user64));
    last[0] = 'b';
    assert_int_equal(ids_append_direct(&name, str_from(last), str_from(user64)), OK);
    assert_int_equal(name.n, IDS_ROOM_MAX);
    assert_int_equal(ids_parse_room(strbuf_str(&name)).kind, IDS_DIRECT);
    strbuf_clear(&name);
    ids_append_user_room(&name, STR("7"));
    assert_string_equal(strbuf_cstr(&name), "user_7");
    strbuf_fini(&name);
}

static void test_participants(void **state) {
    (void)state;
    assert_true(ids_is_participant(STR("conv_1_2"), STR("1")));
    assert_true(ids_is_participant(STR("conv_1_2"), STR("2")));
    assert_false(ids_is_participant(STR("conv_1_2"), STR("3")));
    assert_false(ids_is_participant(STR("conv_1_2"), STR("")));
    assert_false(ids_is_participant(STR("conv_1_2"), STR("01")));
    assert_false(ids_is_participant(STR("conv_1_2"), STR("1_2")));
    assert_false(ids_is_participant(STR("conv_2_1"), STR("1")));
    assert_false(ids_is_participant(STR("user_1"), STR("1")));
    assert_true(str_eq(ids_partner(STR("conv_1_2"), STR("1")), STR("2")));
    assert_true(str_eq(ids_partner(STR("conv_1_2"), STR("2")), STR("1")));
    assert_int_equal(ids_partner(STR("conv_1_2"), STR("3")).n, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_direct_spelling),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_direct),
        cmocka_unit_test(test_participants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
