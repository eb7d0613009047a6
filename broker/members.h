/* The user ids of one group, sorted, in one allocation. */
#pragma once

#include "common/str.h"

typedef struct members members_t;

/* A set of copies of `ids`, in any order; ids that occur twice count once. */
members_t *members_new(const str_t *ids, size_t n);
/* The set without `removed` and with `added`. */
members_t *members_changed(const members_t *self, const str_t *added, size_t added_n,
                           const str_t *removed, size_t removed_n);
void members_free(members_t **self);

bool members_contain(const members_t *self, str_t id);
size_t members_count(const members_t *self);
/* What it takes in memory. */
size_t members_bytes(const members_t *self);
