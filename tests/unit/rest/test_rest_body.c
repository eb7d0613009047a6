/* body: what each route takes, and every way to get it wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/strbuf.h"
#include "rest/body.h"

#define assert_str(actual, expected) assert_true(str_eq(actual, str_from(expected)))
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static json_doc_t *parse(const char *text) {
    json_doc_t *document = NULL;
    body_fault_t fault;
    assert_int_equal(body_parse(str_from(text), &document, &fault), OK);
    return document;
}

static void test_parse(void **state) {
    (void)state;
    static const char *const bad[] = {"[]",
                                      "5",
                                      "\"x\"",
                                      "null",
                                      "{",
                                      "{}x",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"a\":\"\\u0000\"}",
                                      "{\"a\":\"\\ud800\"}",
                                      "\xff",
                                      " "};
    json_doc_t *document = parse("");
    assert_true(json_value_is_object(json_doc_root(document)));
    json_doc_free(&document);
    for (size_t i = 0; i < COUNT(bad); i++) {
        body_fault_t fault = {0};
        assert_int_equal(body_parse(str_from(bad[i]), &document, &fault), ERR_INVALID);
        assert_non_null(fault.problem);
        assert_null(document);
    }
}

static void test_parse_limits(void **state) {
    (void)state;
    strbuf_t text = {0};
    json_doc_t *document = NULL;
    body_fault_t fault;
    strbuf_append(&text, STR("{\"a\":"));
    for (size_t i = 0; i < BODY_JSON_DEPTH_MAX; i++)
        strbuf_append_char(&text, '[');
    assert_int_equal(body_parse(strbuf_str(&text), &document, &fault), ERR_INVALID);
    assert_non_null(strstr(fault.problem, "deep"));
    strbuf_clear(&text);
    strbuf_append(&text, STR("{\"a\":[1"));
    for (size_t i = 0; i < BODY_JSON_VALUES_MAX; i++)
        strbuf_append(&text, STR(",1"));
    strbuf_append(&text, STR("]}"));
    assert_int_equal(body_parse(strbuf_str(&text), &document, &fault), ERR_INVALID);
    strbuf_fini(&text);
}

static void test_register(void **state) {
    (void)state;
    body_register_t body;
    body_fault_t fault;
    json_doc_t *document =
        parse("{\"id\":\"a.b\",\"name\":\"\xc3\x84nne O'B\",\"password\":\"pa\xc3\x9f word\","
              "\"role\":\"customer\",\"extra\":[]}");
    assert_int_equal(body_register(json_doc_root(document), &body, &fault), OK);
    assert_str(body.id, "a.b");
    assert_str(body.name, "\xc3\x84nne O'B");
    assert_str(body.password, "pa\xc3\x9f word");
    assert_str(body.role, "customer");
    json_doc_free(&document);
    document = parse("{\"id\":null,\"name\":\"A\",\"password\":\"12345678\",\"role\":\"x-y\"}");
    assert_int_equal(body_register(json_doc_root(document), &body, &fault), OK);
    assert_int_equal(body.id.n, 0);
    json_doc_free(&document);
}

/* A body and the member that is to blame. */
typedef struct {
    const char *text;
    const char *name;
} wrong_t;

static void test_register_refused(void **state) {
    (void)state;
    static const wrong_t wrong[] = {
        {"{}", "name"},
        {"{\"id\":\"a_b\",\"name\":\"A\",\"password\":\"12345678\",\"role\":\"x\"}", "id"},
        {"{\"id\":\"\",\"name\":\"A\",\"password\":\"12345678\",\"role\":\"x\"}", "id"},
        {"{\"id\":5,\"name\":\"A\",\"password\":\"12345678\",\"role\":\"x\"}", "id"},
        {"{\"name\":\"\",\"password\":\"12345678\",\"role\":\"x\"}", "name"},
        {"{\"name\":\"a\\nb\",\"password\":\"12345678\",\"role\":\"x\"}", "name"},
        {"{\"name\":\"A\",\"role\":\"x\"}", "password"},
        {"{\"name\":\"A\",\"password\":7,\"role\":\"x\"}", "password"},
        {"{\"name\":\"A\",\"password\":\"12345678\"}", "role"},
        {"{\"name\":\"A\",\"password\":\"12345678\",\"role\":\"two words\"}", "role"},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        body_register_t body;
        body_fault_t fault;
        json_doc_t *document = parse(wrong[i].text);
        assert_int_equal(body_register(json_doc_root(document), &body, &fault), ERR_INVALID);
        assert_string_equal(fault.name, wrong[i].name);
        json_doc_free(&document);
    }
}

