/* Any pid and any offset. An offset that is taken keeps the limits, and written again it reads the
 * same; a pid that isn't ours is not opened. */
#include "gateway/recovery_offset.h"
#include "gateway/recovery_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_offset(str_t text) {
    recovery_offset_t offset, again;
    strbuf_t written = {0};
    if (recovery_offset_parse(text, &offset) != OK)
        return;
    ASSERT(offset.n <= RECOVERY_ROOMS_MAX && text.n <= RECOVERY_OFFSET_MAX);
    recovery_offset_begin(&written, offset.generation, offset.changes_ms);
    for (size_t i = 0; i < offset.n; i++)
        recovery_offset_add(&written, offset.rooms[i].name, offset.rooms[i].seq,
                            offset.rooms[i].read_ms);
    ASSERT(written.n <= text.n); /* leading zeros are not written */
    ASSERT(recovery_offset_parse(strbuf_str(&written), &again) == OK && again.n == offset.n);
    ASSERT(str_eq(again.generation, offset.generation) && again.changes_ms == offset.changes_ms);
    for (size_t i = 0; i < offset.n; i++)
        ASSERT(str_eq(again.rooms[i].name, offset.rooms[i].name) &&
               again.rooms[i].seq == offset.rooms[i].seq &&
               again.rooms[i].read_ms == offset.rooms[i].read_ms);
    strbuf_fini(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str_t text = {size ? (const char *)data : "", size};
    recovery_keys_t keys = {0};
    recovery_identity_t identity;
    strbuf_t plain = {0};
    recovery_keys_add(&keys, STR("nobody has this one"));
    ASSERT(recovery_token_open(&keys, text, &plain, &identity) == ERR_INVALID);
    check_offset(text);
    strbuf_fini(&plain);
    return 0;
}
