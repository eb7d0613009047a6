#include "rest/body.h"

#include "common/ids.h"

#define SEQ_MAX ((uint64_t)INT64_MAX)

static err_t refuse(const char *name, const char *problem, body_fault_t *fault_out) {
    *fault_out = (body_fault_t){name, problem};
    return ERR_INVALID;
}

/* The words for a member that could not be read. */
static err_t refuse_field(const char *name, json_field_t field, body_fault_t *fault_out) {
    switch (field) {
    case JSON_FIELD_OK:
        return OK;
    case JSON_FIELD_MISSING:
        return refuse(name, "is missing", fault_out);
    case JSON_FIELD_WRONG_TYPE:
        return refuse(name, "has the wrong type", fault_out);
    case JSON_FIELD_OUT_OF_RANGE:
        break;
    }
    return refuse(name, "is out of range", fault_out);
}

/* A member that must be there. */
static err_t text_of(const json_value_t *body, const char *name, size_t max, str_t *out,
                     body_fault_t *fault_out) {
    return refuse_field(name, json_get_string(body, name, 1, max, out), fault_out);
}

/* A member that may be absent or null. */
static err_t optional_text_of(const json_value_t *body, const char *name, size_t max, str_t *out,
                              body_fault_t *fault_out) {
    json_field_t field = json_get_string(body, name, 1, max, out);
    return field == JSON_FIELD_MISSING ? OK : refuse_field(name, field, fault_out);
}

/* Is there such a member, not null? */
static bool has(const json_value_t *body, const char *name) {
    str_t ignored;
    return json_get_string(body, name, 0, SIZE_MAX, &ignored) != JSON_FIELD_MISSING;
}

static err_t user_id_of(const json_value_t *body, const char *name, str_t *out,
                        body_fault_t *fault_out) {
    err_t err = text_of(body, name, IDS_USER_MAX, out, fault_out);
    if (err)
        return err;
    return ids_is_user(*out) ? OK : refuse(name, "is not a user id", fault_out);
}

static err_t name_of(const json_value_t *body, str_t *out, body_fault_t *fault_out) {
    err_t err = text_of(body, "name", BODY_NAME_CHARACTERS_MAX, out, fault_out);
    if (err)
        return err;
    for (size_t i = 0; i < out->n; i++) {
        if ((unsigned char)out->p[i] < 0x20 || out->p[i] == 0x7f)
            return refuse("name", "has control characters", fault_out);
    }
    return OK;
}

static bool is_role_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':';
}

static err_t role_of(const json_value_t *body, str_t *out, body_fault_t *fault_out) {
    err_t err = text_of(body, "role", BODY_ROLE_BYTES_MAX, out, fault_out);
    if (err)
        return err;
    for (size_t i = 0; i < out->n; i++) {
        if (!is_role_character(out->p[i]))
            return refuse("role", "is not one word", fault_out);
    }
    return OK;
}

static err_t password_of(const json_value_t *body, str_t *out, body_fault_t *fault_out) {
    err_t err = text_of(body, "password", BODY_PASSWORD_BYTES_MAX, out, fault_out);
    if (err)
        return err;
    return out->n <= BODY_PASSWORD_BYTES_MAX ? OK : refuse("password", "is too long", fault_out);
}

err_t body_parse(str_t text, json_doc_t **doc_out, body_fault_t *fault_out) {
    const json_limits_t limits = {SIZE_MAX, BODY_JSON_DEPTH_MAX, BODY_JSON_VALUES_MAX};
    err_t err = json_doc_new(text.n ? text : STR("{}"), &limits, doc_out);
    if (err == ERR_LIMIT)
        return refuse("", "the body nests too deep or has too many values", fault_out);
    if (err)
        return refuse("", "the body is not JSON", fault_out);
    if (json_value_is_object(json_doc_root(*doc_out)))
        return OK;
    json_doc_free(doc_out);
    return refuse("", "the body is not a JSON object", fault_out);
}

err_t body_register(const json_value_t *body, body_register_t *out, body_fault_t *fault_out) {
    *out = (body_register_t){0};
    err_t err = optional_text_of(body, "id", IDS_USER_MAX, &out->id, fault_out);
    if (!err && out->id.n && !ids_is_user(out->id))
        err = refuse("id", "is not a user id", fault_out);
    if (!err)
        err = name_of(body, &out->name, fault_out);
    if (!err)
        err = password_of(body, &out->password, fault_out);
    return err ? err : role_of(body, &out->role, fault_out);
}

err_t body_login(const json_value_t *body, body_login_t *out, body_fault_t *fault_out) {
    *out = (body_login_t){0};
    err_t err = user_id_of(body, "id", &out->id, fault_out);
    return err ? err : password_of(body, &out->password, fault_out);
}

err_t body_user(const json_value_t *body, body_user_t *out, body_fault_t *fault_out) {
    *out = (body_user_t){0};
    err_t err = name_of(body, &out->name, fault_out);
    return err ? err : role_of(body, &out->role, fault_out);
}

