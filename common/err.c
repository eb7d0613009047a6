#include "common/err.h"

const char *err_name(err_t err) {
    switch (err) {
    case OK:
        return "ok";
    case ERR_INVALID:
        return "invalid";
    case ERR_LIMIT:
        return "limit";
    case ERR_UNAVAILABLE:
        return "unavailable";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_CLOSED:
        return "closed";
    case ERR_IO:
        return "io";
    case ERR_EXISTS:
        return "exists";
    default:
        return "unknown";
    }
}

_Noreturn void assert_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "assertion failed: %s (%s:%d)\n", condition, file, line);
    abort();
}

static void *check_memory(void *memory) {
    if (!memory) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *xmalloc(size_t size) {
    return check_memory(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size) {
    return check_memory(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *memory, size_t size) {
    return check_memory(realloc(memory, size ? size : 1));
}
