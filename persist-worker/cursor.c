#include "persist-worker/cursor.h"

#include <sodium.h>

void cursor_append(strbuf_t *out, int64_t activity_us, str_t conversation) {
    ASSERT(activity_us >= 0 && conversation.n <= IDS_ROOM_MAX);
    strbuf_t plain = {0};
    strbuf_append_u64(&plain, (uint64_t)activity_us);
    strbuf_append_char(&plain, '/');
    strbuf_append(&plain, conversation);
    size_t size = sodium_base64_ENCODED_LEN(plain.n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_bin2base64(strbuf_reserve(out, size), size, (const unsigned char *)plain.p, plain.n,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    out->n += size - 1; /* without its NUL */
    strbuf_fini(&plain);
}

err_t cursor_parse(str_t text, cursor_t *cursor_out) {
    unsigned char plain[CURSOR_TEXT_MAX];
    size_t n;
    if (text.n > CURSOR_TEXT_MAX ||
        sodium_base642bin(plain, sizeof(plain), text.p, text.n, NULL, &n, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return ERR_INVALID;
    const char *separator = memchr(plain, '/', n);
    if (!separator)
        return ERR_INVALID;
    size_t digits = (size_t)(separator - (const char *)plain);
    str_t conversation = str_from_offset((str_t){(const char *)plain, n}, digits + 1);
    uint64_t activity_us;
    if (str_to_u64((str_t){(const char *)plain, digits}, INT64_MAX, &activity_us) != OK ||
        !ids_is_conversation(conversation))
        return ERR_INVALID;
    cursor_out->activity_us = (int64_t)activity_us;
    cursor_out->conversation_n = conversation.n;
    memcpy(cursor_out->conversation, conversation.p, conversation.n);
    return OK;
}
