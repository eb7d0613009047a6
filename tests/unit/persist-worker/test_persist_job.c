/* job: every rule that needs no database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "persist-worker/job.h"

static proto_arena_t *arena;
static strbuf_t body;

static int set_up(void **state) {
    (void)state;
    arena = proto_arena_new();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    proto_arena_free(&arena);
    strbuf_fini(&body);
    return 0;
}

/* What job_check says to a request with `body`, which is cleared. */
static code_t check(uint16_t type, const char *room, const char *user) {
    envelope_t envelope = {.type = type,
                           .room = str_from(room),
                           .user = str_from(user),
                           .request_id = 1,
                           .body = strbuf_str(&body)};
    job_t *job = job_new(&envelope, 0, 1, 100, 15000);
    const char *why = NULL;
    assert_int_equal(job->deadline.at_ms, 15100);
    code_t code = job_check(job, arena, &why);
    assert_true(code == CODE_OK || why);
    job_free(&job);
    strbuf_clear(&body);
    return code;
}

static code_t check_send(proto_send_t send) {
    proto_send_encode(&send, &body);
    return check(MSG_SEND, "conv_1_2", "1");
}

static str_t repeat(char *memory, const char *character, size_t times) {
    size_t n = strlen(character);
    for (size_t i = 0; i < times; i++)
        memcpy(memory + i * n, character, n);
    return (str_t){memory, n * times};
}

static void test_send(void **state) {
    (void)state;
    static char memory[40000];
    proto_send_t good = {.text = STR("x"), .client_id = STR("c")};
    proto_send_t send = good;
    assert_int_equal(check_send(good), CODE_OK);
    send.text = repeat(memory, "\xf0\x9f\x98\x80", 8000);
    assert_int_equal(check_send(send), CODE_OK);
    send.text = repeat(memory, "a", 8001);
    assert_int_equal(check_send(send), CODE_INVALID_PAYLOAD);
    send.text = STR("");
    assert_int_equal(check_send(send), CODE_INVALID_PAYLOAD);
    send.text = STR("a\0b");
    assert_int_equal(check_send(send), CODE_INVALID_PAYLOAD);
    send.text = STR("\xed\xa0\x80"); /* a surrogate */
    assert_int_equal(check_send(send), CODE_INVALID_PAYLOAD);
    send = good;
    send.client_id = repeat(memory, "\xc3\xa9", 64);
    assert_int_equal(check_send(send), CODE_OK);
    send.client_id = repeat(memory, "a", 65);
    assert_int_equal(check_send(send), CODE_INVALID_PAYLOAD);
    send = good;
    send.present = 1 << 3;
    assert_int_equal(check_send(send), CODE_INVALID_PAYLOAD); /* replyTo 0 */
    send.reply_to = 1;
    assert_int_equal(check_send(send), CODE_OK);
    send = good;
    send.name = STR("\xff");
    assert_int_equal(check_send(send), CODE_INVALID_PAYLOAD);
    strbuf_append(&body, STR("rubbish"));
    assert_int_equal(check(MSG_SEND, "conv_1_2", "1"), CODE_INVALID_PAYLOAD);
}

static void test_rooms_and_users(void **state) {
    (void)state;
    static const struct {
        const char *room, *user;
        code_t code;
    } cases[] = {
        {"conv_1_2", "2", CODE_OK},
        {"conv_1_2", "3", CODE_FORBIDDEN},
        {"conv_2_1", "1", CODE_INVALID_PAYLOAD},
        {"user_1", "1", CODE_INVALID_PAYLOAD},
        {"", "1", CODE_INVALID_PAYLOAD},
        {"group_0190a0b0-0001-7002-8003-040506070809", "3", CODE_OK},
        {"group_1", "3", CODE_INVALID_PAYLOAD},
        {"conv_1_2", "", CODE_INVALID_PAYLOAD},
        {"conv_1_2", "a_b", CODE_INVALID_PAYLOAD},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        proto_mark_read_encode(&(proto_mark_read_t){0}, &body);
        assert_int_equal(check(MSG_MARK_READ, cases[i].room, cases[i].user), cases[i].code);
    }
}

