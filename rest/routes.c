#include "rest/routes.h"

#define ROUTE(id, method, pattern, auth, body)                                                     \
    {ROUTE_ID_##id, METHOD_##method, pattern, ROUTE_##auth, ROUTE_BODY_##body},
static const route_t table[ROUTE_COUNT] = {ROUTES(ROUTE)};
#undef ROUTE

static const struct {
    const char *name;
    unsigned bit;
} methods[] = {
    {"GET", METHOD_GET}, {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
    {"PUT", METHOD_PUT}, {"DELETE", METHOD_DELETE}, {"OPTIONS", METHOD_OPTIONS},
};
enum { METHOD_COUNT = sizeof(methods) / sizeof(*methods) };

const route_t *routes_row(route_id_t id) {
    ASSERT((unsigned)id < ROUTE_COUNT);
    return &table[id];
}

bool routes_is_probe(const route_t *route) {
    return route->id == ROUTE_ID_HEALTH || route->id == ROUTE_ID_READY;
}

unsigned routes_method(str_t name) {
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (str_eq(name, str_from(methods[i].name)))
            return methods[i].bit;
    }
    return 0;
}

/* The value of a hexadecimal digit, or -1. */
static int digit_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

err_t routes_percent_decode(str_t encoded, bool plus_is_space, strbuf_t *decoded) {
    for (size_t i = 0; i < encoded.n; i++) {
        char c = encoded.p[i];
        if (c == '%') {
            if (encoded.n - i < 3)
                return ERR_INVALID;
            int high = digit_value(encoded.p[i + 1]);
            int low = digit_value(encoded.p[i + 2]);
            if (high < 0 || low < 0)
                return ERR_INVALID;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == '\0')
            return ERR_INVALID;
        strbuf_append_char(decoded, c);
    }
    return OK;
}

/* Takes the next segment off `path`, which starts with a slash. */
static str_t next_segment(str_t *path) {
    const char *start = path->p + 1;
    const char *end = path->n > 1 ? memchr(start, '/', path->n - 1) : NULL;
    size_t length = end ? (size_t)(end - start) : path->n - 1;
    *path = str_from_offset(*path, length + 1);
    return (str_t){start, length};
}

static bool is_parameter(str_t segment) {
    return segment.n > 0 && segment.p[0] == '{';
}

/* Does the decoded path, segment by segment, fit the pattern? Parameters are not empty. */
static bool fits(const char *pattern, const str_t *segments, size_t count,
                 str_t parameters_out[ROUTE_PARAMETERS_MAX]) {
    str_t rest = str_from(pattern);
    size_t parameter = 0;
    for (size_t i = 0; i < count; i++) {
        if (!rest.n)
            return false;
        str_t expected = next_segment(&rest);
        if (!is_parameter(expected)) {
            if (!str_eq(expected, segments[i]))
                return false;
            continue;
        }
        ASSERT(parameter < ROUTE_PARAMETERS_MAX);
        if (!segments[i].n)
            return false;
        parameters_out[parameter++] = segments[i];
    }
    return rest.n == 0;
}

enum { SEGMENTS_MAX = 4 }; /* of the longest pattern */

/* Splits and decodes the path. *count_out is SEGMENTS_MAX + 1 when there are more. */
static err_t split(str_t path, strbuf_t *storage, str_t segments_out[SEGMENTS_MAX],
                   size_t *count_out) {
    size_t count = 0, base = storage->n;
    size_t ends[SEGMENTS_MAX] = {0};
    while (path.n) {
        err_t err = routes_percent_decode(next_segment(&path), false, storage);
        if (err)
            return err;
        if (count < SEGMENTS_MAX)
            ends[count] = storage->n;
        if (count <= SEGMENTS_MAX)
            count++;
    }
    for (size_t i = 0; i < count && i < SEGMENTS_MAX; i++) {
        size_t start = i ? ends[i - 1] : base;
        segments_out[i] = (str_t){storage->p ? storage->p + start : "", ends[i] - start};
    }
    *count_out = count;
    return OK;
}

routes_result_t routes_match(unsigned method, str_t path, strbuf_t *storage,
                             route_match_t *match_out) {
    str_t segments[SEGMENTS_MAX];
    size_t count = 0;
    *match_out = (route_match_t){0};
    if (!path.n || path.p[0] != '/')
        return ROUTES_BAD_PATH;
    if (split(path, storage, segments, &count))
        return ROUTES_BAD_PATH;
    if (count > SEGMENTS_MAX)
        return ROUTES_NO_PATH;
    unsigned wanted = method == METHOD_HEAD ? METHOD_GET : method;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        str_t parameters[ROUTE_PARAMETERS_MAX] = {{0}};
        if (!fits(table[i].pattern, segments, count, parameters))
            continue;
        match_out->allowed |= table[i].method | METHOD_OPTIONS;
        if (table[i].method == METHOD_GET)
            match_out->allowed |= METHOD_HEAD;
        if (table[i].method != wanted)
            continue;
        match_out->route = &table[i];
        memcpy(match_out->parameters, parameters, sizeof(parameters));
    }
    if (match_out->route)
        return ROUTES_FOUND;
    return match_out->allowed ? ROUTES_NO_METHOD : ROUTES_NO_PATH;
}

void routes_append_allow(unsigned allowed, strbuf_t *out) {
    const char *separator = "";
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (!(allowed & methods[i].bit))
            continue;
        strbuf_printf(out, "%s%s", separator, methods[i].name);
        separator = ", ";
    }
}

void routes_print(strbuf_t *out) {
    static const char *const auth[] = {[ROUTE_OPEN] = "open",
                                       [ROUTE_TOKEN] = "token",
                                       [ROUTE_USER] = "user",
                                       [ROUTE_SERVICE] = "service"};
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        routes_append_allow(table[i].method, out);
        strbuf_printf(out, " %s %s\n", table[i].pattern, auth[table[i].auth]);
    }
}
