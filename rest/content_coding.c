#include "rest/content_coding.h"

#include <strings.h>

static const char *const names[CODING_COUNT] = {"br", "gzip", "identity"};

const char *content_coding_name(content_coding_t coding) {
    ASSERT((unsigned)coding < CODING_COUNT);
    return names[coding];
}

static str_t trim(str_t text) {
    while (text.n && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = str_from_offset(text, 1);
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

/* Takes the trimmed text up to `separator` off `rest`, the separator too. */
static str_t take_until(str_t *rest, char separator) {
    const char *at = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    str_t taken = {rest->p, at ? (size_t)(at - rest->p) : rest->n};
    *rest = str_from_offset(*rest, taken.n + 1);
    return trim(taken);
}

static bool names_equal(str_t a, const char *b) {
    return a.n == strlen(b) && strncasecmp(a.p, b, a.n) == 0;
}

/* Is there a parameter q with the value zero ("0", "0.", "0.000")? */
static bool is_excluded(str_t parameters) {
    while (parameters.n) {
        str_t parameter = take_until(&parameters, ';');
        if (parameter.n < 3 || strncasecmp(parameter.p, "q=", 2) != 0)
            continue;
        str_t weight = str_from_offset(parameter, 2);
        for (size_t i = 0; i < weight.n; i++) {
            if (weight.p[i] != '0' && weight.p[i] != '.')
                return false;
        }
        return true;
    }
    return false;
}

bool content_coding_accepts(str_t accept_encoding, content_coding_t coding) {
    bool accepted = coding == CODING_IDENTITY;
    while (accept_encoding.n) {
        str_t entry = take_until(&accept_encoding, ',');
        str_t name = entry.n ? take_until(&entry, ';') : entry;
        if (names_equal(name, names[coding]))
            return !is_excluded(entry);
        if (names_equal(name, "*"))
            accepted = !is_excluded(entry);
    }
    return accepted;
}

bool content_etag_matches(str_t if_none_match, str_t etag) {
    while (if_none_match.n) {
        str_t candidate = take_until(&if_none_match, ',');
        if (str_eq(candidate, STR("*")))
            return true;
        if (str_starts_with(candidate, STR("W/")))
            candidate = str_from_offset(candidate, 2);
        if (str_eq(candidate, etag))
            return true;
    }
    return false;
}
