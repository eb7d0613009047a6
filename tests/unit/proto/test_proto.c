/* The codec of messages.def: round trips, bounds, unknown keys, directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proto/proto.h"

static int set_up(void **state) {
    *state = proto_arena_new();
    return 0;
}

static int tear_down(void **state) {
    proto_arena_free((proto_arena_t **)state);
    return 0;
}

static void test_send_round_trip(void **state) {
    strbuf_t body = {0};
    proto_send_t in = {.text = STR("hello"), .client_id = STR("c1"), .reply_to = 7};
    proto_send_encode(&in, &body);
    proto_send_t out;
    assert_int_equal(proto_send_decode(strbuf_str(&body), *state, &out), OK);
    assert_true(str_eq(out.text, in.text));
    assert_true(str_eq(out.client_id, in.client_id));
    assert_int_equal(out.reply_to, 7);
    assert_true(PROTO_HAS(&out, 3));
    assert_false(PROTO_HAS(&out, 4));
    strbuf_fini(&body);
}

static void test_present_zero_is_kept(void **state) {
    strbuf_t body = {0};
    proto_join_encode(&(proto_join_t){.present = 1 << 1, .after = 0}, &body);
    proto_join_t out;
    assert_int_equal(proto_join_decode(strbuf_str(&body), *state, &out), OK);
    assert_true(PROTO_HAS(&out, 1));
    strbuf_clear(&body);
    proto_join_encode(&(proto_join_t){0}, &body);
    assert_int_equal(proto_join_decode(strbuf_str(&body), *state, &out), OK);
    assert_false(PROTO_HAS(&out, 1));
    strbuf_fini(&body);
}

static void test_lists(void **state) {
    strbuf_t body = {0};
    proto_rejoin_t in = {
        .sessions = {(const uint64_t[]){1, UINT64_MAX}, 2},
        .users = {(const str_t[]){STR("a"), STR("b")}, 2},
    };
    proto_rejoin_encode(&in, &body);
    proto_rejoin_t out;
    assert_int_equal(proto_rejoin_decode(strbuf_str(&body), *state, &out), OK);
    assert_int_equal(out.sessions.n, 2);
    assert_true(out.sessions.items[1] == UINT64_MAX);
    assert_true(str_eq(out.users.items[1], STR("b")));
    strbuf_fini(&body);
}

static void test_a_stored_body_reads_as_new_message(void **state) {
    strbuf_t body = {0};
    proto_stored_encode(
        &(proto_stored_t){.job = 5, .epoch = 6, .seq = 9, .message = STR("{\"seq\":9}")}, &body);
    proto_new_message_t out;
    assert_int_equal(proto_new_message_decode(strbuf_str(&body), *state, &out), OK);
    assert_int_equal(out.seq, 9);
    assert_true(str_eq(out.message, STR("{\"seq\":9}")));
    strbuf_fini(&body);
    proto_read_marked_encode(&(proto_read_marked_t){.seq = 3, .read_at_ms = 4}, &body);
    proto_read_event_t read_event;
    assert_int_equal(proto_read_event_decode(strbuf_str(&body), *state, &read_event), OK);
    assert_int_equal(read_event.read_at_ms, 4);
    strbuf_fini(&body);
}

static void test_refuses(void **state) {
    proto_typing_t out;
    assert_int_equal(proto_typing_decode(STR("\x81\x01\x01"), *state, &out), OK);
    assert_int_equal(proto_typing_decode(STR("\x82\x01\x01\x3f\x93\x01\x02\x03"), *state, &out),
                     OK);
    assert_int_equal(proto_typing_decode(STR("\x80"), *state, &out), ERR_INVALID);
    assert_int_equal(proto_typing_decode(STR("\x81\x01\x02"), *state, &out), ERR_LIMIT);
    assert_int_equal(proto_typing_decode(STR("\x81\x01\xa1x"), *state, &out), ERR_INVALID);
    assert_int_equal(proto_typing_decode(STR("\x91\x01"), *state, &out), ERR_INVALID);
    assert_int_equal(proto_typing_decode(STR("\x81\x01"), *state, &out), ERR_INVALID);
    assert_int_equal(proto_check(999, STR("\x80"), *state), ERR_INVALID);
    proto_get_user_t nothing;
    assert_int_equal(proto_get_user_decode(STR("\x80"), *state, &nothing), OK);
}

static void test_text_bound(void **state) {
    strbuf_t body = {0};
    char name[257];
    memset(name, 'n', sizeof(name));
    proto_put_user_encode(&(proto_put_user_t){.name = {name, 256}, .role = STR("r")}, &body);
    proto_put_user_t out;
    assert_int_equal(proto_put_user_decode(strbuf_str(&body), *state, &out), OK);
    strbuf_clear(&body);
    proto_put_user_encode(&(proto_put_user_t){.name = {name, 257}, .role = STR("r")}, &body);
    assert_int_equal(proto_put_user_decode(strbuf_str(&body), *state, &out), ERR_LIMIT);
    strbuf_fini(&body);
}

static void test_directions(void **state) {
    (void)state;
    assert_true(proto_allowed(MSG_SEND, ROLE_GATEWAY, ROLE_BROKER));
    assert_true(proto_allowed(MSG_SEND, ROLE_BROKER, ROLE_PERSIST));
    assert_false(proto_allowed(MSG_SEND, ROLE_AUTH, ROLE_BROKER));
    assert_false(proto_allowed(MSG_STORED, ROLE_GATEWAY, ROLE_BROKER));
    assert_false(proto_allowed(200, ROLE_GATEWAY, ROLE_BROKER));
    assert_string_equal(proto_name(MSG_SEND), "SEND");
    assert_null(proto_name(0));
    assert_string_equal(code_name(CODE_RATE_LIMITED), "rate_limited");
    assert_string_equal(code_name(999), "internal");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send_round_trip),
        cmocka_unit_test(test_present_zero_is_kept),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_a_stored_body_reads_as_new_message),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_text_bound),
        cmocka_unit_test(test_directions),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