static void test_users_own_rooms(void **state) {
    (void)state;
    proto_user_seen_encode(&(proto_user_seen_t){.name = STR("Ann")}, &body);
    assert_int_equal(check(MSG_USER_SEEN, "user_1", "1"), CODE_OK);
    proto_user_seen_encode(&(proto_user_seen_t){.name = STR("Ann")}, &body);
    assert_int_equal(check(MSG_USER_SEEN, "user_1", "2"), CODE_FORBIDDEN);
    proto_list_conversations_encode(&(proto_list_conversations_t){.limit = 50}, &body);
    assert_int_equal(check(MSG_LIST_CONVERSATIONS, "user_1", "2"), CODE_FORBIDDEN);
    proto_list_conversations_encode(&(proto_list_conversations_t){.limit = 200}, &body);
    assert_int_equal(check(MSG_LIST_CONVERSATIONS, "user_1", "1"), CODE_OK);
    proto_list_conversations_encode(&(proto_list_conversations_t){.limit = 0}, &body);
    assert_int_equal(check(MSG_LIST_CONVERSATIONS, "user_1", "1"), CODE_INVALID_PAYLOAD);
    proto_changes_encode(&(proto_changes_t){.since_ms = 1}, &body);
    assert_int_equal(check(MSG_CHANGES, "user_1", "1"), CODE_OK);
    proto_changes_encode(&(proto_changes_t){.since_ms = 1}, &body);
    assert_int_equal(check(MSG_CHANGES, "user_1", "2"), CODE_FORBIDDEN);
    proto_changes_encode(&(proto_changes_t){.since_ms = 1}, &body);
    assert_int_equal(check(MSG_CHANGES, "conv_1_2", "1"), CODE_INVALID_PAYLOAD);
    proto_put_user_encode(&(proto_put_user_t){.name = STR("A"), .role = STR("r")}, &body);
    assert_int_equal(check(MSG_PUT_USER, "user_1", "service"), CODE_OK);
    proto_put_user_encode(&(proto_put_user_t){.name = STR(""), .role = STR("r")}, &body);
    assert_int_equal(check(MSG_PUT_USER, "user_1", "service"), CODE_INVALID_PAYLOAD);
}

static code_t check_create(const char *room, size_t n, str_t user, str_t title) {
    str_t users[101];
    for (size_t i = 0; i < n; i++)
        users[i] = user;
    proto_create_conversation_t create = {.users = {users, n}, .title = title};
    proto_create_conversation_encode(&create, &body);
    return check(MSG_CREATE_CONVERSATION, room, "1");
}

static void test_create(void **state) {
    (void)state;
    static char memory[1000];
    const char *group = "group_0190a0b0-0001-7002-8003-040506070809";
    assert_int_equal(check_create("conv_1_2", 1, STR("2"), STR("")), CODE_OK);
    assert_int_equal(check_create("conv_1_2", 1, STR("3"), STR("")), CODE_INVALID_PAYLOAD);
    assert_int_equal(check_create("conv_1_2", 2, STR("2"), STR("")), CODE_INVALID_PAYLOAD);
    assert_int_equal(check_create(group, 100, STR("2"), STR("T")), CODE_OK);
    assert_int_equal(check_create(group, 101, STR("2"), STR("T")), CODE_INVALID_PAYLOAD);
    assert_int_equal(check_create(group, 0, STR("2"), STR("T")), CODE_INVALID_PAYLOAD);
    assert_int_equal(check_create(group, 1, STR("a_b"), STR("T")), CODE_INVALID_PAYLOAD);
    assert_int_equal(check_create(group, 1, STR("2"), STR("")), CODE_INVALID_PAYLOAD);
    assert_int_equal(check_create(group, 1, STR("2"), repeat(memory, "\xc3\xa9", 200)), CODE_OK);
    assert_int_equal(check_create(group, 1, STR("2"), repeat(memory, "a", 201)),
                     CODE_INVALID_PAYLOAD);
}

