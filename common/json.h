/* Reading JSON that peers send: bounded before it is parsed, then read with typed getters. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

typedef struct {
    size_t max_bytes;
    size_t max_depth; /* arrays and objects inside each other */
    size_t
        max_values; /* members and elements altogether; bounds the memory a small text can take */
} json_limits_t;

#define JSON_DEPTH_DEFAULT 32
#define JSON_VALUES_DEFAULT 10000

typedef struct json_doc json_doc_t;     /* a parsed text; owns its values */
typedef struct json_value json_value_t; /* one value in it, valid as long as the document */

/* Why a field could not be read. */
typedef enum {
    JSON_FIELD_OK = 0,
    JSON_FIELD_MISSING,      /* not there, or null */
    JSON_FIELD_WRONG_TYPE,   /* there with another type; also when the parent is no object */
    JSON_FIELD_OUT_OF_RANGE, /* right type, outside the bounds */
} json_field_t;

/* False when arrays and objects nest deeper than `max`. Looks at brackets outside strings alone, in
 * constant memory; the rest of the grammar is the parser's. */
bool json_depth_ok(str_t text, size_t max);

/* Parses any JSON value (RFC 8259). ERR_LIMIT: over a limit, nothing was parsed. ERR_INVALID: not
 * JSON, invalid UTF-8, \u0000, an integer beyond 64 bits, or a name twice in one object. */
err_t json_doc_new(str_t text, const json_limits_t *limits, json_doc_t **doc_out) MUST_CHECK;
void json_doc_free(json_doc_t **self);
const json_value_t *json_doc_root(const json_doc_t *self);

/* The member or element, NULL when there is none or `parent` is of another type. */
const json_value_t *json_member(const json_value_t *parent, const char *name);
const json_value_t *json_element(const json_value_t *parent, size_t index);
/* The number of elements; 0 when it is no array. */
size_t json_element_count(const json_value_t *value);

bool json_value_is_object(const json_value_t *value);
bool json_value_is_array(const json_value_t *value);

/* These read one value; NULL counts as missing. On anything but JSON_FIELD_OK *_out is unchanged.
 * Strings are bounded in code points and borrowed from the document; integers must be written as
 * such (5, not 5.0). */
json_field_t json_as_string(const json_value_t *value, size_t min, size_t max, str_t *text_out);
json_field_t json_as_u64(const json_value_t *value, uint64_t min, uint64_t max,
                         uint64_t *number_out);
json_field_t json_as_i64(const json_value_t *value, int64_t *number_out);
json_field_t json_as_bool(const json_value_t *value, bool *truth_out);

/* The same for the member `name` of an object. */
json_field_t json_get_string(const json_value_t *object, const char *name, size_t min, size_t max,
                             str_t *text_out);
json_field_t json_get_u64(const json_value_t *object, const char *name, uint64_t min, uint64_t max,
                          uint64_t *number_out);
json_field_t json_get_bool(const json_value_t *object, const char *name, bool *truth_out);

/* "ok", "missing", "of the wrong type", "out of range": for error messages. */
const char *json_field_name(json_field_t field);
