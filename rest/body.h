/* JSON request bodies into what a route takes, held to the rules of API.md. */
#pragma once

#include <stdbool.h>

#include "common/json.h"

enum {
    BODY_NAME_CHARACTERS_MAX = 64,
    BODY_ROLE_BYTES_MAX = 64,
    BODY_PASSWORD_BYTES_MAX = 1000,
    BODY_TITLE_CHARACTERS_MAX = 200,
    BODY_USER_IDS_MAX = 100,
    BODY_TEXT_CHARACTERS_MAX = 8000,
    BODY_CLIENT_ID_CHARACTERS_MAX = 64,
    BODY_JSON_DEPTH_MAX = 16,
    BODY_JSON_VALUES_MAX = 1000,
};

/* Why a body was refused: "text is missing". Static texts; the name may be empty. */
typedef struct {
    const char *name; /* the member */
    const char *problem;
} body_fault_t;

typedef struct {
    str_t id; /* empty: one is made up */
    str_t name;
    str_t password;
    str_t role;
} body_register_t;

typedef struct {
    str_t id;
    str_t password;
} body_login_t;

typedef struct {
    str_t name;
    str_t role;
} body_user_t;

/* User ids, none twice. */
typedef struct {
    str_t items[BODY_USER_IDS_MAX];
    size_t n;
} body_user_ids_t;

typedef struct {
    str_t title; /* empty for a direct conversation, whose users are one */
    body_user_ids_t users;
} body_conversation_t;

typedef struct {
    str_t conversation_id; /* one of these two is empty */
    str_t recipient_id;
    str_t text;
    str_t client_id;   /* empty when there was none */
    uint64_t reply_to; /* 0 when there was none */
} body_message_t;

typedef struct {
    bool has_seq;
    uint64_t seq;
} body_read_t;

/* Parses the text, which must be one JSON object; an empty text counts as {}. The readers below
 * borrow from the document. */
err_t body_parse(str_t text, json_doc_t **doc_out, body_fault_t *fault_out) MUST_CHECK;

/* Each reads one body. Members that it does not know are ignored, null counts as not there.
 * ERR_INVALID: *fault_out says why. */
err_t body_register(const json_value_t *body, body_register_t *out,
                    body_fault_t *fault_out) MUST_CHECK;
err_t body_login(const json_value_t *body, body_login_t *out, body_fault_t *fault_out) MUST_CHECK;
err_t body_user(const json_value_t *body, body_user_t *out, body_fault_t *fault_out) MUST_CHECK;
/* `caller` is left out of the users: whoever makes a group is in it anyway. */
err_t body_conversation(const json_value_t *body, str_t caller, body_conversation_t *out,
                        body_fault_t *fault_out) MUST_CHECK;
err_t body_participants(const json_value_t *body, body_user_ids_t *out,
                        body_fault_t *fault_out) MUST_CHECK;
/* `key` is the header Idempotency-Key, empty when there was none; it is the clientId too. */
err_t body_message(const json_value_t *body, str_t key, body_message_t *out,
                   body_fault_t *fault_out) MUST_CHECK;
err_t body_read(const json_value_t *body, body_read_t *out, body_fault_t *fault_out) MUST_CHECK;

/* May this be a clientId? 1 to 64 characters of UTF-8. */
bool body_is_client_id(str_t text);
