#include "broker/members.h"

struct members {
    size_t n;
    size_t bytes;
    str_t ids[]; /* sorted; the text follows */
};

static int compare(const void *a, const void *b) {
    return str_compare(*(const str_t *)a, *(const str_t *)b);
}

members_t *members_new(const str_t *ids, size_t n) {
    size_t bytes = sizeof(members_t) + n * sizeof(str_t);
    for (size_t i = 0; i < n; i++)
        bytes += ids[i].n;
    members_t *self = xmalloc(bytes);
    self->bytes = bytes;
    char *at = (char *)&self->ids[n];
    for (size_t i = 0; i < n; i++) {
        self->ids[i] = (str_t){at, ids[i].n};
        if (ids[i].n)
            memcpy(at, ids[i].p, ids[i].n);
        at += ids[i].n;
    }
    qsort(self->ids, n, sizeof(str_t), compare);
    self->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (self->n == 0 || !str_eq(self->ids[self->n - 1], self->ids[i]))
            self->ids[self->n++] = self->ids[i];
    }
    return self;
}

members_t *members_changed(const members_t *self, const str_t *added, size_t added_n,
                           const str_t *removed, size_t removed_n) {
    members_t *gone = members_new(removed, removed_n);
    str_t *ids = xmalloc((self->n + added_n + 1) * sizeof(str_t));
    size_t n = 0;
    for (size_t i = 0; i < self->n; i++) {
        if (!members_contain(gone, self->ids[i]))
            ids[n++] = self->ids[i];
    }
    for (size_t i = 0; i < added_n; i++)
        ids[n++] = added[i];
    members_t *changed = members_new(ids, n);
    free(ids);
    members_free(&gone);
    return changed;
}

void members_free(members_t **self) {
    free(*self);
    *self = NULL;
}

bool members_contain(const members_t *self, str_t id) {
    return self->n && bsearch(&id, self->ids, self->n, sizeof(str_t), compare);
}

size_t members_count(const members_t *self) {
    return self->n;
}

size_t members_bytes(const members_t *self) {
    return self->bytes;
}
