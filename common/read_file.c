#include "common/read_file.h"

#include <errno.h>
#include <sodium/utils.h>
#include <stdio.h>

err_t read_file(const char *path, size_t max, strbuf_t *text_out, strbuf_t *problem) {
    FILE *file = fopen(path, "re");
    if (!file) {
        strbuf_printf(problem, "%s: %s", path, strerror(errno));
        return ERR_IO;
    }
    size_t n = fread(strbuf_reserve(text_out, max + 1), 1, max + 1, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    text_out->n += n;
    if (failed || n > max) {
        strbuf_printf(problem, "%s: %s", path, failed ? "can't be read" : "too large");
        return failed ? ERR_IO : ERR_LIMIT;
    }
    return OK;
}

void read_file_wipe(strbuf_t *text) {
    if (text->p)
        sodium_memzero(text->p, text->capacity);
    strbuf_fini(text);
}
