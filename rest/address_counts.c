#include "rest/address_counts.h"

#include "common/siphash.h"

typedef struct {
    UT_hash_handle hh;
    client_address_t address;
    size_t connections; /* never 0 */
} entry_t;

struct address_counts {
    entry_t *by_address; /* address => entry */
    size_t limit;
};

address_counts_t *address_counts_new(size_t limit) {
    ASSERT(limit > 0);
    address_counts_t *self = xcalloc(1, sizeof(*self));
    self->limit = limit;
    return self;
}

void address_counts_free(address_counts_t **self) {
    if (!*self)
        return;
    ASSERT(!(*self)->by_address);
    free(*self);
    *self = NULL;
}

bool address_counts_take(address_counts_t *self, const client_address_t *address) {
    entry_t *entry = NULL;
    HASH_FIND(hh, self->by_address, address, sizeof(*address), entry);
    if (!entry) {
        entry = xcalloc(1, sizeof(*entry));
        entry->address = *address;
        HASH_ADD(hh, self->by_address, address, sizeof(*address), entry);
    } else if (entry->connections == self->limit) {
        return false;
    }
    entry->connections++;
    return true;
}

void address_counts_give_back(address_counts_t *self, const client_address_t *address) {
    entry_t *entry = NULL;
    HASH_FIND(hh, self->by_address, address, sizeof(*address), entry);
    ASSERT(entry);
    if (--entry->connections > 0)
        return;
    HASH_DEL(self->by_address, entry);
    free(entry);
}

size_t address_counts_addresses(const address_counts_t *self) {
    return HASH_COUNT(self->by_address);
}
