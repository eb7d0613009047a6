#include "common/sharedbuf.h"

struct sharedbuf {
    size_t references;
    size_t n;
    char bytes[];
};

sharedbuf_t *sharedbuf_new(str_t bytes) {
    sharedbuf_t *self = xmalloc(sizeof(*self) + bytes.n);
    self->references = 1;
    self->n = bytes.n;
    if (bytes.n)
        memcpy(self->bytes, bytes.p, bytes.n);
    return self;
}

sharedbuf_t *sharedbuf_ref(sharedbuf_t *self) {
    self->references++;
    return self;
}

void sharedbuf_unref(sharedbuf_t **self) {
    if (*self && --(*self)->references == 0)
        free(*self);
    *self = NULL;
}

str_t sharedbuf_str(const sharedbuf_t *self) {
    return (str_t){self->bytes, self->n};
}
