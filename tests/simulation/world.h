/* What everything in a simulation shares: the clock, chance drawn from the seed, what happens when,
 * and the first promise that was found broken. Equal seeds give equal worlds, step for step. */
#pragma once

#include <stdint.h>

#include "common/deadline.h"
#include "common/str.h"

/* Bugs that can be put in, to see that they are found. Each is in the code that joins the parts. */
#define PLANTS(X)                                                                                  \
    X(UNCOUNTED, "uncounted") /* links don't notice that envelopes are missing */                  \
    X(EARLY, "early")         /* workers tell of messages before they are committed */             \
    X(HEADS, "heads")         /* heads compared after a resync always say 0 */                     \
    X(EXPEL, "expel")         /* the broker forgets to tell gateways whom to expel */              \
    X(KEY, "key")             /* the store has no unique key of client ids */
typedef enum {
    PLANT_NONE,
#define X(NAME, name) PLANT_##NAME,
    PLANTS(X)
#undef X
} plant_t;

/* One process: something that can be frozen, or killed and started anew. */
typedef struct {
    int64_t asleep_until_ms; /* frozen, or dead, until then: nothing reaches it */
} process_t;

/* Something that happens at a time; zeroed but for run and ctx at first. */
typedef struct {
    deadline_t due;
    void (*run)(void *ctx);
    void *ctx;
    const process_t *process; /* it waits while this one sleeps; NULL: never */
} event_t;

typedef struct {
    int64_t now_ms;
    uint64_t seed;
    uint64_t chance; /* state of the generator */
    plant_t plant;
    bool tracing;
    deadline_heap_t events;
    uint64_t steps;
    uint64_t digest; /* of all steps */
    char fault[512]; /* the first one; empty: none */
} world_t;

void world_init(world_t *self, uint64_t seed);
void world_fini(world_t *self);

/* 0 to below − 1; low to high. */
uint64_t world_random(world_t *self, uint64_t below);
int64_t world_between(world_t *self, int64_t low, int64_t high);
bool world_chance(world_t *self, unsigned percent);

/* Has the event happen at that time, or as soon as its process wakes; moves it if it waits. */
void world_at(world_t *self, event_t *event, int64_t at_ms);
void world_after(world_t *self, event_t *event, int64_t delay_ms);
void world_cancel(world_t *self, event_t *event);
/* Lets everything happen up to that time, or up to the first fault. */
void world_run_until(world_t *self, int64_t until_ms);

/* A promise is broken. The first one is kept. */
void world_fail(world_t *self, const char *format, ...) PRINTF_LIKE(2, 3);
static inline bool world_has_failed(const world_t *self) {
    return self->fault[0] != '\0';
}
/* A line for those who look at one schedule (--trace); it counts in the digest either way. */
void world_note(world_t *self, const char *format, ...) PRINTF_LIKE(2, 3);
