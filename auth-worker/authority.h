/* The answers that need no database: whose token is this, and a newer one for it. */
#pragma once

#include "auth-worker/answer.h"
#include "auth-worker/key_files.h"
#include "auth-worker/tokens.h"

/* Everything borrowed. */
typedef struct {
    const key_files_t *keys;
    claims_rules_t rules;
    int64_t ttl_ms; /* of tokens issued here */
} authority_t;

/* The answer to AUTH_VERIFY: IDENTITY, or an error that says no more than a client may know. Its
 * token id is the claim `sid`, else `jti`: it stays the same from one refresh to the next. */
tokens_result_t authority_verify(const authority_t *self, str_t token, int64_t now_unix_ms,
                                 answer_t *answer_out);

/* The answer to AUTH_REFRESH: TOKEN for the same user. The new token has an id of its own, and as
 * `sid` the id of the one that the login gave, by which all that came from it can be revoked. Only
 * tokens under our own secret are renewed: the life of others' is up to their issuer (forbidden).
 */
tokens_result_t authority_refresh(const authority_t *self, str_t token, int64_t now_unix_ms,
                                  answer_t *answer_out);

/* Answers with a new token for this user, whom a password proved. */
void authority_issue(const authority_t *self, str_t user_id, str_t name, str_t role,
                     int64_t now_unix_ms, answer_t *answer_out);

/* Whether there is a secret to sign with. */
bool authority_can_issue(const authority_t *self);

/* Answers what asks for a token where none is issued. */
void authority_refuse_to_issue(answer_t *answer_out);
