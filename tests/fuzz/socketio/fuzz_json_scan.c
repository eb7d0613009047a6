/* What another parser takes for JSON, json_scan takes too; and the value it takes off the front is
 * itself complete. (Not the other way round: jansson refuses legal things, see json_scan.h.) */
#include <jansson.h>

#include "gateway/socketio/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const json_rules_t rules = {.max_depth = JSON_MAX_DEPTH};
    str_t text = {(const char *)data, size}, rest = text, value, again;
    json_kind_t kind, kind_again;
    size_t code_points;
    json_error_t error;
    if (size == 0 || str_utf8_length(text, &code_points) != OK)
        return 0;
    err_t err = json_take_value(&rest, &rules, &kind, &value);
    ASSERT(rest.p >= text.p && rest.p + rest.n == text.p + text.n);
    /* jansson takes NULs for blanks. */
    json_t *other =
        memchr(data, 0, size) ? NULL : json_loadb(text.p, text.n, JSON_DECODE_ANY, &error);
    ASSERT(!other || err == ERR_LIMIT || (err == OK && rest.n == 0));
    json_decref(other);
    if (err != OK)
        return 0;
    str_t copy = value;
    ASSERT(json_take_value(&copy, &rules, &kind_again, &again) == OK && copy.n == 0);
    ASSERT(kind_again == kind && str_eq(value, again));
    if (kind == JSON_KIND_STRING) {
        strbuf_t plain = {0};
        json_unescape(value, &plain);
        ASSERT(str_utf8_length(strbuf_str(&plain), &code_points) == OK);
        strbuf_fini(&plain);
    }
    return 0;
}
