/* A head that http_head_parse() accepts lies within its input, and every cut of it is incomplete;
 * eio_request keeps of it what the accessors find again. */
#include "gateway/socketio/eio_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_HEAD = 8192 };

static void check_request(const http_head_t *head) {
    static const char *const kept[] = {"cookie", "host", "origin", "a", NULL};
    eio_request_t *request = eio_request_new(head, kept, STR("127.0.0.1"), false);
    str_t name, value;
    size_t n = 0;
    while (eio_request_query_at(request, n, &name, &value))
        n++;
    ASSERT(n <= head->query.n);
    for (size_t i = 0; eio_request_header_at(request, i, &name, &value); i++) {
        char *text = str_dup(name);
        ASSERT(str_eq(eio_request_header(request, text), value));
        ASSERT(http_head_header(head, name).p != NULL);
        free(text);
    }
    ASSERT(str_eq(eio_request_path(request), head->path));
    eio_request_free(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    http_head_t head, again;
    size_t length = 0, other;
    str_t bytes = {(const char *)data, size};
    if (http_head_parse(bytes, MAX_HEAD, &head, &length) != OK)
        return 0;
    ASSERT(length <= size && length <= MAX_HEAD && head.n_headers <= HTTP_MAX_HEADERS);
    ASSERT(head.path.n > 0 && head.path.p[0] == '/' && head.method.n > 0);
    ASSERT(http_head_parse((str_t){bytes.p, length}, MAX_HEAD, &again, &other) == OK);
    ASSERT(other == length && again.n_headers == head.n_headers);
    ASSERT(http_head_parse((str_t){bytes.p, length - 1}, MAX_HEAD, &again, &other) ==
           ERR_UNAVAILABLE);
    check_request(&head);
    return 0;
}
