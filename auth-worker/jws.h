/* A token taken apart: the JWS compact serialization (RFC 7515 section 7.1) as JWT uses it. Nothing
 * here is verified; whoever reads further checks the signature first (keys.h). */
#pragma once

#include "common/str.h"
#include "common/strbuf.h"

enum {
    JWS_TOKEN_MAX_BYTES = 8192,
    JWS_KID_MAX_BYTES = 128,
};

/* The only algorithms there are: whatever else a header names, "none" first of all, is refused. */
typedef enum {
    JWS_HS256,
    JWS_RS256,
    JWS_ES256,
} jws_alg_t;

typedef struct {
    jws_alg_t alg;
    char kid[JWS_KID_MAX_BYTES + 1]; /* empty when the header has none */
    str_t signing_input;             /* header '.' payload, still encoded */
    str_t payload;                   /* still encoded */
    str_t signature;                 /* still encoded */
} jws_t;

/* Splits `token` and reads its header; the strings of `jws_out` borrow from `token`. ERR_LIMIT when
 * it is too long; ERR_INVALID unless it is three non-empty parts of canonical base64url, the first
 * of them a JSON object without duplicate names, with an `alg` from above, with an optional string
 * `kid`, and without `crit` (no extension is understood here). */
err_t jws_parse(str_t token, jws_t *jws_out) MUST_CHECK;

/* Appends what `base64url` (RFC 4648 section 5, no padding) stands for. ERR_INVALID when it isn't
 * canonical. */
err_t jws_decode_part(str_t base64url, strbuf_t *bytes_out) MUST_CHECK;

/* "HS256", "RS256" or "ES256". */
const char *jws_alg_name(jws_alg_t alg);
