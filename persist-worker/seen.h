/* A bounded memory of names with one number each, the least recently used forgotten first: which
 * users are stored with which profile, which conversations exist. Pure. */
#pragma once

#include "common/str.h"

typedef struct seen seen_t;

seen_t *seen_new(size_t limit);
void seen_free(seen_t **self);

/* Whether `name` is remembered, and with which number; counts as a use. */
bool seen_find(seen_t *self, str_t name, uint64_t *number_out);
/* Remembers `name` with this number instead of any other. */
void seen_put(seen_t *self, str_t name, uint64_t number);
void seen_forget(seen_t *self, str_t name);
void seen_clear(seen_t *self);
size_t seen_count(const seen_t *self);
