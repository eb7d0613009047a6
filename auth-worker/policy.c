#include "auth-worker/policy.h"

#include <sodium/crypto_generichash.h>

#include "auth-worker/claims.h"
#include "common/ids.h"

bool policy_password_valid(str_t password) {
    size_t characters;
    if (password.n < POLICY_PASSWORD_MIN_BYTES || password.n > POLICY_PASSWORD_MAX_BYTES)
        return false;
    return !memchr(password.p, '\0', password.n) && str_utf8_length(password, &characters) == OK;
}

static bool key_valid(str_t key) {
    if (key.n == 0 || key.n > POLICY_KEY_MAX_BYTES)
        return false;
    for (size_t i = 0; i < key.n; i++) {
        if (key.p[i] <= ' ' || key.p[i] > '~')
            return false;
    }
    return true;
}

policy_result_t policy_check_registration(bool open, const policy_registration_t *registration) {
    if (!open)
        return POLICY_CLOSED;
    if (str_eq(registration->role, STR("service")))
        return POLICY_FORBIDDEN_ROLE;
    if (registration->id.n && !ids_is_user(registration->id))
        return POLICY_BAD_ID;
    if (!claims_name_valid(registration->name))
        return POLICY_BAD_NAME;
    if (!claims_role_valid(registration->role))
        return POLICY_BAD_ROLE;
    if (!policy_password_valid(registration->password))
        return POLICY_BAD_PASSWORD;
    return key_valid(registration->idempotency_key) ? POLICY_ALLOWED : POLICY_BAD_KEY;
}

const char *policy_message(policy_result_t result) {
    switch (result) {
    case POLICY_ALLOWED:
        return "";
    case POLICY_CLOSED:
        return "registration is closed";
    case POLICY_FORBIDDEN_ROLE:
        return "this role cannot be registered";
    case POLICY_BAD_ID:
        return "id must be 1 to 64 characters of A-Z a-z 0-9 . @ | : -";
    case POLICY_BAD_NAME:
        return "name must be 1 to 64 characters, no control characters";
    case POLICY_BAD_PASSWORD:
        return "password must be 8 to 1000 bytes of UTF-8";
    case POLICY_BAD_ROLE:
        return "role must be 1 to 64 characters of A-Z a-z 0-9 _ - . :";
    case POLICY_BAD_KEY:
        return "the idempotency key must be 1 to 64 visible ASCII characters";
    }
    return "";
}

void policy_make_id(str_t idempotency_key, char id_out[POLICY_MADE_ID_BYTES + 1]) {
    static const char domain[] = "parley registration";
    unsigned char b[crypto_generichash_BYTES];
    crypto_generichash(b, sizeof(b), (const unsigned char *)idempotency_key.p, idempotency_key.n,
                       (const unsigned char *)domain, sizeof(domain) - 1);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x80);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(id_out, POLICY_MADE_ID_BYTES + 1,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}
