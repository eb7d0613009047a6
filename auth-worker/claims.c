#include "auth-worker/claims.h"

#include <jansson.h>
#include <math.h>

#include "common/ids.h"

bool claims_name_valid(str_t text) {
    size_t characters;
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
            return false;
    }
    return str_utf8_length(text, &characters) == OK && characters >= 1 &&
           characters <= CLAIMS_NAME_MAX_CHARACTERS;
}

static bool is_role_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':';
}

bool claims_role_valid(str_t text) {
    if (text.n == 0 || text.n > CLAIMS_ROLE_MAX_BYTES)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (!is_role_character(text.p[i]))
            return false;
    }
    return true;
}

/* A string's bytes; nothing when `value` isn't one. */
static str_t text_of(const json_t *value) {
    return (str_t){json_string_value(value), json_string_length(value)};
}

/* Copies with a NUL behind; the caller has held `text` to its bound. */
static void copy_text(char *to, str_t text) {
    if (text.n)
        memcpy(to, text.p, text.n);
    to[text.n] = '\0';
}

static bool read_user_id(const json_t *payload, claims_t *claims) {
    const json_t *value = json_object_get(payload, "userId");
    if (!value)
        value = json_object_get(payload, "sub");
    if (json_is_integer(value)) {
        json_int_t number = json_integer_value(value);
        snprintf(claims->user_id, sizeof(claims->user_id), "%lld", (long long)number);
        return number >= 0;
    }
    str_t id = text_of(value);
    if (!ids_is_user(id))
        return false;
    copy_text(claims->user_id, id);
    return true;
}

/* A NumericDate (RFC 7519 section 2) in milliseconds, between year 0 and CLAIMS_LATEST_SECONDS. */
static bool read_date(const json_t *value, int64_t *ms_out) {
    if (!json_is_number(value))
        return false;
    double seconds = json_number_value(value);
    seconds = fmin(fmax(seconds, 0), (double)CLAIMS_LATEST_SECONDS);
    *ms_out = (int64_t)(seconds * 1000);
    return true;
}

static bool read_dates(const json_t *payload, int64_t now_ms, claims_t *claims) {
    const json_t *not_before = json_object_get(payload, "nbf");
    const json_t *issued_at = json_object_get(payload, "iat");
    int64_t not_before_ms;
    if (!read_date(json_object_get(payload, "exp"), &claims->expires_at_ms))
        return false;
    if (not_before && (!read_date(not_before, &not_before_ms) || not_before_ms > now_ms))
        return false;
    return !issued_at || read_date(issued_at, &claims->issued_at_ms);
}

/* `aud` is one string or an array of them (RFC 7519 section 4.1.3). */
static bool audience_includes(const json_t *audience, str_t wanted) {
    size_t i;
    const json_t *item;
    if (json_is_string(audience))
        return str_eq(text_of(audience), wanted);
    json_array_foreach(audience, i, item) {
        if (json_is_string(item) && str_eq(text_of(item), wanted))
            return true;
    }
    return false;
}

static bool meant_for_us(const json_t *payload, const claims_rules_t *rules) {
    const json_t *issuer = json_object_get(payload, "iss");
    const json_t *audience = json_object_get(payload, "aud");
    if (rules->issuer &&
        (!json_is_string(issuer) || !str_eq(text_of(issuer), str_from(rules->issuer))))
        return false;
    return !rules->audience || audience_includes(audience, str_from(rules->audience));
}

static bool read_id(const json_t *payload, const char *name,
                    char id_out[CLAIMS_TOKEN_ID_MAX_BYTES + 1]) {
    const json_t *value = json_object_get(payload, name);
    str_t id = text_of(value);
    if (value && (!json_is_string(value) || id.n > CLAIMS_TOKEN_ID_MAX_BYTES))
        return false;
    copy_text(id_out, id);
    return true;
}

static void read_display(const json_t *payload, claims_t *claims) {
    str_t name = text_of(json_object_get(payload, "name"));
    str_t role = text_of(json_object_get(payload, "role"));
    if (claims_name_valid(name))
        copy_text(claims->name, name);
    if (claims_role_valid(role))
        copy_text(claims->role, role);
}

claims_result_t claims_check(str_t payload, const claims_rules_t *rules, int64_t now_ms,
                             claims_t *claims_out) {
    *claims_out = (claims_t){0};
    json_t *object = json_loadb(payload.p, payload.n, JSON_REJECT_DUPLICATES, NULL);
    claims_result_t result = CLAIMS_UNAUTHORIZED;
    if (!json_is_object(object) || !read_user_id(object, claims_out) ||
        !read_dates(object, now_ms, claims_out) || !meant_for_us(object, rules) ||
        !read_id(object, "jti", claims_out->jti) || !read_id(object, "sid", claims_out->sid))
        goto out;
    read_display(object, claims_out);
    result = claims_out->expires_at_ms > now_ms ? CLAIMS_OK : CLAIMS_TOKEN_EXPIRED;
out:
    json_decref(object);
    return result;
}
