/* The promises of API.md under random schedules of clients, broker, store, and link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway_world.h"

enum { SCHEDULES = 4000, STEPS = 400 };

/* xorshift64: the same schedule from the same seed everywhere. */
static uint64_t next(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void run(uint64_t seed, world_figures_t *sum) {
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    world_t *world = world_new();
    for (size_t i = 0; i < STEPS; i++) {
        uint64_t number = next(&state);
        world_step(world, (uint8_t)(number >> 8), (uint8_t)(number >> 32));
    }
    world_finish(world);
    world_figures_t figures = world_figures(world);
    sum->stored += figures.stored;
    sum->delivered += figures.delivered;
    sum->acknowledged += figures.acknowledged;
    sum->joined += figures.joined;
    sum->gaps += figures.gaps;
    sum->claims += figures.claims;
    sum->restarts += figures.restarts;
    sum->expelled += figures.expelled;
    world_free(&world);
}

/* GATEWAY_SEED=n runs that schedule alone. A failed check aborts; the last seed printed is its own.
 */
static void test_promises(void **state) {
    (void)state;
    world_figures_t sum = {0};
    const char *only = getenv("GATEWAY_SEED");
    uint64_t first = only ? strtoull(only, NULL, 10) : 1;
    uint64_t last = only ? first : SCHEDULES;
    for (uint64_t seed = first; seed <= last; seed++) {
        fprintf(stderr, "\rseed %d ", (int)seed);
        run(seed, &sum);
    }
    fprintf(stderr,
            "stored %zu delivered %zu acknowledged %zu joined %zu gaps %zu claims %zu restarts %zu "
            "expelled %zu\n",
            sum.stored, sum.delivered, sum.acknowledged, sum.joined, sum.gaps, sum.claims,
            sum.restarts, sum.expelled);
    if (only)
        return;
    assert_true(sum.stored > 10000 && sum.delivered > 10000 && sum.acknowledged > 1000);
    assert_true(sum.joined > 1000 && sum.gaps > 1000 && sum.claims > 0);
    assert_true(sum.restarts > 1000 && sum.expelled > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_promises)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
