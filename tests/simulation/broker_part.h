/* A broker in a simulation: the real core on the real listener, one life after another. */
#pragma once

#include "network.h"
#include "store.h"

typedef struct broker_part broker_part_t;

typedef struct {
    world_t *world;
    network_t *network;
    store_t *store; /* to note refusals */
    size_t index;
    bool is_tight; /* small limits, so that queues run full */
} broker_part_config_t;

broker_part_t *broker_part_new(const broker_part_config_t *config);
void broker_part_free(broker_part_t **self);

/* The process is killed; the next life begins at that time. */
void broker_part_kill(broker_part_t *self, int64_t back_at_ms);
void broker_part_freeze(broker_part_t *self, int64_t until_ms);

/* No queue is over its bound; if not, the world has failed. */
void broker_part_check_bounds(const broker_part_t *self);
/* Nothing waits. */
bool broker_part_is_idle(const broker_part_t *self);

typedef struct {
    str_t room;
    str_t gateway; /* instance name */
    uint64_t incarnation;
    uint64_t session;
    str_t user;
} broker_part_member_t;
/* Calls `each` with every membership. */
void broker_part_members(const broker_part_t *self,
                         void (*each)(void *ctx, const broker_part_member_t *member), void *ctx);
