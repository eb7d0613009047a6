/* How many connections each client address has open, held to a limit. */
#pragma once

#include <stdbool.h>

#include "common/client_address.h"

typedef struct address_counts address_counts_t;

/* `limit` connections an address, at least 1. */
address_counts_t *address_counts_new(size_t limit);
/* Asserts that everything taken was given back. */
void address_counts_free(address_counts_t **self);

/* Counts one connection; false, and nothing is counted, when the address has its limit. */
bool address_counts_take(address_counts_t *self, const client_address_t *address);
void address_counts_give_back(address_counts_t *self, const client_address_t *address);
size_t address_counts_addresses(const address_counts_t *self);
