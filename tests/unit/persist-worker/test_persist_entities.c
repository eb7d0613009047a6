/* entities: the JSON, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "persist-worker/entities.h"

static strbuf_t out;

static void assert_out(const char *wanted) {
    assert_string_equal(strbuf_cstr(&out), wanted);
    strbuf_fini(&out);
}

static const message_t sample = {
    .id = {{0x01, 0x90, 0xa0, 0xb0, 0, 1, 0x70, 2, 0x80, 3, 4, 5, 6, 7, 8, 9}},
    .conversation_id = {"conv_1_2", 8},
    .seq = 41,
    .sender_id = {"1", 1},
    .text = {"a \"b\"\n\x01 \xc3\xa9", 10},
    .client_id = {"c\\1", 3},
    .created_at_ms = 1767225600123,
};

static void test_message(void **state) {
    (void)state;
    entities_append_message(&out, &sample);
    assert_out("{\"id\":\"0190a0b0-0001-7002-8003-040506070809\",\"conversationId\":\"conv_1_2\","
               "\"seq\":41,\"senderId\":\"1\",\"text\":\"a \\\"b\\\"\\n\\u0001 \xc3\xa9\","
               "\"clientId\":\"c\\\\1\",\"createdAt\":\"2026-01-01T00:00:00.123Z\"}");
}

static void test_message_with_everything(void **state) {
    (void)state;
    message_t message = sample;
    message.reply_to = 40;
    message.edited_at_ms = 1767225601000;
    message.deleted_at_ms = 1767225602000;
    entities_append_message(&out, &message);
    assert_non_null(
        strstr(strbuf_cstr(&out), "\"clientId\":\"c\\\\1\",\"replyTo\":40,\"createdAt\""));
    assert_non_null(strstr(strbuf_cstr(&out), "\"editedAt\":\"2026-01-01T00:00:01.000Z\","
                                              "\"deletedAt\":\"2026-01-01T00:00:02.000Z\"}"));
    strbuf_fini(&out);
}

static void test_people(void **state) {
    (void)state;
    participant_t participant = {
        .id = STR("1"), .name = STR("Ann \"A\""), .role = STR("customer"), .last_read_seq = 7};
    entities_append_participant(&out, &participant);
    assert_out("{\"id\":\"1\",\"name\":\"Ann \\\"A\\\"\",\"role\":\"customer\",\"lastReadSeq\":7,"
               "\"lastSeenAt\":null}");
    participant.last_seen_at_ms = 1767225600000;
    entities_append_participant(&out, &participant);
    assert_non_null(strstr(strbuf_cstr(&out), "\"lastSeenAt\":\"2026-01-01T00:00:00.000Z\"}"));
    strbuf_fini(&out);
    entities_append_user(&out, STR("1"), STR("Ann"), STR("service"));
    assert_out("{\"id\":\"1\",\"name\":\"Ann\",\"role\":\"service\"}");
}

static void test_conversations(void **state) {
    (void)state;
    conversation_t direct = {.id = STR("conv_1_2"), .created_at_ms = 1767225600000};
    conversation_t group = {
        .id = STR("group_x"),
        .is_group = true,
        .title = STR("A \"T\""),
        .creator_id = STR("1"),
    };
    entities_append_conversation(&out, &direct);
    assert_out(
        "{\"id\":\"conv_1_2\",\"kind\":\"direct\",\"createdAt\":\"2026-01-01T00:00:00.000Z\"}");
    entities_append_conversation(&out, &group);
    assert_out(
        "{\"id\":\"group_x\",\"kind\":\"group\",\"title\":\"A \\\"T\\\"\",\"creatorId\":\"1\"}");
    conversation_view_t view = {.participants = STR("[1]"), .unread_count = 3};
    entities_append_conversation_view(&out, &direct, &view);
    assert_out("{\"id\":\"conv_1_2\",\"kind\":\"direct\",\"participants\":[1],\"lastMessage\":null,"
               "\"unreadCount\":3,\"createdAt\":\"2026-01-01T00:00:00.000Z\"}");
    view.last_message = STR("{}");
    entities_append_conversation_view(&out, &group, &view);
    assert_out(
        "{\"id\":\"group_x\",\"kind\":\"group\",\"title\":\"A \\\"T\\\"\",\"creatorId\":\"1\","
        "\"participants\":[1],\"lastMessage\":{},\"unreadCount\":3}");
}

static void test_events(void **state) {
    (void)state;
    entities_append_update(&out, STR("conv_1_2"), STR("{\"seq\":1}"), 0);
    assert_out("{\"conversationId\":\"conv_1_2\",\"lastMessage\":{\"seq\":1},\"unreadCount\":0}");
    entities_append_removal(&out, STR("group_x"));
    assert_out("{\"conversationId\":\"group_x\"}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message), cmocka_unit_test(test_message_with_everything),
        cmocka_unit_test(test_people),  cmocka_unit_test(test_conversations),
        cmocka_unit_test(test_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
