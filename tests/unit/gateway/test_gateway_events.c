/* events: the table and the payload rules, at and beyond every bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/strbuf.h"
#include "gateway/events.h"
#include "proto/proto.h"

static const struct {
    event_kind_t kind;
    const char *payload;
    const char *fault; /* NULL: accepted */
} cases[] = {
    {EVENT_JOIN_CONVERSATION, "\"conv_1_2\"", NULL},
    {EVENT_JOIN_CONVERSATION, "{\"conversationId\":\"conv_1_2\"}", NULL},
    {EVENT_JOIN_CONVERSATION, "{\"conversationId\":\"conv_1_2\",\"after\":0}", NULL},
    {EVENT_JOIN_CONVERSATION, "{\"conversationId\":\"conv_1_2\",\"after\":null}", NULL},
    {EVENT_JOIN_CONVERSATION, "{\"conversationId\":\"conv_1_2\",\"after\":9223372036854775807}",
     NULL},
    {EVENT_JOIN_CONVERSATION, "{\"conversationId\":\"conv_1_2\",\"after\":9223372036854775808}",
     "payload is not acceptable JSON"},
    {EVENT_JOIN_CONVERSATION, "{\"conversationId\":\"conv_1_2\",\"after\":-1}",
     "after is out of range"},
    {EVENT_JOIN_CONVERSATION, "{\"conversationId\":\"conv_1_2\",\"after\":1.5}",
     "after is of the wrong type"},
    {EVENT_JOIN_CONVERSATION, "{\"conversationId\":\"conv_1_2\",\"after\":\"1\"}",
     "after is of the wrong type"},
    {EVENT_JOIN_CONVERSATION, "\"group_01890a5d-ac96-774b-bcce-b302099a8057\"", NULL},
    {EVENT_JOIN_CONVERSATION, "\"group_01890A5D-AC96-774B-BCCE-B302099A8057\"",
     "conversationId is not a conversation's id"},
    {EVENT_JOIN_CONVERSATION, "\"conv_2_1\"", "conversationId is not a conversation's id"},
    {EVENT_JOIN_CONVERSATION, "\"conv_1_1\"", "conversationId is not a conversation's id"},
    {EVENT_JOIN_CONVERSATION, "\"user_1\"", "conversationId is not a conversation's id"},
    {EVENT_JOIN_CONVERSATION, "\"\"", "conversationId is out of range"},
    {EVENT_JOIN_CONVERSATION, "5", "conversationId is of the wrong type"},
    {EVENT_JOIN_CONVERSATION, "null", "conversationId is missing"},
    {EVENT_JOIN_CONVERSATION, "[]", "conversationId is of the wrong type"},
    {EVENT_JOIN_CONVERSATION, "{}", "conversationId is missing"},
    {EVENT_LEAVE_CONVERSATION, "\"conv_1_2\"", NULL},
    {EVENT_LEAVE_CONVERSATION, "{\"conversationId\":\"conv_1_2\"}", NULL},
    {EVENT_SEND_MESSAGE, "{\"conversationId\":\"conv_1_2\",\"text\":\"x\",\"more\":[1,{}]}", NULL},
    {EVENT_SEND_MESSAGE, "\"conv_1_2\"", "payload must be an object"},
    {EVENT_SEND_MESSAGE, "{\"conversationId\":\"conv_1_2\"}", "text is missing"},
    {EVENT_SEND_MESSAGE, "{\"conversationId\":\"conv_1_2\",\"text\":null}", "text is missing"},
    {EVENT_SEND_MESSAGE, "{\"conversationId\":\"conv_1_2\",\"text\":\"\"}", "text is out of range"},
    {EVENT_SEND_MESSAGE, "{\"conversationId\":\"conv_1_2\",\"text\":true}",
     "text is of the wrong type"},
    {EVENT_SEND_MESSAGE, "{\"conversationId\":\"conv_1_2\",\"text\":\"a\\u0000b\"}",
     "payload is not acceptable JSON"},
    {EVENT_SEND_MESSAGE, "{\"conversationId\":\"conv_1_2\",\"text\":\"\\ud800\"}",
     "payload is not acceptable JSON"},
    {EVENT_SEND_MESSAGE, "{\"text\":\"a\",\"text\":\"b\"}", "payload is not acceptable JSON"},
    {EVENT_SEND_MESSAGE, "{\"conversationId\":\"conv_1_2\",\"text\":\"x\",\"replyTo\":0}",
     "replyTo is out of range"},
    {EVENT_SEND_MESSAGE, "{\"conversationId\":\"conv_1_2\",\"text\":\"x\",\"replyTo\":1}", NULL},
    {EVENT_SEND_MESSAGE, "{\"conversationId\":\"conv_1_2\",\"text\":\"x\",\"clientId\":\"\"}",
     "clientId is out of range"},
    {EVENT_SEND_MESSAGE, "{\"conversationId\":\"conv_1_2\",\"text\":\"x\",\"clientId\":7}",
     "clientId is of the wrong type"},
    {EVENT_TYPING, "{\"conversationId\":\"conv_1_2\"}", NULL},
    {EVENT_TYPING, "\"conv_1_2\"", "payload must be an object"},
    {EVENT_STOP_TYPING, "{}", "conversationId is missing"},
    {EVENT_MARK_READ, "{\"conversationId\":\"conv_1_2\"}", NULL},
    {EVENT_MARK_READ, "{\"conversationId\":\"conv_1_2\",\"seq\":1}", NULL},
    {EVENT_MARK_READ, "{\"conversationId\":\"conv_1_2\",\"seq\":0}", "seq is out of range"},
    {EVENT_REFRESH_TOKEN, "{\"token\":\"x\"}", NULL},
    {EVENT_REFRESH_TOKEN, "{}", "token is missing"},
    {EVENT_UNKNOWN, "{}", "event is unknown"},
};

