#include "common/cors.h"

#include <strings.h>

/* An origin taken apart. */
typedef struct {
    bool secure;
    str_t authority; /* host[:port] without a default port */
} origin_t;

static bool equal_without_case(str_t a, str_t b) {
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static bool starts_without_case(str_t s, str_t prefix) {
    return s.n >= prefix.n && strncasecmp(s.p, prefix.p, prefix.n) == 0;
}

/* host[:port] without the scheme's default port. */
static str_t without_default_port(str_t authority, bool secure) {
    str_t suffix = secure ? STR(":443") : STR(":80");
    if (authority.n > suffix.n &&
        memcmp(authority.p + authority.n - suffix.n, suffix.p, suffix.n) == 0)
        authority.n -= suffix.n;
    return authority;
}

static bool is_authority_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._:[]", c) != NULL);
}

/* False for anything that isn't http(s)://host[:port]: "null", a path, other schemes. */
static bool parse(str_t text, origin_t *origin_out) {
    if (starts_without_case(text, STR("https://")))
        *origin_out = (origin_t){true, str_from_offset(text, 8)};
    else if (starts_without_case(text, STR("http://")))
        *origin_out = (origin_t){false, str_from_offset(text, 7)};
    else
        return false;
    for (size_t i = 0; i < origin_out->authority.n; i++) {
        if (!is_authority_character(origin_out->authority.p[i]))
            return false;
    }
    origin_out->authority = without_default_port(origin_out->authority, origin_out->secure);
    return origin_out->authority.n > 0;
}

static str_t without_slash(str_t text) {
    if (text.n && text.p[text.n - 1] == '/')
        text.n--;
    return text;
}

bool cors_is_configurable(str_t origin) {
    origin_t parsed;
    return str_eq(origin, STR("*")) || parse(without_slash(origin), &parsed);
}

static bool is_listed(const cors_t *self, const origin_t *origin) {
    for (size_t i = 0; i < self->count; i++) {
        origin_t listed;
        str_t text = without_slash(str_from(self->origins[i]));
        if (str_eq(text, STR("*")))
            return true;
        if (parse(text, &listed) && listed.secure == origin->secure &&
            equal_without_case(listed.authority, origin->authority))
            return true;
    }
    return false;
}

cors_result_t cors_check(const cors_t *self, str_t origin, str_t host) {
    origin_t parsed;
    if (!origin.n)
        return CORS_NO_ORIGIN;
    if (!parse(origin, &parsed))
        return CORS_FOREIGN;
    if (is_listed(self, &parsed))
        return CORS_ALLOWED;
    if (host.n && equal_without_case(without_default_port(host, parsed.secure), parsed.authority))
        return CORS_SAME_HOST;
    return CORS_FOREIGN;
}
