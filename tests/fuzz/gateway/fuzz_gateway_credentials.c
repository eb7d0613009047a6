/* Any `auth` object and any Authorization header: a token is a part of one of them. */
#include "gateway/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    const char *newline = size ? memchr(text, '\n', size) : NULL;
    size_t at = newline ? (size_t)(newline - text) : size;
    json_doc_t *doc = NULL;
    str_t header = {text, at};
    str_t auth = str_from_offset((str_t){text, size}, at + 1);
    str_t token = credentials_token(auth, header, &doc);
    ASSERT(token.n <= size);
    if (token.n && !doc)
        ASSERT(token.p >= header.p && token.p + token.n <= header.p + header.n);
    json_doc_free(&doc);
    return 0;
}
