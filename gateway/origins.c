#include "gateway/origins.h"

#include <strings.h>

/* An origin, or a Host header, taken apart. */
typedef struct {
    str_t host; /* with its brackets if it is an IPv6 address */
    str_t port;
} authority_t;

static const struct {
    const char *prefix;
    const char *port;
} schemes[] = {{"http://", "80"}, {"https://", "443"}};

enum { SCHEMES = sizeof(schemes) / sizeof(schemes[0]) };

static bool equal_without_case(str_t a, str_t b) {
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

/* The index of the scheme, which is cut off; SCHEMES for another one. */
static size_t take_scheme(str_t *text) {
    for (size_t i = 0; i < SCHEMES; i++) {
        str_t prefix = str_from(schemes[i].prefix);
        if (text->n >= prefix.n && strncasecmp(text->p, prefix.p, prefix.n) == 0) {
            *text = str_from_offset(*text, prefix.n);
            return i;
        }
    }
    return SCHEMES;
}

/* `text` without a scheme; a port that isn't there is `scheme`'s own. */
static authority_t split(str_t text, size_t scheme) {
    size_t at = text.n;
    while (at > 0 && text.p[at - 1] >= '0' && text.p[at - 1] <= '9')
        at--;
    if (at == text.n || at == 0 || text.p[at - 1] != ':')
        return (authority_t){text, str_from(schemes[scheme].port)};
    return (authority_t){{text.p, at - 1}, str_from_offset(text, at)};
}

static bool same_authority(authority_t a, authority_t b) {
    return a.host.n > 0 && equal_without_case(a.host, b.host) && str_eq(a.port, b.port);
}

static str_t without_slash(str_t text) {
    if (text.n && text.p[text.n - 1] == '/')
        text.n--;
    return text;
}

static bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._[]:", c));
}

bool origins_is_origin(str_t text) {
    if (str_eq(text, STR("*")))
        return true;
    text = without_slash(text);
    size_t scheme = take_scheme(&text);
    for (size_t i = 0; i < text.n; i++) {
        if (!is_host_character(text.p[i]))
            return false;
    }
    return scheme < SCHEMES && split(text, scheme).host.n > 0;
}

static bool is_listed(const char *listed_text, str_t origin, size_t scheme) {
    str_t listed = without_slash(str_from(listed_text));
    if (str_eq(listed, STR("*")))
        return true;
    return take_scheme(&listed) == scheme &&
           same_authority(split(listed, scheme), split(origin, scheme));
}

bool origins_allow(const char *const *origins, str_t origin, str_t host) {
    if (origin.n == 0)
        return true;
    size_t scheme = take_scheme(&origin);
    if (scheme == SCHEMES)
        return false;
    for (; *origins; origins++) {
        if (is_listed(*origins, origin, scheme))
            return true;
    }
    return same_authority(split(origin, scheme), split(host, scheme));
}
