/* One schedule: a small Parley with clients, a time of faults, and the rest in which everything
 * must come right. All of it follows from the seed. */
#pragma once

#include "world.h"

typedef struct {
    bool ok;
    char fault[512]; /* the promise that was broken, unless ok */
    uint64_t steps;
    uint64_t digest;
    int64_t simulated_ms;
    size_t stored, acknowledged;
} schedule_result_t;

typedef struct {
    uint64_t seed;
    plant_t plant;
    bool tracing;
} schedule_config_t;

schedule_result_t schedule_run(const schedule_config_t *config);
