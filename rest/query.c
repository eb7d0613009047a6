#include "rest/query.h"

#include "rest/routes.h"

#define SEQ_MAX ((uint64_t)INT64_MAX)

/* One parameter that a route knows. */
typedef struct {
    const char *name;
    bool given;
    str_t value; /* borrowed from the storage once all are read */
    size_t start, length;
} parameter_t;

static parameter_t *find(parameter_t *parameters, size_t count, str_t name) {
    for (size_t i = 0; i < count; i++) {
        if (str_eq(str_from(parameters[i].name), name))
            return &parameters[i];
    }
    return NULL;
}

/* Takes the text up to `separator` off `rest`, the separator too. */
static str_t take_until(str_t *rest, char separator) {
    const char *at = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    str_t taken = {rest->p, at ? (size_t)(at - rest->p) : rest->n};
    *rest = str_from_offset(*rest, taken.n + 1);
    return taken;
}

static err_t read_one(str_t pair, strbuf_t *storage, parameter_t *parameters, size_t count,
                      const char **why_out) {
    str_t value = pair;
    size_t name_start = storage->n;
    *why_out = "the query is not well encoded";
    if (routes_percent_decode(take_until(&value, '='), true, storage))
        return ERR_INVALID;
    str_t name = {storage->p ? storage->p + name_start : "", storage->n - name_start};
    parameter_t *parameter = find(parameters, count, name);
    size_t start = storage->n;
    if (routes_percent_decode(value, true, storage))
        return ERR_INVALID;
    if (!parameter)
        return OK;
    *why_out = "a query parameter was given twice";
    if (parameter->given)
        return ERR_INVALID;
    parameter->given = true;
    parameter->start = start;
    parameter->length = storage->n - start;
    return OK;
}

static err_t read_all(str_t query, strbuf_t *storage, parameter_t *parameters, size_t count,
                      const char **why_out) {
    for (size_t n = 0; query.n; n++) {
        *why_out = "too many query parameters";
        if (n == QUERY_PARAMETERS_MAX)
            return ERR_INVALID;
        err_t err = read_one(take_until(&query, '&'), storage, parameters, count, why_out);
        if (err)
            return err;
    }
    for (size_t i = 0; i < count; i++) {
        if (parameters[i].given)
            parameters[i].value =
                (str_t){storage->p ? storage->p + parameters[i].start : "", parameters[i].length};
    }
    return OK;
}

static err_t read_number(const parameter_t *parameter, uint64_t min, uint64_t max,
                         uint64_t *value_out) {
    if (!parameter->given)
        return OK;
    err_t err = str_to_u64(parameter->value, max, value_out);
    return err ? err : *value_out < min ? ERR_INVALID : OK;
}

static err_t read_limit(const parameter_t *parameter, uint64_t *limit_out, const char **why_out) {
    *limit_out = QUERY_LIMIT_DEFAULT;
    *why_out = "limit must be a whole number from 1 to 200";
    return read_number(parameter, 1, QUERY_LIMIT_MAX, limit_out);
}

err_t query_conversations(str_t query, strbuf_t *storage, query_conversations_t *out,
                          const char **why_out) {
    parameter_t parameters[] = {{.name = "cursor"}, {.name = "limit"}};
    size_t characters;
    *out = (query_conversations_t){0};
    err_t err = read_all(query, storage, parameters, 2, why_out);
    if (err)
        return err;
    out->cursor = parameters[0].value;
    *why_out = "cursor is not one that was given out";
    if (out->cursor.n > QUERY_CURSOR_BYTES_MAX || str_utf8_length(out->cursor, &characters))
        return ERR_INVALID;
    return read_limit(&parameters[1], &out->limit, why_out);
}

static err_t check_messages(parameter_t parameters[3], query_messages_t *out,
                            const char **why_out) {
    out->has_before = parameters[0].given;
    out->has_after = parameters[1].given;
    *why_out = "before and after exclude each other";
    if (out->has_before && out->has_after)
        return ERR_INVALID;
    *why_out = "before must be a whole number from 1 on";
    if (read_number(&parameters[0], 1, SEQ_MAX, &out->before))
        return ERR_INVALID;
    *why_out = "after must be a whole number from 0 on";
    if (read_number(&parameters[1], 0, SEQ_MAX, &out->after))
        return ERR_INVALID;
    return read_limit(&parameters[2], &out->limit, why_out);
}

err_t query_messages(str_t query, query_messages_t *out, const char **why_out) {
    parameter_t parameters[] = {{.name = "before"}, {.name = "after"}, {.name = "limit"}};
    strbuf_t storage = {0};
    *out = (query_messages_t){0};
    err_t err = read_all(query, &storage, parameters, 3, why_out);
    if (!err)
        err = check_messages(parameters, out, why_out);
    strbuf_fini(&storage);
    return err;
}
