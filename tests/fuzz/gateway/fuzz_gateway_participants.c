/* Merging presence into any text: valid JSON stays valid, and nothing is read beyond its end. */
#include "common/json.h"
#include "gateway/participants.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const json_limits_t limits = {
    .max_bytes = SIZE_MAX, .max_depth = 64, .max_values = SIZE_MAX};

static user_presence_t look_up(void *ctx, str_t user) {
    (void)ctx;
    return (user_presence_t){.online = user.n == 1, .last_seen_ms = 1234567890123};
}

static void check(str_t text, str_t merged, size_t users) {
    json_doc_t *doc = NULL;
    if (json_doc_new(text, &limits, &doc))
        return;
    ASSERT(json_element_count(json_doc_root(doc)) == users);
    json_doc_free(&doc);
    ASSERT(json_doc_new(merged, &limits, &doc) == OK);
    const json_value_t *root = json_doc_root(doc);
    ASSERT(json_element_count(root) == users);
    for (size_t i = 0; i < users; i++) {
        bool online = false;
        str_t seen = {0};
        const json_value_t *user = json_element(root, i);
        ASSERT(json_get_bool(user, "online", &online) == JSON_FIELD_OK && online == (i == 0));
        ASSERT(json_get_string(user, "lastSeenAt", 0, SIZE_MAX, &seen) == JSON_FIELD_OK);
    }
    json_doc_free(&doc);
}

/* The first byte says how many users there are. The text is copied, so that its end is watched. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const str_t ids[] = {{"a", 1}, {"bb", 2}, {"cc", 2}};
    strbuf_t out = {0};
    if (size == 0)
        return 0;
    size_t users = data[0] % 4;
    char *copy = xmalloc(size - 1 ? size - 1 : 1);
    memcpy(copy, data + 1, size - 1);
    str_t text = {copy, size - 1};
    if (participants_merge(text, &(proto_texts_t){ids, users}, look_up, NULL, &out) == OK)
        check(text, strbuf_str(&out), users);
    else
        ASSERT(out.n == 0);
    strbuf_fini(&out);
    free(copy);
    return 0;
}
