/* A hot path, run a number of times on the same input, for counting instructions (cost.py). Each
 * program has the paths of one core. */
#pragma once

#include <stddef.h>

typedef struct {
    const char *name;
    void (*set_up)(void);
    void (*once)(size_t number); /* numbers count from 0 */
    void (*tear_down)(void);
} cost_path_t;

/* The program: PATH TIMES. */
int cost_main(const cost_path_t *paths, size_t count, int argc, char **argv);
