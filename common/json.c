#include "common/json.h"

#include <jansson.h>

/* A json_value_t is jansson's json_t by another name, so that its type stays out of our header. */
static const json_t *inner(const json_value_t *value) {
    return (const json_t *)(const void *)value;
}

static const json_value_t *outer(const json_t *value) {
    return (const json_value_t *)(const void *)value;
}

/* What the scan before parsing learns; brackets and commas count outside strings alone. */
typedef struct {
    size_t deepest;
    size_t values; /* at least as many as the text has */
} scan_t;

/* The position of the quote that ends the string which starts behind `at`. */
static size_t skip_string(str_t text, size_t at) {
    for (at++; at < text.n && text.p[at] != '"'; at++) {
        if (text.p[at] == '\\')
            at++;
    }
    return at;
}

static scan_t scan(str_t text) {
    scan_t found = {.values = 1};
    size_t depth = 0;
    for (size_t i = 0; i < text.n; i++) {
        switch (text.p[i]) {
        case '"':
            i = skip_string(text, i);
            break;
        case '[':
        case '{':
            found.values++;
            depth++;
            found.deepest = depth > found.deepest ? depth : found.deepest;
            break;
        case ']':
        case '}':
            depth -= depth > 0;
            break;
        case ',':
            found.values++;
            break;
        default:
            break;
        }
    }
    return found;
}

bool json_depth_ok(str_t text, size_t max) {
    return scan(text).deepest <= max;
}

err_t json_doc_new(str_t text, const json_limits_t *limits, json_doc_t **doc_out) {
    if (text.n > limits->max_bytes)
        return ERR_LIMIT;
    scan_t found = scan(text);
    if (found.deepest > limits->max_depth || found.values > limits->max_values)
        return ERR_LIMIT;
    json_t *root =
        json_loadb(text.n ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if (!root)
        return ERR_INVALID;
    *doc_out = (json_doc_t *)(void *)root;
    return OK;
}

void json_doc_free(json_doc_t **self) {
    json_decref((json_t *)(void *)*self);
    *self = NULL;
}

const json_value_t *json_doc_root(const json_doc_t *self) {
    return (const json_value_t *)(const void *)self;
}

const json_value_t *json_member(const json_value_t *parent, const char *name) {
    return outer(json_object_get(inner(parent), name));
}

const json_value_t *json_element(const json_value_t *parent, size_t index) {
    return outer(json_array_get(inner(parent), index));
}

size_t json_element_count(const json_value_t *value) {
    return json_array_size(inner(value));
}

bool json_value_is_object(const json_value_t *value) {
    return json_is_object(inner(value));
}

bool json_value_is_array(const json_value_t *value) {
    return json_is_array(inner(value));
}

static bool is_missing(const json_value_t *value) {
    return !value || json_is_null(inner(value));
}

json_field_t json_as_string(const json_value_t *value, size_t min, size_t max, str_t *text_out) {
    if (is_missing(value))
        return JSON_FIELD_MISSING;
    if (!json_is_string(inner(value)))
        return JSON_FIELD_WRONG_TYPE;
    str_t text = {json_string_value(inner(value)), json_string_length(inner(value))};
    size_t code_points = 0;
    if (str_utf8_length(text, &code_points) || code_points < min || code_points > max)
        return JSON_FIELD_OUT_OF_RANGE;
    *text_out = text;
    return JSON_FIELD_OK;
}

json_field_t json_as_i64(const json_value_t *value, int64_t *number_out) {
    if (is_missing(value))
        return JSON_FIELD_MISSING;
    if (!json_is_integer(inner(value)))
        return JSON_FIELD_WRONG_TYPE;
    *number_out = json_integer_value(inner(value));
    return JSON_FIELD_OK;
}

json_field_t json_as_u64(const json_value_t *value, uint64_t min, uint64_t max,
                         uint64_t *number_out) {
    int64_t number = 0;
    json_field_t field = json_as_i64(value, &number);
    if (field != JSON_FIELD_OK)
        return field;
    if (number < 0 || (uint64_t)number < min || (uint64_t)number > max)
        return JSON_FIELD_OUT_OF_RANGE;
    *number_out = (uint64_t)number;
    return JSON_FIELD_OK;
}

json_field_t json_as_bool(const json_value_t *value, bool *truth_out) {
    if (is_missing(value))
        return JSON_FIELD_MISSING;
    if (!json_is_boolean(inner(value)))
        return JSON_FIELD_WRONG_TYPE;
    *truth_out = json_is_true(inner(value));
    return JSON_FIELD_OK;
}

json_field_t json_get_string(const json_value_t *object, const char *name, size_t min, size_t max,
                             str_t *text_out) {
    if (!json_value_is_object(object))
        return JSON_FIELD_WRONG_TYPE;
    return json_as_string(json_member(object, name), min, max, text_out);
}

json_field_t json_get_u64(const json_value_t *object, const char *name, uint64_t min, uint64_t max,
                          uint64_t *number_out) {
    if (!json_value_is_object(object))
        return JSON_FIELD_WRONG_TYPE;
    return json_as_u64(json_member(object, name), min, max, number_out);
}

json_field_t json_get_bool(const json_value_t *object, const char *name, bool *truth_out) {
    if (!json_value_is_object(object))
        return JSON_FIELD_WRONG_TYPE;
    return json_as_bool(json_member(object, name), truth_out);
}

const char *json_field_name(json_field_t field) {
    switch (field) {
    case JSON_FIELD_OK:
        return "ok";
    case JSON_FIELD_MISSING:
        return "missing";
    case JSON_FIELD_WRONG_TYPE:
        return "of the wrong type";
    case JSON_FIELD_OUT_OF_RANGE:
        return "out of range";
    }
    return "unknown";
}
