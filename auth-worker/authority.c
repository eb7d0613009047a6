#include "auth-worker/authority.h"

#include <sodium/randombytes.h>

#include "common/idgen.h"

static void refuse(tokens_result_t result, answer_t *answer) {
    if (result == TOKENS_EXPIRED)
        answer_error(answer, CODE_TOKEN_EXPIRED, "the token has expired", 0);
    else
        answer_error(answer, CODE_UNAUTHORIZED, "the token is not valid", 0);
}

tokens_result_t authority_verify(const authority_t *self, str_t token, int64_t now_unix_ms,
                                 answer_t *answer_out) {
    claims_t claims;
    tokens_result_t result =
        tokens_verify(key_files_keys(self->keys), &self->rules, token, now_unix_ms, &claims);
    if (result != TOKENS_OK) {
        refuse(result, answer_out);
        return result;
    }
    proto_identity_t identity = {.user_id = str_from(claims.user_id),
                                 .name = str_from(claims.name),
                                 .role = str_from(claims.role),
                                 .expires_at_ms = (uint64_t)claims.expires_at_ms,
                                 .token_id = str_from(claims.sid[0] ? claims.sid : claims.jti),
                                 .issued_at_ms = (uint64_t)claims.issued_at_ms};
    answer_identity(answer_out, &identity);
    return result;
}

bool authority_can_issue(const authority_t *self) {
    const char *kid;
    str_t secret;
    return keys_signer(key_files_keys(self->keys), &kid, &secret);
}

void authority_refuse_to_issue(answer_t *answer_out) {
    answer_error(answer_out, CODE_FORBIDDEN, "tokens are issued elsewhere", 0);
}

/* Sets the times of `claims` and answers with the token for them. */
static void issue(const authority_t *self, claims_t *claims, int64_t now_unix_ms,
                  answer_t *answer) {
    strbuf_t text = {0};
    claims->issued_at_ms = now_unix_ms / 1000 * 1000;
    claims->expires_at_ms = claims->issued_at_ms + self->ttl_ms;
    if (!tokens_issue(key_files_keys(self->keys), &self->rules, claims, &text)) {
        authority_refuse_to_issue(answer);
        return;
    }
    proto_token_t token = {.token = strbuf_str(&text),
                           .expires_at_ms = (uint64_t)claims->expires_at_ms,
                           .user_id = str_from(claims->user_id),
                           .name = str_from(claims->name),
                           .role = str_from(claims->role)};
    answer_token(answer, &token);
    strbuf_fini(&text);
}

static void make_token_id(claims_t *claims, int64_t now_unix_ms) {
    uint8_t random[IDGEN_RANDOM_BYTES];
    _Static_assert(IDGEN_UUID_TEXT <= CLAIMS_TOKEN_ID_MAX_BYTES, "a UUID is a token id");
    randombytes_buf(random, sizeof(random));
    idgen_uuid_t uuid = idgen_uuid7(now_unix_ms, random);
    idgen_format(&uuid, claims->jti);
}

tokens_result_t authority_refresh(const authority_t *self, str_t token, int64_t now_unix_ms,
                                  answer_t *answer_out) {
    claims_t claims;
    jws_t jws;
    tokens_result_t result =
        tokens_verify(key_files_keys(self->keys), &self->rules, token, now_unix_ms, &claims);
    if (result != TOKENS_OK) {
        refuse(result, answer_out);
        return result;
    }
    if (jws_parse(token, &jws) != OK || jws.alg != JWS_HS256) {
        authority_refuse_to_issue(answer_out);
        return result;
    }
    if (!claims.sid[0])
        memcpy(claims.sid, claims.jti, sizeof(claims.sid));
    make_token_id(&claims, now_unix_ms);
    issue(self, &claims, now_unix_ms, answer_out);
    return result;
}

/* Copies with a NUL behind; the caller has held `text` to its bound. */
static void copy_text(char *to, size_t room, str_t text) {
    ASSERT(text.n < room);
    if (text.n)
        memcpy(to, text.p, text.n);
    to[text.n] = '\0';
}

void authority_issue(const authority_t *self, str_t user_id, str_t name, str_t role,
                     int64_t now_unix_ms, answer_t *answer_out) {
    claims_t claims = {0};
    copy_text(claims.user_id, sizeof(claims.user_id), user_id);
    if (claims_name_valid(name))
        copy_text(claims.name, sizeof(claims.name), name);
    if (claims_role_valid(role))
        copy_text(claims.role, sizeof(claims.role), role);
    make_token_id(&claims, now_unix_ms);
    issue(self, &claims, now_unix_ms, answer_out);
}
