#include "persist-worker/seen.h"

#include "common/siphash.h"

#include <utlist.h>

typedef struct entry {
    uint64_t number;
    struct entry *prev, *next; /* least recently used first */
    UT_hash_handle hh;         /* by name */
    size_t n;
    char name[];
} entry_t;

struct seen {
    size_t limit;
    entry_t *by_name; /* name => entry */
    entry_t *uses;
};

seen_t *seen_new(size_t limit) {
    ASSERT(limit > 0);
    seen_t *self = xcalloc(1, sizeof(*self));
    self->limit = limit;
    return self;
}

static void drop(seen_t *self, entry_t *entry) {
    /* The analyser doesn't know that only the last has no next.
     * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    DL_DELETE(self->uses, entry);
    HASH_DELETE(hh, self->by_name, entry);
    free(entry);
}

void seen_clear(seen_t *self) {
    while (self->uses)
        drop(self, self->uses);
}

void seen_free(seen_t **self) {
    if (*self)
        seen_clear(*self);
    free(*self);
    *self = NULL;
}

/* The entry, moved to the end of the list of uses; NULL when there is none. */
static entry_t *use(seen_t *self, str_t name) {
    entry_t *entry = NULL;
    HASH_FIND(hh, self->by_name, name.p, name.n, entry);
    if (entry) {
        DL_DELETE(self->uses, entry);
        DL_APPEND(self->uses, entry);
    }
    return entry;
}

bool seen_find(seen_t *self, str_t name, uint64_t *number_out) {
    entry_t *entry = use(self, name);
    if (entry)
        *number_out = entry->number;
    return entry != NULL;
}

void seen_put(seen_t *self, str_t name, uint64_t number) {
    entry_t *entry = use(self, name);
    if (!entry) {
        if (seen_count(self) >= self->limit)
            drop(self, self->uses);
        entry = xcalloc(1, sizeof(*entry) + name.n);
        entry->n = name.n;
        memcpy(entry->name, name.p, name.n);
        HASH_ADD_KEYPTR(hh, self->by_name, entry->name, entry->n, entry);
        DL_APPEND(self->uses, entry);
    }
    entry->number = number;
}

void seen_forget(seen_t *self, str_t name) {
    entry_t *entry = use(self, name);
    if (entry)
        drop(self, entry);
}

size_t seen_count(const seen_t *self) {
    return HASH_COUNT(self->by_name);
}
