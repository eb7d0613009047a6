#include "common/str.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

str_t str_trim(str_t s) {
    while (s.n && is_blank(s.p[0]))
        s = str_from_offset(s, 1);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

str_t str_take_line(str_t *rest) {
    const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    str_t line = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    *rest = str_from_offset(*rest, line.n + (end ? 1 : 0));
    return line;
}

str_t str_take_word(str_t *rest) {
    str_t word = {rest->p, 0};
    while (word.n < rest->n && !is_blank(rest->p[word.n]))
        word.n++;
    *rest = str_from_offset(*rest, word.n);
    return word;
}

int str_compare(str_t a, str_t b) {
    size_t shorter = a.n < b.n ? a.n : b.n;
    int order = shorter ? memcmp(a.p, b.p, shorter) : 0;
    if (order != 0 || a.n == b.n)
        return order;
    return a.n < b.n ? -1 : 1;
}

char *str_dup(str_t s) {
    char *copy = xmalloc(s.n + 1);
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

err_t str_to_u64(str_t s, uint64_t max, uint64_t *value_out) {
    uint64_t value = 0;
    if (s.n == 0)
        return ERR_INVALID;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return ERR_INVALID;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (value > (max - digit) / 10 || digit > max)
            return ERR_INVALID;
        value = value * 10 + digit;
    }
    *value_out = value;
    return OK;
}

/* The length of the sequence that starts at `p`, or 0 when it isn't a legal one of at most `n`
 * bytes. */
static size_t utf8_sequence(const unsigned char *p, size_t n) {
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < length)
        return 0;
    unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

err_t str_utf8_length(str_t s, size_t *code_points_out) {
    const unsigned char *p = (const unsigned char *)s.p;
    size_t count = 0;
    for (size_t i = 0; i < s.n; count++) {
        size_t length = utf8_sequence(p + i, s.n - i);
        if (length == 0)
            return ERR_INVALID;
        i += length;
    }
    *code_points_out = count;
    return OK;
}