static void test_rules(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char array[300];
        event_payload_t payload;
        event_fault_t fault;
        snprintf(array, sizeof(array), "[\"x\",%s,\"ignored\"]", cases[i].payload);
        err_t err = events_decode(cases[i].kind, str_from(array), &payload, &fault);
        if (cases[i].fault) {
            assert_int_equal(err, ERR_INVALID);
            assert_string_equal(fault.text, cases[i].fault);
        } else {
            if (err)
                fail_msg("%s: %s", cases[i].payload, fault.text);
            events_payload_fini(&payload);
        }
    }
}

static void test_no_payload(void **state) {
    (void)state;
    event_payload_t payload;
    event_fault_t fault;
    assert_int_equal(events_decode(EVENT_TYPING, STR("[\"typing\"]"), &payload, &fault),
                     ERR_INVALID);
    assert_int_equal(
        events_decode(EVENT_JOIN_CONVERSATION, STR("[\"join_conversation\"]"), &payload, &fault),
        ERR_INVALID);
}

/* `count` times the character, as a member. */
static err_t decode_long(const char *member, const char *character, size_t count) {
    strbuf_t array = {0};
    event_payload_t payload;
    event_fault_t fault;
    strbuf_printf(&array, "[\"x\",{\"conversationId\":\"conv_1_2\",%s\"%s\":\"",
                  strcmp(member, "text") == 0 ? "" : "\"text\":\"x\",", member);
    for (size_t i = 0; i < count; i++)
        strbuf_append(&array, str_from(character));
    strbuf_append(&array, STR("\"}]"));
    err_t err = events_decode(EVENT_SEND_MESSAGE, strbuf_str(&array), &payload, &fault);
    if (!err)
        events_payload_fini(&payload);
    strbuf_fini(&array);
    return err;
}

static void test_lengths_count_characters(void **state) {
    (void)state;
    static const char *const characters[] = {"x", "ü", "😀"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(decode_long("text", characters[i], EVENTS_TEXT_MAX), OK);
        assert_int_equal(decode_long("text", characters[i], EVENTS_TEXT_MAX + 1), ERR_INVALID);
        assert_int_equal(decode_long("clientId", characters[i], EVENTS_CLIENT_ID_MAX), OK);
        assert_int_equal(decode_long("clientId", characters[i], EVENTS_CLIENT_ID_MAX + 1),
                         ERR_INVALID);
    }
}

static void test_fields(void **state) {
    (void)state;
    event_payload_t payload;
    event_fault_t fault;
    assert_int_equal(events_decode(EVENT_SEND_MESSAGE,
                                   STR("[\"x\",{\"conversationId\":\"conv_1_2\",\"text\":\"a\\n\","
                                       "\"clientId\":\"k\",\"replyTo\":7}]"),
                                   &payload, &fault),
                     OK);
    assert_true(str_eq(payload.conversation_id, STR("conv_1_2")));
    assert_true(str_eq(payload.text, STR("a\n")));
    assert_true(str_eq(payload.client_id, STR("k")));
    assert_int_equal(payload.reply_to, 7);
    assert_int_equal(payload.present,
                     FIELD_CONVERSATION_ID | FIELD_TEXT | FIELD_CLIENT_ID | FIELD_REPLY_TO);
    events_payload_fini(&payload);
    assert_null(payload.doc);
}

static void test_nesting_is_bounded(void **state) {
    (void)state;
    strbuf_t array = {0};
    event_payload_t payload;
    event_fault_t fault;
    strbuf_append(&array, STR("[\"x\",{\"conversationId\":\"conv_1_2\",\"deep\":"));
    for (int i = 0; i < 100000; i++)
        strbuf_append_char(&array, '[');
    assert_int_equal(events_decode(EVENT_TYPING, strbuf_str(&array), &payload, &fault),
                     ERR_INVALID);
    strbuf_fini(&array);
}

static void test_names(void **state) {
    (void)state;
    for (int kind = 0; kind < EVENT_KINDS; kind++) {
        const event_rule_t *rule = events_rule((event_kind_t)kind);
        assert_int_equal(events_kind(str_from(rule->name)), kind);
        assert_true(proto_allowed(rule->request, ROLE_GATEWAY, ROLE_BROKER));
        assert_true(rule->required != 0);
    }
    assert_int_equal(events_kind(STR("")), EVENT_UNKNOWN);
    assert_int_equal(events_kind(STR("typing\0")), EVENT_UNKNOWN);
    assert_int_equal(events_kind(STR("unknown")), EVENT_UNKNOWN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_no_payload),
        cmocka_unit_test(test_lengths_count_characters),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
