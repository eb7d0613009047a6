/* The error values every fallible function returns, and the assertion for our own bugs. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

/* 0 or one of the negative values below. Must be checked. */
typedef int err_t;

enum {
    OK = 0,
    ERR_INVALID = -1,     /* malformed input: breaks its grammar or schema */
    ERR_LIMIT = -2,       /* well formed, but over a configured bound */
    ERR_UNAVAILABLE = -3, /* a dependency is away or a queue is full; trying again later may help */
    ERR_TIMEOUT = -4,     /* the deadline passed first */
    ERR_CLOSED = -5,      /* the peer or object is closed */
    ERR_IO = -6,     /* the operating system or a library refused; errno or a log line says why */
    ERR_EXISTS = -7, /* what should be new is there already */
};

/* The value's name in lower case, for logs: "invalid", "limit", … Never NULL. */
const char *err_name(err_t err);

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

/* For our own bugs only, on in release builds too. Peer input gets an err_t instead. */
#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            assert_failed(#condition, __FILE__, __LINE__);                                         \
    } while (0)

_Noreturn void assert_failed(const char *condition, const char *file, int line);

/* Allocation that aborts when memory is exhausted. Whatever a peer can size is bounded before. */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *memory, size_t size) __attribute__((returns_nonnull));
