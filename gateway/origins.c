#include "gateway/origins.h"

#include <strings.h>

/* Host and port, as a URL or a Host header names them. */
typedef struct {
    str_t host; /* with its brackets if it is an IPv6 address */
    str_t port; /* empty: the scheme's own */
} authority_t;

static bool take_scheme(str_t *text, str_t *default_port_out) {
    static const struct {
        const char *prefix;
        const char *port;
    } schemes[] = {{"http://", "80"}, {"https://", "443"}};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        str_t prefix = str_from(schemes[i].prefix);
        if (!str_starts_with(*text, prefix))
            continue;
        *text = str_from_offset(*text, prefix.n);
        *default_port_out = str_from(schemes[i].port);
        return true;
    }
    return false;
}

static authority_t split(str_t text) {
    size_t at = text.n;
    while (at > 0 && text.p[at - 1] >= '0' && text.p[at - 1] <= '9')
        at--;
    if (at == text.n || at == 0 || text.p[at - 1] != ':')
        return (authority_t){.host = text};
    return (authority_t){.host = {text.p, at - 1}, .port = str_from_offset(text, at)};
}

static bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-._[]:", c);
}

bool origins_is_origin(str_t text) {
    str_t port;
    if (!take_scheme(&text, &port))
        return false;
    if (text.n && text.p[text.n - 1] == '/')
        text.n--;
    for (size_t i = 0; i < text.n; i++) {
        if (!text.p[i] || !is_host_character(text.p[i]))
            return false;
    }
    return split(text).host.n > 0;
}

static bool same_host(str_t origin, str_t host) {
    str_t default_port;
    if (host.n == 0 || !take_scheme(&origin, &default_port))
        return false;
    authority_t a = split(origin);
    authority_t b = split(host);
    str_t a_port = a.port.n ? a.port : default_port;
    str_t b_port = b.port.n ? b.port : default_port;
    return a.host.n == b.host.n && strncasecmp(a.host.p, b.host.p, a.host.n) == 0 &&
           str_eq(a_port, b_port);
}

bool origins_allow(const char *const *origins, str_t origin, str_t host) {
    if (origin.n == 0)
        return true;
    for (; *origins; origins++) {
        if (str_eq(str_from(*origins), origin))
            return true;
    }
    return same_host(origin, host);
}