/* Appends `unit` so many times. */
static void repeat(strbuf_t *out, const char *unit, size_t times) {
    for (size_t i = 0; i < times; i++)
        strbuf_append(out, str_from(unit));
}

/* Is a login with a password of so many units accepted? */
static bool login_accepts(const char *unit, size_t times) {
    strbuf_t text = {0};
    body_login_t body;
    body_fault_t fault;
    strbuf_append(&text, STR("{\"id\":\"a\",\"password\":\""));
    repeat(&text, unit, times);
    strbuf_append(&text, STR("\"}"));
    json_doc_t *document = parse(strbuf_cstr(&text));
    bool accepted = body_login(json_doc_root(document), &body, &fault) == OK;
    json_doc_free(&document);
    strbuf_fini(&text);
    return accepted;
}

static void test_login(void **state) {
    (void)state;
    assert_true(login_accepts("x", 1));
    assert_true(login_accepts("x", BODY_PASSWORD_BYTES_MAX));
    assert_false(login_accepts("x", BODY_PASSWORD_BYTES_MAX + 1));
    assert_false(login_accepts("\xc3\xa4", BODY_PASSWORD_BYTES_MAX / 2 + 1));
    assert_false(login_accepts("", 0));
}

static void test_user(void **state) {
    (void)state;
    body_user_t body;
    body_fault_t fault;
    strbuf_t text = {0};
    strbuf_append(&text, STR("{\"role\":\"service\",\"name\":\""));
    repeat(&text, "\xf0\x9f\x98\x80", BODY_NAME_CHARACTERS_MAX);
    strbuf_append(&text, STR("\"}"));
    json_doc_t *document = parse(strbuf_cstr(&text));
    assert_int_equal(body_user(json_doc_root(document), &body, &fault), OK);
    assert_str(body.role, "service");
    json_doc_free(&document);
    text.n -= 2;
    strbuf_append(&text, STR("x\"}"));
    document = parse(strbuf_cstr(&text));
    assert_int_equal(body_user(json_doc_root(document), &body, &fault), ERR_INVALID);
    json_doc_free(&document);
    strbuf_fini(&text);
}

static err_t conversation(const char *text, json_doc_t **document, body_conversation_t *out) {
    body_fault_t fault;
    *document = parse(text);
    return body_conversation(json_doc_root(*document), STR("me"), out, &fault);
}

static void test_conversation(void **state) {
    (void)state;
    body_conversation_t body;
    json_doc_t *document;
    assert_int_equal(conversation("{\"userId\":\"2\",\"title\":null}", &document, &body), OK);
    assert_int_equal(body.title.n, 0);
    assert_int_equal(body.users.n, 1);
    assert_str(body.users.items[0], "2");
    json_doc_free(&document);
    assert_int_equal(
        conversation("{\"title\":\"T\",\"userIds\":[\"a\",\"me\",\"b\",\"a\"],\"userId\":null}",
                     &document, &body),
        OK);
    assert_str(body.title, "T");
    assert_int_equal(body.users.n, 2);
    assert_str(body.users.items[0], "a");
    assert_str(body.users.items[1], "b");
    json_doc_free(&document);
}

static void test_conversation_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"userId\":\"me\"}",
        "{\"userId\":\"a_b\"}",
        "{\"userId\":2}",
        "{\"userId\":\"2\",\"title\":\"T\"}",
        "{\"userId\":\"2\",\"userIds\":[\"3\"]}",
        "{\"title\":\"T\"}",
        "{\"userIds\":[\"a\"]}",
        "{\"title\":\"\",\"userIds\":[\"a\"]}",
        "{\"title\":5,\"userIds\":[\"a\"]}",
        "{\"title\":\"T\",\"userIds\":[]}",
        "{\"title\":\"T\",\"userIds\":[\"me\"]}",
        "{\"title\":\"T\",\"userIds\":\"a\"}",
        "{\"title\":\"T\",\"userIds\":[\"a\",5]}",
        "{\"title\":\"T\",\"userIds\":[\"a\",\"\"]}",
        "{\"title\":\"T\",\"userIds\":{\"0\":\"a\"}}",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        body_conversation_t body;
        json_doc_t *document;
        assert_int_equal(conversation(bad[i], &document, &body), ERR_INVALID);
        json_doc_free(&document);
    }
}

