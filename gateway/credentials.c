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

str_t credentials_token(str_t auth, str_t authorization, json_doc_t **doc_out) {
    static const json_limits_t limits = {.max_bytes = CREDENTIALS_AUTH_BYTES_MAX,
                                         .max_depth = JSON_DEPTH_DEFAULT,
                                         .max_values = JSON_VALUES_DEFAULT};
    str_t token = {0};
    *doc_out = NULL;
    if (auth.n && json_doc_new(auth, &limits, doc_out) == OK &&
        json_get_string(json_doc_root(*doc_out), "token", 1, SIZE_MAX, &token) == JSON_FIELD_OK)
        return token;
    return bearer(authorization);
}
