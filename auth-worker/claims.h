/* What a token says, once its signature has been checked: the claims of RFC 7519 that Parley
 * reads, each held to its rule. */
#pragma once

#include "common/str.h"

enum {
    CLAIMS_USER_ID_MAX_BYTES = 64,
    CLAIMS_NAME_MAX_CHARACTERS = 64,
    CLAIMS_NAME_MAX_BYTES = 4 * CLAIMS_NAME_MAX_CHARACTERS,
    CLAIMS_ROLE_MAX_BYTES = 64,
    CLAIMS_TOKEN_ID_MAX_BYTES = 128,
};

/* Whatever ends a token later than this ends it here: the last second of the year 9999, beyond
 * which a time has no ISO 8601 form of four-digit years. */
#define CLAIMS_LATEST_SECONDS INT64_C(253402300799)

typedef enum {
    CLAIMS_OK,
    CLAIMS_UNAUTHORIZED,  /* breaks a rule, or isn't for us */
    CLAIMS_TOKEN_EXPIRED, /* keeps every rule, but its time is over */
} claims_result_t;

/* Checked when not NULL. */
typedef struct {
    const char *issuer;   /* what `iss` must be */
    const char *audience; /* what `aud` must be or contain */
} claims_rules_t;

typedef struct {
    char user_id[CLAIMS_USER_ID_MAX_BYTES + 1];
    char name[CLAIMS_NAME_MAX_BYTES + 1];    /* empty when the token has none that may be shown */
    char role[CLAIMS_ROLE_MAX_BYTES + 1];    /* empty when the token has none */
    char jti[CLAIMS_TOKEN_ID_MAX_BYTES + 1]; /* empty when the token has none */
    char sid[CLAIMS_TOKEN_ID_MAX_BYTES + 1]; /* the id of the login that the token goes back to;
                                                empty when it says none */
    int64_t expires_at_ms;                   /* Unix time */
    int64_t issued_at_ms;                    /* Unix time; 0 when the token doesn't say */
} claims_t;

/* Reads the decoded payload of a token whose signature holds. `claims_out` is whole only with
 * CLAIMS_OK.
 *  - the payload is a JSON object in which no name occurs twice
 *  - `userId`, a string or a non-negative integer, else `sub`, keeps the user id rule
 *  - `exp` is there and a number; `nbf` and `iat` are numbers if there, `nbf` not in the future
 *  - `iss` and `aud` are what the rules ask for, if they ask
 *  - `jti` and `sid`, if there, are strings of at most CLAIMS_TOKEN_ID_MAX_BYTES
 * `name` and `role` are for show and for what a role may do: one that is of the wrong kind or too
 * long counts as not there. */
claims_result_t claims_check(str_t payload, const claims_rules_t *rules, int64_t now_ms,
                             claims_t *claims_out) MUST_CHECK;

/* Whether `text` may be somebody's name: 1 to CLAIMS_NAME_MAX_CHARACTERS characters of valid UTF-8,
 * no control characters among them. */
bool claims_name_valid(str_t text);

/* Whether `text` is a role: 1 to CLAIMS_ROLE_MAX_BYTES letters, digits, '_', '-', '.' or ':'. */
bool claims_role_valid(str_t text);