/* Is a group with a title of so many characters and so many users accepted? */
static bool group_accepts(size_t characters, size_t users) {
    strbuf_t text = {0};
    body_conversation_t body;
    json_doc_t *document;
    strbuf_append(&text, STR("{\"title\":\""));
    repeat(&text, "\xc3\xa4", characters);
    strbuf_append(&text, STR("\",\"userIds\":["));
    for (size_t i = 0; i < users; i++)
        strbuf_printf(&text, "%s\"u%zu\"", i ? "," : "", i);
    strbuf_append(&text, STR("]}"));
    bool accepted = conversation(strbuf_cstr(&text), &document, &body) == OK;
    json_doc_free(&document);
    strbuf_fini(&text);
    return accepted;
}

static void test_group_limits(void **state) {
    (void)state;
    assert_true(group_accepts(BODY_TITLE_CHARACTERS_MAX, BODY_USER_IDS_MAX));
    assert_false(group_accepts(BODY_TITLE_CHARACTERS_MAX + 1, 1));
    assert_false(group_accepts(1, BODY_USER_IDS_MAX + 1));
}

static void test_participants(void **state) {
    (void)state;
    body_user_ids_t ids;
    body_fault_t fault;
    json_doc_t *document = parse("{\"userIds\":[\"a\",\"b\",\"a\"]}");
    assert_int_equal(body_participants(json_doc_root(document), &ids, &fault), OK);
    assert_int_equal(ids.n, 2);
    json_doc_free(&document);
    document = parse("{}");
    assert_int_equal(body_participants(json_doc_root(document), &ids, &fault), ERR_INVALID);
    assert_string_equal(fault.problem, "is missing");
    json_doc_free(&document);
}

static err_t message(const char *text, const char *key, json_doc_t **document,
                     body_message_t *out) {
    body_fault_t fault;
    *document = parse(text);
    return body_message(json_doc_root(*document), str_from(key), out, &fault);
}

static void test_message(void **state) {
    (void)state;
    body_message_t body;
    json_doc_t *document;
    assert_int_equal(message("{\"conversationId\":\"conv_1_2\",\"text\":\"hi\",\"clientId\":\"c\","
                             "\"replyTo\":3}",
                             "", &document, &body),
                     OK);
    assert_str(body.conversation_id, "conv_1_2");
    assert_int_equal(body.recipient_id.n, 0);
    assert_str(body.text, "hi");
    assert_str(body.client_id, "c");
    assert_int_equal(body.reply_to, 3);
    json_doc_free(&document);
    assert_int_equal(message("{\"recipientId\":\"2\",\"text\":\"\\t\",\"conversationId\":null}",
                             "key-1", &document, &body),
                     OK);
    assert_str(body.recipient_id, "2");
    assert_str(body.client_id, "key-1");
    assert_int_equal(body.reply_to, 0);
    json_doc_free(&document);
    assert_int_equal(message("{\"recipientId\":\"2\",\"text\":\"x\",\"clientId\":\"same\"}", "same",
                             &document, &body),
                     OK);
    json_doc_free(&document);
    assert_int_equal(message("{\"recipientId\":\"2\",\"text\":\"x\"}", "", &document, &body), OK);
    assert_int_equal(body.client_id.n, 0);
    json_doc_free(&document);
}

