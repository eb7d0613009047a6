/* A borrowed run of bytes: not owned, not NUL-terminated. Whoever hands it out says how long it
 * lives. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/err.h"

typedef struct {
    const char *p;
    size_t n;
} str_t;

/* For printf: printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, (s).p
/* A str_t of a string literal. */
#define STR(literal) ((str_t){"" literal "", sizeof(literal) - 1})

static inline str_t str_from(const char *nul_terminated) {
    return (str_t){nul_terminated, nul_terminated ? strlen(nul_terminated) : 0};
}

static inline bool str_eq(str_t a, str_t b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_starts_with(str_t s, str_t prefix) {
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* The part of `s` from `offset` on; empty when `offset` is past the end. */
static inline str_t str_from_offset(str_t s, size_t offset) {
    return offset >= s.n ? (str_t){s.p + s.n, 0} : (str_t){s.p + offset, s.n - offset};
}

/* Without the blanks (space, tab, carriage return) at both ends. */
str_t str_trim(str_t s);

/* Cuts the first line off `rest`, without its line break. */
str_t str_take_line(str_t *rest);

/* Cuts the first word off `rest`, up to a blank or the end. */
str_t str_take_word(str_t *rest);

/* The value of a lower-case hexadecimal digit, or -1. */
static inline int str_hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Compares as memcmp does, a shorter prefix first: <0, 0 or >0. */
int str_compare(str_t a, str_t b);

/* A NUL-terminated copy on the heap; the caller frees it. */
char *str_dup(str_t s);

/* Reads all of `s` as a decimal number without sign. ERR_INVALID when empty, with another
 * character in it, or above `max`. */
err_t str_to_u64(str_t s, uint64_t max, uint64_t *value_out) MUST_CHECK;

/* Counts the Unicode code points of `s`. ERR_INVALID when it isn't valid UTF-8 (RFC 3629: no
 * overlong forms, no surrogates, nothing above U+10FFFF). */
err_t str_utf8_length(str_t s, size_t *code_points_out) MUST_CHECK;
