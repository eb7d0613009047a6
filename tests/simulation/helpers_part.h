/* Those without a core of their own here: an auth-worker that believes every token, and an
 * administrator who adds and removes members of groups through HTTP's way in (role rest). */
#pragma once

#include "network.h"
#include "store.h"

typedef struct auth_part auth_part_t;
auth_part_t *auth_part_new(world_t *world, network_t *network);
void auth_part_free(auth_part_t **self);
void auth_part_freeze(auth_part_t *self, int64_t until_ms);

typedef struct admin_part admin_part_t;
admin_part_t *admin_part_new(world_t *world, network_t *network, store_t *store);
void admin_part_free(admin_part_t **self);
/* No more changes. */
void admin_part_calm(admin_part_t *self);
bool admin_part_is_idle(const admin_part_t *self);
