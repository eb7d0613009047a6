/* Any body for any route: refused with a reason, or all of it within its rules. */
#include "common/ids.h"
#include "rest/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_users(const body_user_ids_t *users) {
    ASSERT(users->n <= BODY_USER_IDS_MAX);
    for (size_t i = 0; i < users->n; i++)
        ASSERT(ids_is_user(users->items[i]));
}

static void check_text(str_t text, size_t max) {
    size_t characters = 0;
    ASSERT(str_utf8_length(text, &characters) == OK && characters <= max);
}

static void check_message(const json_value_t *body, str_t key) {
    body_message_t message;
    body_fault_t fault = {0};
    if (body_message(body, key, &message, &fault)) {
        ASSERT(fault.name && fault.problem);
        return;
    }
    ASSERT(!message.conversation_id.n != !message.recipient_id.n);
    check_text(message.text, BODY_TEXT_CHARACTERS_MAX);
    check_text(message.client_id, BODY_CLIENT_ID_CHARACTERS_MAX);
    ASSERT(message.text.n > 0 && message.reply_to <= INT64_MAX);
}

static void check_groups(const json_value_t *body) {
    body_conversation_t conversation;
    body_user_ids_t users;
    body_fault_t fault = {0};
    if (body_conversation(body, STR("me"), &conversation, &fault) == OK) {
        check_users(&conversation.users);
        ASSERT(conversation.users.n >= 1);
        ASSERT(conversation.title.n || conversation.users.n == 1);
        check_text(conversation.title, BODY_TITLE_CHARACTERS_MAX);
    }
    if (body_participants(body, &users, &fault) == OK)
        check_users(&users);
}

static void check_accounts(const json_value_t *body) {
    body_register_t registration;
    body_login_t login;
    body_user_t user;
    body_fault_t fault = {0};
    if (body_register(body, &registration, &fault) == OK) {
        ASSERT(!registration.id.n || ids_is_user(registration.id));
        check_text(registration.name, BODY_NAME_CHARACTERS_MAX);
        ASSERT(registration.password.n <= BODY_PASSWORD_BYTES_MAX);
    }
    if (body_login(body, &login, &fault) == OK)
        ASSERT(ids_is_user(login.id));
    if (body_user(body, &user, &fault) == OK)
        ASSERT(user.role.n >= 1 && user.role.n <= BODY_ROLE_BYTES_MAX);
}

/* The first byte says how many of the next ones are the header Idempotency-Key. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || size - 1 < data[0])
        return 0;
    str_t key = {(const char *)data + 1, data[0]};
    str_t text = {(const char *)data + 1 + key.n, size - 1 - key.n};
    json_doc_t *document = NULL;
    body_fault_t fault = {0};
    if (body_parse(text, &document, &fault)) {
        ASSERT(fault.problem && !document);
        return 0;
    }
    const json_value_t *body = json_doc_root(document);
    body_read_t read;
    check_message(body, key);
    check_groups(body);
    check_accounts(body);
    if (body_read(body, &read, &fault) == OK)
        ASSERT(!read.has_seq || read.seq >= 1);
    json_doc_free(&document);
    return 0;
}
