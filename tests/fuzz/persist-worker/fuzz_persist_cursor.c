/* Any text as a cursor: what is accepted is written back the same. */
#include "persist-worker/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str_t text = {(const char *)data, size};
    cursor_t cursor, again;
    if (cursor_parse(text, &cursor) != OK)
        return 0;
    strbuf_t written = {0};
    str_t conversation = {cursor.conversation, cursor.conversation_n};
    cursor_append(&written, cursor.activity_us, conversation);
    ASSERT(cursor_parse(strbuf_str(&written), &again) == OK);
    ASSERT(again.activity_us == cursor.activity_us);
    ASSERT(str_eq((str_t){again.conversation, again.conversation_n}, conversation));
    strbuf_fini(&written);
    return 0;
}