static void test_message_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *key;
    } bad[] = {
        {"{\"text\":\"x\"}", ""},
        {"{\"conversationId\":\"conv_2_1\",\"text\":\"x\"}", ""},
        {"{\"conversationId\":\"conv_1_1\",\"text\":\"x\"}", ""},
        {"{\"conversationId\":\"user_1\",\"text\":\"x\"}", ""},
        {"{\"conversationId\":7,\"text\":\"x\"}", ""},
        {"{\"recipientId\":\"a_b\",\"text\":\"x\"}", ""},
        {"{\"recipientId\":\"2\",\"conversationId\":\"conv_1_2\",\"text\":\"x\"}", ""},
        {"{\"recipientId\":\"2\"}", ""},
        {"{\"recipientId\":\"2\",\"text\":\"\"}", ""},
        {"{\"recipientId\":\"2\",\"text\":5}", ""},
        {"{\"recipientId\":\"2\",\"text\":\"x\",\"clientId\":\"\"}", ""},
        {"{\"recipientId\":\"2\",\"text\":\"x\",\"clientId\":5}", ""},
        {"{\"recipientId\":\"2\",\"text\":\"x\",\"clientId\":\"a\"}", "b"},
        {"{\"recipientId\":\"2\",\"text\":\"x\"}", "\xff"},
        {"{\"recipientId\":\"2\",\"text\":\"x\",\"replyTo\":0}", ""},
        {"{\"recipientId\":\"2\",\"text\":\"x\",\"replyTo\":-1}", ""},
        {"{\"recipientId\":\"2\",\"text\":\"x\",\"replyTo\":1.0}", ""},
        {"{\"recipientId\":\"2\",\"text\":\"x\",\"replyTo\":\"1\"}", ""},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        body_message_t body;
        json_doc_t *document;
        assert_int_equal(message(bad[i].text, bad[i].key, &document, &body), ERR_INVALID);
        json_doc_free(&document);
    }
}

/* Is a message with a text and a key of so many characters accepted? */
static bool message_accepts(size_t text_characters, size_t key_characters) {
    strbuf_t text = {0}, key = {0};
    body_message_t body;
    json_doc_t *document;
    strbuf_append(&text, STR("{\"recipientId\":\"2\",\"text\":\""));
    repeat(&text, "\\ud83d\\ude00", text_characters);
    strbuf_append(&text, STR("\"}"));
    repeat(&key, "\xc3\xa4", key_characters);
    bool accepted = message(strbuf_cstr(&text), strbuf_cstr(&key), &document, &body) == OK;
    json_doc_free(&document);
    strbuf_fini(&text);
    strbuf_fini(&key);
    return accepted;
}

static void test_message_limits(void **state) {
    (void)state;
    assert_true(message_accepts(BODY_TEXT_CHARACTERS_MAX, BODY_CLIENT_ID_CHARACTERS_MAX));
    assert_false(message_accepts(BODY_TEXT_CHARACTERS_MAX + 1, 1));
    assert_false(message_accepts(1, BODY_CLIENT_ID_CHARACTERS_MAX + 1));
}

static void test_read(void **state) {
    (void)state;
    static const char *const bad[] = {"{\"seq\":0}", "{\"seq\":-1}", "{\"seq\":\"1\"}",
                                      "{\"seq\":1.5}", "{\"seq\":[]}"};
    body_read_t body;
    body_fault_t fault;
    json_doc_t *document = parse("{\"seq\":5}");
    assert_int_equal(body_read(json_doc_root(document), &body, &fault), OK);
    assert_true(body.has_seq && body.seq == 5);
    json_doc_free(&document);
    document = parse("{\"seq\":null}");
    assert_int_equal(body_read(json_doc_root(document), &body, &fault), OK);
    assert_false(body.has_seq);
    json_doc_free(&document);
    for (size_t i = 0; i < COUNT(bad); i++) {
        document = parse(bad[i]);
        assert_int_equal(body_read(json_doc_root(document), &body, &fault), ERR_INVALID);
        json_doc_free(&document);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),          cmocka_unit_test(test_parse_limits),
        cmocka_unit_test(test_register),       cmocka_unit_test(test_register_refused),
        cmocka_unit_test(test_login),          cmocka_unit_test(test_user),
        cmocka_unit_test(test_conversation),   cmocka_unit_test(test_conversation_refused),
        cmocka_unit_test(test_group_limits),   cmocka_unit_test(test_participants),
        cmocka_unit_test(test_message),        cmocka_unit_test(test_message_refused),
        cmocka_unit_test(test_message_limits), cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
