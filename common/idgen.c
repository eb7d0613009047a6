#include "common/idgen.h"

idgen_uuid_t idgen_uuid7(int64_t unix_ms, const uint8_t random[IDGEN_RANDOM_BYTES]) {
    idgen_uuid_t uuid;
    uint64_t ms = unix_ms > 0 ? (uint64_t)unix_ms : 0;
    for (size_t i = 0; i < 6; i++)
        uuid.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    memcpy(uuid.bytes + 6, random, IDGEN_RANDOM_BYTES);
    uuid.bytes[6] = (uint8_t)(0x70 | (uuid.bytes[6] & 0x0f)); /* version */
    uuid.bytes[8] = (uint8_t)(0x80 | (uuid.bytes[8] & 0x3f)); /* variant */
    return uuid;
}

/* Is there a hyphen before this byte's digits? */
static bool hyphen_before(size_t byte) {
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void idgen_format(const idgen_uuid_t *uuid, char text_out[IDGEN_UUID_TEXT + 1]) {
    static const char digits[] = "0123456789abcdef";
    char *to = text_out;
    for (size_t i = 0; i < sizeof(uuid->bytes); i++) {
        if (hyphen_before(i))
            *to++ = '-';
        *to++ = digits[uuid->bytes[i] >> 4];
        *to++ = digits[uuid->bytes[i] & 15];
    }
    *to = '\0';
}

err_t idgen_parse(str_t text, idgen_uuid_t *uuid_out) {
    if (text.n != IDGEN_UUID_TEXT)
        return ERR_INVALID;
    const char *from = text.p;
    for (size_t i = 0; i < sizeof(uuid_out->bytes); i++) {
        if (hyphen_before(i) && *from++ != '-')
            return ERR_INVALID;
        int high = str_hex_value(from[0]);
        int low = str_hex_value(from[1]);
        if (high < 0 || low < 0)
            return ERR_INVALID;
        uuid_out->bytes[i] = (uint8_t)(high << 4 | low);
        from += 2;
    }
    return OK;
}
