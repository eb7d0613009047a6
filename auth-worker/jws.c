#include "auth-worker/jws.h"

#include <jansson.h>
#include <sodium/utils.h>

#include "common/json.h"

const char *jws_alg_name(jws_alg_t alg) {
    static const char *const names[] = {"HS256", "RS256", "ES256"};
    return names[alg];
}

err_t jws_decode_part(str_t base64url, strbuf_t *bytes_out) {
    size_t room = base64url.n / 4 * 3 + 3;
    char *to = strbuf_reserve(bytes_out, room);
    size_t length = 0;
    const char *end = NULL;
    if (sodium_base642bin((unsigned char *)to, room, base64url.p, base64url.n, NULL, &length, &end,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        end != base64url.p + base64url.n)
        return ERR_INVALID;
    bytes_out->n += length;
    return OK;
}

/* Cuts the part before the next dot off `rest`; the whole of it when there is no dot. */
static str_t take_part(str_t *rest, bool *dot_out) {
    const char *dot = rest->n ? memchr(rest->p, '.', rest->n) : NULL;
    str_t part = {rest->p, dot ? (size_t)(dot - rest->p) : rest->n};
    *dot_out = dot != NULL;
    *rest = str_from_offset(*rest, part.n + (dot ? 1 : 0));
    return part;
}

static err_t read_alg(const json_t *header, jws_alg_t *alg_out) {
    const char *name = json_string_value(json_object_get(header, "alg"));
    for (jws_alg_t alg = JWS_HS256; name && alg <= JWS_ES256; alg++) {
        if (strcmp(name, jws_alg_name(alg)) == 0) {
            *alg_out = alg;
            return OK;
        }
    }
    return ERR_INVALID;
}

static err_t read_kid(const json_t *header, char kid_out[JWS_KID_MAX_BYTES + 1]) {
    const json_t *kid = json_object_get(header, "kid");
    size_t length = json_string_length(kid);
    kid_out[0] = '\0';
    if (!kid)
        return OK;
    if (!json_is_string(kid) || length == 0 || length > JWS_KID_MAX_BYTES)
        return ERR_INVALID;
    memcpy(kid_out, json_string_value(kid), length + 1);
    return OK;
}

static err_t read_header(str_t encoded, jws_t *jws) {
    strbuf_t text = {0};
    json_t *header = NULL;
    err_t err = jws_decode_part(encoded, &text);
    if (err != OK)
        goto out;
    err = ERR_INVALID;
    if (!json_depth_ok(strbuf_str(&text), JSON_DEPTH_DEFAULT))
        goto out;
    header = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(header) || json_object_get(header, "crit"))
        goto out;
    if (read_alg(header, &jws->alg) == OK && read_kid(header, jws->kid) == OK)
        err = OK;
out:
    json_decref(header);
    strbuf_fini(&text);
    return err;
}

err_t jws_parse(str_t token, jws_t *jws_out) {
    bool first_dot, second_dot, third_dot;
    if (token.n > JWS_TOKEN_MAX_BYTES)
        return ERR_LIMIT;
    str_t rest = token;
    str_t header = take_part(&rest, &first_dot);
    jws_out->payload = take_part(&rest, &second_dot);
    jws_out->signature = take_part(&rest, &third_dot);
    if (!first_dot || !second_dot || third_dot)
        return ERR_INVALID;
    if (header.n == 0 || jws_out->payload.n == 0 || jws_out->signature.n == 0)
        return ERR_INVALID;
    jws_out->signing_input = (str_t){token.p, header.n + 1 + jws_out->payload.n};
    return read_header(header, jws_out);
}
