#include "gateway/credentials.h"

#include <strings.h>

static str_t bearer(str_t authorization) {
    static const char scheme[] = "Bearer ";
    size_t n = sizeof(scheme) - 1;
    if (authorization.n < n || strncasecmp(authorization.p, scheme, n) != 0)
        return (str_t){0};
    str_t token = str_from_offset(authorization, n);
    while (token.n && token.p[0] == ' ')
        token = str_from_offset(token, 1);
    return token;
}

/* Empty unless it is a string. */
static str_t member_of(const json_doc_t *doc, const char *name) {
    str_t text = {0};
    if (json_get_string(json_doc_root(doc), name, 1, SIZE_MAX, &text) != JSON_FIELD_OK)
        return (str_t){0};
    return text;
}

void credentials_read(str_t auth, str_t authorization, credentials_t *credentials_out) {
    static const json_limits_t limits = {.max_bytes = CREDENTIALS_AUTH_BYTES_MAX,
                                         .max_depth = JSON_DEPTH_DEFAULT,
                                         .max_values = JSON_VALUES_DEFAULT};
    credentials_t read = {0};
    if (auth.n && json_doc_new(auth, &limits, &read.doc) == OK) {
        read.token = member_of(read.doc, "token");
        read.pid = member_of(read.doc, "pid");
        read.offset = member_of(read.doc, "offset");
    }
    if (!read.token.n)
        read.token = bearer(authorization);
    *credentials_out = read;
}

void credentials_fini(credentials_t *credentials) {
    json_doc_free(&credentials->doc);
    *credentials = (credentials_t){0};
}