static bool contains(const body_user_ids_t *ids, str_t id) {
    for (size_t i = 0; i < ids->n; i++) {
        if (str_eq(ids->items[i], id))
            return true;
    }
    return false;
}

/* Reads userIds, each once; `left_out` may be empty. */
static err_t user_ids_of(const json_value_t *body, str_t left_out, body_user_ids_t *out,
                         body_fault_t *fault_out) {
    const json_value_t *list = json_member(body, "userIds");
    size_t count = json_element_count(list);
    out->n = 0;
    if (!json_value_is_array(list))
        return refuse("userIds", has(body, "userIds") ? "is not a list" : "is missing", fault_out);
    if (count < 1 || count > BODY_USER_IDS_MAX)
        return refuse("userIds", "is out of range", fault_out);
    for (size_t i = 0; i < count; i++) {
        str_t id = {0};
        json_field_t field = json_as_string(json_element(list, i), 1, IDS_USER_MAX, &id);
        if (field != JSON_FIELD_OK || !ids_is_user(id))
            return refuse("userIds", "has something that is not a user id", fault_out);
        if (!str_eq(id, left_out) && !contains(out, id))
            out->items[out->n++] = id;
    }
    return OK;
}

err_t body_participants(const json_value_t *body, body_user_ids_t *out, body_fault_t *fault_out) {
    return user_ids_of(body, (str_t){0}, out, fault_out);
}

err_t body_conversation(const json_value_t *body, str_t caller, body_conversation_t *out,
                        body_fault_t *fault_out) {
    out->title = (str_t){0};
    out->users.n = 0;
    if (has(body, "userId")) {
        if (has(body, "userIds") || has(body, "title"))
            return refuse("userId", "excludes title and userIds", fault_out);
        err_t err = user_id_of(body, "userId", &out->users.items[0], fault_out);
        if (err)
            return err;
        out->users.n = 1;
        return str_eq(out->users.items[0], caller) ? refuse("userId", "is your own", fault_out)
                                                   : OK;
    }
    err_t err = text_of(body, "title", BODY_TITLE_CHARACTERS_MAX, &out->title, fault_out);
    if (!err)
        err = user_ids_of(body, caller, &out->users, fault_out);
    if (!err && out->users.n == 0)
        err = refuse("userIds", "has nobody but you", fault_out);
    return err;
}

bool body_is_client_id(str_t text) {
    size_t characters = 0;
    return str_utf8_length(text, &characters) == OK && characters >= 1 &&
           characters <= BODY_CLIENT_ID_CHARACTERS_MAX;
}

/* The one clientId that body and header give. */
static err_t client_id_of(const json_value_t *body, str_t key, str_t *out,
                          body_fault_t *fault_out) {
    err_t err = optional_text_of(body, "clientId", BODY_CLIENT_ID_CHARACTERS_MAX, out, fault_out);
    if (err || !key.n)
        return err;
    if (!body_is_client_id(key))
        return refuse("Idempotency-Key", "is out of range", fault_out);
    if (out->n && !str_eq(*out, key))
        return refuse("clientId", "differs from Idempotency-Key", fault_out);
    *out = key;
    return OK;
}

/* Where the message goes to: exactly one of the two ways to say it. */
static err_t destination_of(const json_value_t *body, body_message_t *out,
                            body_fault_t *fault_out) {
    err_t err =
        optional_text_of(body, "conversationId", IDS_ROOM_MAX, &out->conversation_id, fault_out);
    if (!err)
        err = optional_text_of(body, "recipientId", IDS_USER_MAX, &out->recipient_id, fault_out);
    if (err)
        return err;
    if (out->conversation_id.n && out->recipient_id.n)
        return refuse("recipientId", "excludes conversationId", fault_out);
    if (out->recipient_id.n)
        return ids_is_user(out->recipient_id)
                   ? OK
                   : refuse("recipientId", "is not a user id", fault_out);
    if (!out->conversation_id.n)
        return refuse("conversationId", "is missing", fault_out);
    return ids_is_conversation(out->conversation_id)
               ? OK
               : refuse("conversationId", "is not a conversation's id", fault_out);
}

err_t body_message(const json_value_t *body, str_t key, body_message_t *out,
                   body_fault_t *fault_out) {
    *out = (body_message_t){0};
    err_t err = destination_of(body, out, fault_out);
    if (!err)
        err = text_of(body, "text", BODY_TEXT_CHARACTERS_MAX, &out->text, fault_out);
    if (!err)
        err = client_id_of(body, key, &out->client_id, fault_out);
    if (err)
        return err;
    json_field_t field = json_get_u64(body, "replyTo", 1, SEQ_MAX, &out->reply_to);
    return field == JSON_FIELD_MISSING ? OK : refuse_field("replyTo", field, fault_out);
}

err_t body_read(const json_value_t *body, body_read_t *out, body_fault_t *fault_out) {
    *out = (body_read_t){0};
    json_field_t field = json_get_u64(body, "seq", 1, SEQ_MAX, &out->seq);
    out->has_seq = field == JSON_FIELD_OK;
    return field == JSON_FIELD_MISSING ? OK : refuse_field("seq", field, fault_out);
}
