/* A growing byte buffer that its holder owns, with the few writers that JSON output needs. */
#pragma once

#include "common/str.h"

typedef struct {
    char *p; /* `n` bytes; not NUL-terminated unless strbuf_cstr() was asked for */
    size_t n;
    size_t capacity;
} strbuf_t;

/* Zeroed is a valid empty buffer: strbuf_t b = {0}; */
void strbuf_fini(strbuf_t *self);

/* Forgets the content, keeps the memory. */
void strbuf_clear(strbuf_t *self);

/* Makes room for `extra` further bytes and returns where they go; the caller adds to `n`. */
char *strbuf_reserve(strbuf_t *self, size_t extra);

void strbuf_append(strbuf_t *self, str_t bytes);
void strbuf_append_char(strbuf_t *self, char c);
void strbuf_append_u64(strbuf_t *self, uint64_t value);
void strbuf_append_i64(strbuf_t *self, int64_t value);
void strbuf_printf(strbuf_t *self, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends `text` (valid UTF-8) as a JSON string with its quotes, escaped as RFC 8259 asks. */
void strbuf_append_json_string(strbuf_t *self, str_t text);

/* The content as a str_t, valid until the buffer changes. */
static inline str_t strbuf_str(const strbuf_t *self) {
    return (str_t){self->p, self->n};
}

/* The content with a NUL behind it, valid until the buffer changes. */
const char *strbuf_cstr(strbuf_t *self);

/* Hands the memory to the caller (who frees it) with a NUL behind the content; the buffer is empty.
 */
char *strbuf_detach(strbuf_t *self);
