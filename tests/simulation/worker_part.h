/* A persist-worker in a simulation: the real batches, read queue and job checks on real dialers,
 * with a small model of the shell that ties them to PostgreSQL (writer.c, reader.c, outbox.c). */
#pragma once

#include "database.h"
#include "network.h"

typedef struct worker_part worker_part_t;

typedef struct {
    world_t *world;
    network_t *network;
    database_t *database;
    size_t index;
    bool is_tight; /* small limits */
} worker_part_config_t;

worker_part_t *worker_part_new(const worker_part_config_t *config);
void worker_part_free(worker_part_t **self);

void worker_part_kill(worker_part_t *self, int64_t back_at_ms);
void worker_part_freeze(worker_part_t *self, int64_t until_ms);
void worker_part_check_bounds(const worker_part_t *self);
bool worker_part_is_idle(const worker_part_t *self);
