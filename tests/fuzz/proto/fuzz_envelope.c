/* Any frame: the head decodes and encodes to the same bytes; any body is refused or decoded without
 * harm, whatever its type claims. */
#include "proto/envelope.h"
#include "proto/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static proto_arena_t *arena;
    if (!arena)
        arena = proto_arena_new();
    str_t frame = {(const char *)data, size};
    envelope_t envelope;
    if (envelope_decode(frame, &envelope) != OK)
        return 0;
    strbuf_t again = {0};
    envelope_encode(&envelope, &again);
    ASSERT(str_eq(strbuf_str(&again), frame));
    strbuf_fini(&again);
    if (proto_check((uint16_t)(envelope.type % 90), envelope.body, arena) == OK)
        ASSERT(proto_name((uint16_t)(envelope.type % 90)));
    return 0;
}
