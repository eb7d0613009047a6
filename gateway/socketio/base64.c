#include "gateway/socketio/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Appends one group of at most three bytes; returns how many characters stand for it. */
static size_t append_group(char *to, const char *alphabet, const unsigned char *p, size_t n) {
    uint32_t bits = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
    for (size_t i = 0; i <= n; i++)
        to[i] = alphabet[bits >> (18 - 6 * i) & 63];
    return n + 1;
}

static void append(strbuf_t *to, str_t bytes, const char *alphabet, bool padded) {
    const unsigned char *p = (const unsigned char *)bytes.p;
    char *out = strbuf_reserve(to, bytes.n / 3 * 4 + 4);
    size_t written = 0;
    for (size_t i = 0; i < bytes.n; i += 3)
        written += append_group(out + written, alphabet, p + i, bytes.n - i < 3 ? bytes.n - i : 3);
    while (padded && written % 4 != 0)
        out[written++] = '=';
    to->n += written;
}

void base64_append(strbuf_t *to, str_t bytes) {
    append(to, bytes, standard, true);
}

void base64url_append(strbuf_t *to, str_t bytes) {
    append(to, bytes, url_safe, false);
}

/* 0 to 63, or -1. */
static int digit_value(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

err_t base64_decode(str_t text, strbuf_t *to) {
    if (text.n % 4 != 0)
        return ERR_INVALID;
    size_t padding = 0;
    while (padding < 2 && padding < text.n && text.p[text.n - 1 - padding] == '=')
        padding++;
    size_t digits = text.n - padding;
    char *out = strbuf_reserve(to, text.n / 4 * 3 + 1);
    size_t written = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < digits; i++) {
        int value = digit_value(text.p[i]);
        if (value < 0)
            return ERR_INVALID;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0)
            out[written++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    uint32_t unused = padding == 1 ? 3 : padding == 2 ? 15 : 0;
    if (bits & unused)
        return ERR_INVALID;
    to->n += written;
    return OK;
}
