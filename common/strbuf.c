#include "common/strbuf.h"

#include <inttypes.h>
#include <stdarg.h>

void strbuf_fini(strbuf_t *self) {
    free(self->p);
    *self = (strbuf_t){0};
}

void strbuf_clear(strbuf_t *self) {
    self->n = 0;
}

char *strbuf_reserve(strbuf_t *self, size_t extra) {
    ASSERT(extra < SIZE_MAX / 4);
    if (self->capacity - self->n < extra) {
        size_t wanted = self->n + extra;
        size_t doubled = self->capacity ? self->capacity * 2 : 64;
        self->capacity = wanted > doubled ? wanted : doubled;
        self->p = xrealloc(self->p, self->capacity);
    }
    return self->p + self->n;
}

void strbuf_append(strbuf_t *self, str_t bytes) {
    if (bytes.n == 0)
        return;
    memcpy(strbuf_reserve(self, bytes.n), bytes.p, bytes.n);
    self->n += bytes.n;
}

void strbuf_append_char(strbuf_t *self, char c) {
    *strbuf_reserve(self, 1) = c;
    self->n++;
}

void strbuf_append_u64(strbuf_t *self, uint64_t value) {
    char digits[20];
    size_t first = sizeof(digits);
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    strbuf_append(self, (str_t){digits + first, sizeof(digits) - first});
}

void strbuf_append_i64(strbuf_t *self, int64_t value) {
    if (value < 0)
        strbuf_append_char(self, '-');
    strbuf_append_u64(self, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void strbuf_printf(strbuf_t *self, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(length >= 0);
    char *to = strbuf_reserve(self, (size_t)length + 1);
    va_start(args, format);
    vsnprintf(to, (size_t)length + 1, format, args);
    va_end(args);
    self->n += (size_t)length;
}

/* What stands for `c` inside a JSON string behind a backslash, or 0 when it may stand for itself.
 */
static char json_escape(unsigned char c) {
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return c < 0x20 ? 'u' : 0;
    }
}

void strbuf_append_json_string(strbuf_t *self, str_t text) {
    static const char hex[] = "0123456789abcdef";
    strbuf_append_char(self, '"');
    size_t plain = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        char escape = json_escape(c);
        if (!escape)
            continue;
        strbuf_append(self, (str_t){text.p + plain, i - plain});
        plain = i + 1;
        strbuf_append_char(self, '\\');
        strbuf_append_char(self, escape);
        if (escape == 'u')
            strbuf_append(self, (str_t){(char[]){'0', '0', hex[c >> 4], hex[c & 15]}, 4});
    }
    strbuf_append(self, str_from_offset(text, plain));
    strbuf_append_char(self, '"');
}

const char *strbuf_cstr(strbuf_t *self) {
    *strbuf_reserve(self, 1) = '\0';
    return self->p;
}

char *strbuf_detach(strbuf_t *self) {
    strbuf_cstr(self);
    char *memory = self->p;
    *self = (strbuf_t){0};
    return memory;
}
