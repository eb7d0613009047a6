/* Checks JSON text (RFC 8259) without building anything from it, with a bound on its nesting. Made
 * for text that only passes through: jansson would refuse "\u0000", lone surrogates and big
 * integers, all legal, and allocate for each value. */
#pragma once

#include "common/strbuf.h"

#define JSON_MAX_DEPTH 512 /* bounds the recursion, whatever is configured */

typedef enum {
    JSON_KIND_OBJECT,
    JSON_KIND_ARRAY,
    JSON_KIND_STRING,
    JSON_KIND_NUMBER,
    JSON_KIND_LITERAL
} json_kind_t;

typedef struct {
    uint32_t max_depth; /* nested arrays and objects */
    /* Objects {"_placeholder":true,"num":i} must have an integer i below `attachments`; checked
     * only if `placeholders`. */
    bool placeholders;
    uint32_t attachments;
} json_rules_t;

/* Skips one value at the front of `*text`, and the blanks around it. ERR_INVALID: not JSON, or a
 * bad placeholder; ERR_LIMIT: nested too deeply. `value_out` is the value without the blanks. The
 * text must be valid UTF-8. */
err_t json_take_value(str_t *text, const json_rules_t *rules, json_kind_t *kind_out,
                      str_t *value_out) MUST_CHECK;

/* Appends what a JSON string (with its quotes, checked) stands for. A lone surrogate becomes
 * U+FFFD. */
void json_unescape(str_t string, strbuf_t *to);
