/* A gateway core among clients, a broker and a store that behave as API.md and docs/protocol.md
 * say, driven by numbers: for random and fuzzed schedules. Every promise is checked on the way, and
 * world_finish() lets everything come to rest and checks that nothing is missing. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct world world_t;

world_t *world_new(void);
/* One step, chosen by `what`, with its details in `detail`. */
void world_step(world_t *self, uint8_t what, uint8_t detail);
void world_finish(world_t *self);
void world_free(world_t **self);

/* How much has happened, so that a test can see that schedules do something. */
typedef struct {
    size_t stored, delivered, acknowledged, joined, gaps, claims, restarts, expelled;
} world_figures_t;
world_figures_t world_figures(const world_t *self);
