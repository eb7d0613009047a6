/* The scan before parsing must agree with what the parser then finds: exactly on depth, and never
 * with fewer values than there are. */
#include "common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    size_t deepest;
    size_t values;
} shape_t;

static const char *const names[] = {"", "a", "b", "text", "conversationId"};

/* Object members are found by a few names only, so objects count as at least one level. */
static void walk(const json_value_t *value, size_t depth, shape_t *shape) {
    bool nested = json_value_is_array(value) || json_value_is_object(value);
    depth += nested;
    shape->values++;
    shape->deepest = depth > shape->deepest ? depth : shape->deepest;
    for (size_t i = 0; i < json_element_count(value); i++)
        walk(json_element(value, i), depth, shape);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const json_value_t *member = json_member(value, names[i]);
        if (member)
            walk(member, depth, shape);
    }
}

static void read_as_everything(const json_value_t *value) {
    str_t text = {0};
    uint64_t number = 0;
    int64_t integer = 0;
    bool truth = false;
    size_t code_points = 0;
    if (json_as_string(value, 1, 8000, &text) == JSON_FIELD_OK) {
        ASSERT(str_utf8_length(text, &code_points) == OK);
        ASSERT(code_points >= 1 && code_points <= 8000);
        ASSERT(text.n == 0 || !memchr(text.p, '\0', text.n));
    }
    if (json_as_u64(value, 5, 500, &number) == JSON_FIELD_OK)
        ASSERT(number >= 5 && number <= 500);
    (void)json_as_i64(value, &integer);
    (void)json_as_bool(value, &truth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const json_limits_t limits = {.max_bytes = 60000, .max_depth = 8, .max_values = 50};
    str_t text = {(const char *)data, size};
    json_doc_t *doc = NULL;
    shape_t shape = {0};
    err_t err = json_doc_new(text, &limits, &doc);
    if (size > limits.max_bytes || !json_depth_ok(text, limits.max_depth))
        ASSERT(err == ERR_LIMIT);
    if (err)
        return 0;
    walk(json_doc_root(doc), 0, &shape);
    ASSERT(shape.values <= limits.max_values);
    ASSERT(shape.deepest <= limits.max_depth);
    ASSERT(shape.deepest == 0 || !json_depth_ok(text, shape.deepest - 1));
    read_as_everything(json_doc_root(doc));
    read_as_everything(json_element(json_doc_root(doc), 0));
    read_as_everything(json_member(json_doc_root(doc), "text"));
    json_doc_free(&doc);
    return 0;
}
