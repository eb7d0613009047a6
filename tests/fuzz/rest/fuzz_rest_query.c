/* Any query: refused with a reason, or within the bounds. */
#include "rest/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str_t text = {(const char *)data, size};
    strbuf_t storage = {0};
    query_conversations_t conversations;
    query_messages_t messages;
    const char *why = NULL;
    if (query_conversations(text, &storage, &conversations, &why) == OK) {
        ASSERT(conversations.limit >= 1 && conversations.limit <= QUERY_LIMIT_MAX);
        ASSERT(conversations.cursor.n <= QUERY_CURSOR_BYTES_MAX);
    } else {
        ASSERT(why && *why);
    }
    why = NULL;
    if (query_messages(text, &messages, &why) == OK) {
        ASSERT(messages.limit >= 1 && messages.limit <= QUERY_LIMIT_MAX);
        ASSERT(!(messages.has_before && messages.has_after));
        ASSERT(!messages.has_before || messages.before >= 1);
        ASSERT(messages.after <= INT64_MAX && messages.before <= INT64_MAX);
    } else {
        ASSERT(why && *why);
    }
    strbuf_fini(&storage);
    return 0;
}