static void test_members(void **state) {
    (void)state;
    const char *group = "group_0190a0b0-0001-7002-8003-040506070809";
    str_t users[] = {STR("2")};
    proto_add_participants_t add = {.users = {users, 1}};
    proto_add_participants_encode(&add, &body);
    assert_int_equal(check(MSG_ADD_PARTICIPANTS, group, "1"), CODE_OK);
    proto_add_participants_encode(&add, &body);
    assert_int_equal(check(MSG_ADD_PARTICIPANTS, "conv_1_2", "1"), CODE_INVALID_PAYLOAD);
    proto_add_participants_encode(&add, &body);
    assert_int_equal(check(MSG_ADD_PARTICIPANTS, "conv_1_2", "3"), CODE_FORBIDDEN);
    proto_remove_participant_encode(&(proto_remove_participant_t){.target = STR("2")}, &body);
    assert_int_equal(check(MSG_REMOVE_PARTICIPANT, group, "1"), CODE_OK);
    proto_remove_participant_encode(&(proto_remove_participant_t){.target = STR("")}, &body);
    assert_int_equal(check(MSG_REMOVE_PARTICIPANT, group, "1"), CODE_INVALID_PAYLOAD);
}

static void test_reads(void **state) {
    (void)state;
    proto_history_encode(&(proto_history_t){.limit = 500}, &body);
    assert_int_equal(check(MSG_HISTORY, "conv_1_2", "1"), CODE_OK);
    proto_history_encode(&(proto_history_t){.limit = 5}, &body);
    assert_int_equal(check(MSG_HISTORY, "conv_1_2", "3"), CODE_FORBIDDEN);
    proto_history_encode(&(proto_history_t){.limit = 5, .trusted = 1}, &body);
    assert_int_equal(check(MSG_HISTORY, "conv_1_2", ""), CODE_OK);
    proto_join_encode(&(proto_join_t){0}, &body);
    assert_int_equal(check(MSG_JOIN, "conv_1_2", "3"), CODE_FORBIDDEN);
    str_t rooms[] = {STR("conv_1_2"), STR("user_1")};
    proto_heads_encode(&(proto_heads_t){.rooms = {rooms, 1}}, &body);
    assert_int_equal(check(MSG_HEADS, "", ""), CODE_OK);
    proto_heads_encode(&(proto_heads_t){.rooms = {rooms, 2}}, &body);
    assert_int_equal(check(MSG_HEADS, "", ""), CODE_INVALID_PAYLOAD);
    str_t users[] = {STR("1"), STR("2")};
    uint64_t at_ms[] = {1};
    proto_last_seen_encode(&(proto_last_seen_t){.users = {users, 2}, .at_ms = {at_ms, 1}}, &body);
    assert_int_equal(check(MSG_LAST_SEEN, "", ""), CODE_INVALID_PAYLOAD);
}

static void test_digests(void **state) {
    (void)state;
    const char *clients[] = {"a", "a", "b"};
    uint64_t digests[3];
    for (size_t i = 0; i < 3; i++) {
        const char *why;
        proto_send_t send = {.text = STR("x"), .client_id = str_from(clients[i])};
        strbuf_clear(&body);
        proto_send_encode(&send, &body);
        envelope_t envelope = {
            .type = MSG_SEND, .room = STR("conv_1_2"), .user = STR("1"), .body = strbuf_str(&body)};
        job_t *job = job_new(&envelope, 0, 1, 0, 1);
        assert_int_equal(job_check(job, arena, &why), CODE_OK);
        digests[i] = job->digest;
        job_free(&job);
    }
    assert_true(digests[0] == digests[1]);
    assert_true(digests[0] != digests[2]);
}

static void test_looking_again(void **state) {
    (void)state;
    job_t *job = job_new(&(envelope_t){.type = MSG_JOIN}, 0, 1, 0, 1);
    assert_int_equal(job_look_again(job, 5000), 5000 + PARTNER_RETRY_MS);
    assert_int_equal(job_look_again(job, 5999), 5999 + PARTNER_RETRY_MS);
    assert_int_equal(job_look_again(job, 6000), 0);
    job_free(&job);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_send),    TEST(test_rooms_and_users), TEST(test_users_own_rooms),
        TEST(test_create),  TEST(test_members),         TEST(test_reads),
        TEST(test_digests), TEST(test_looking_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
