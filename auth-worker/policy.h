/* Who may register, and with what. */
#pragma once

#include "common/str.h"

enum {
    POLICY_PASSWORD_MIN_BYTES = 8,
    POLICY_PASSWORD_MAX_BYTES = 1000,
    POLICY_KEY_MAX_BYTES = 64, /* of an idempotency key */
    POLICY_MADE_ID_BYTES = 36, /* a UUID in text */
};

typedef enum {
    POLICY_ALLOWED,
    POLICY_CLOSED,         /* REGISTRATION=closed */
    POLICY_FORBIDDEN_ROLE, /* the role is one that nobody may give himself */
    POLICY_BAD_ID,
    POLICY_BAD_NAME,
    POLICY_BAD_PASSWORD,
    POLICY_BAD_ROLE,
    POLICY_BAD_KEY,
} policy_result_t;

typedef struct {
    str_t id; /* empty: one is made up */
    str_t name;
    str_t password;
    str_t role;
    str_t idempotency_key;
} policy_registration_t;

/* Judges a request to register: whether registration is open comes before all else, so that a
 * closed one tells strangers nothing. */
policy_result_t policy_check_registration(bool open, const policy_registration_t *registration);

/* What the client is told; never holds anything that it sent. */
const char *policy_message(policy_result_t result);

/* 8 to 1,000 bytes of valid UTF-8 without NUL: any characters, and no rule about which. */
bool policy_password_valid(str_t password);

/* The id of somebody who registered without one: a UUID (RFC 9562 version 8) that follows from the
 * request's idempotency key, so that every worker gives a repeated request the same id. */
void policy_make_id(str_t idempotency_key, char id_out[POLICY_MADE_ID_BYTES + 1]);
