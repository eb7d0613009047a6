/* Any `auth` object and any Authorization header: a token is a part of one of them. */
#include "gateway/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    const char *newline = size ? memchr(text, '\n', size) : NULL;
    size_t at = newline ? (size_t)(newline - text) : size;
    credentials_t read;
    str_t header = {text, at};
    str_t auth = str_from_offset((str_t){text, size}, at + 1);
    credentials_read(auth, header, &read);
    ASSERT(read.token.n <= size && read.pid.n <= size && read.offset.n <= size);
    ASSERT(read.doc || (read.pid.n == 0 && read.offset.n == 0));
    if (read.token.n && !read.doc)
        ASSERT(read.token.p >= header.p && read.token.p + read.token.n <= header.p + header.n);
    credentials_fini(&read);
    return 0;
}
