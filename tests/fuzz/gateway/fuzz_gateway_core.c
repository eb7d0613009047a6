/* Any schedule of clients, broker, store and link: every promise of API.md holds. */
#include "gateway_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Two bytes a step. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    world_t *world = world_new();
    for (size_t i = 0; i + 1 < size && i < 2000; i += 2)
        world_step(world, data[i], data[i + 1]);
    world_finish(world);
    world_free(&world);
    return 0;
}
