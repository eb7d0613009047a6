#include "tests/cost/cost.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only what happens in here is counted. */
void cost_hot(const cost_path_t *path, size_t first, size_t times);

__attribute__((noinline)) void cost_hot(const cost_path_t *path, size_t first, size_t times) {
    for (size_t i = 0; i < times; i++)
        path->once(first + i);
}

int cost_main(const cost_path_t *paths, size_t count, int argc, char **argv) {
    size_t times = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    for (size_t i = 0; i < count && times; i++) {
        if (strcmp(paths[i].name, argv[1]) != 0)
            continue;
        paths[i].set_up();
        for (size_t warm = 0; warm < times; warm++) /* tables and buffers have grown */
            paths[i].once(warm);
        cost_hot(&paths[i], times, times);
        paths[i].tear_down();
        return 0;
    }
    fprintf(stderr, "usage: %s PATH TIMES\n", argv[0]);
    return 2;
}
