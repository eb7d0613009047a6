/* Which users the database has been told about lately, so that not every request tells it again.
 * Bounded: at its limit the one told about longest ago is forgotten. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

typedef struct seen_users seen_users_t;

/* An entry lasts `keep_ms`; at least one fits. */
seen_users_t *seen_users_new(size_t max_users, int64_t keep_ms);
void seen_users_free(seen_users_t **self);

/* Was this user noted with exactly this name and role, and is that not too long ago? */
bool seen_users_knows(seen_users_t *self, str_t user, str_t name, str_t role, int64_t now_ms);
void seen_users_note(seen_users_t *self, str_t user, str_t name, str_t role, int64_t now_ms);
size_t seen_users_count(const seen_users_t *self);
