#include "world.h"

#include <inttypes.h>
#include <stdarg.h>

#define START_MS 100000

void world_init(world_t *self, uint64_t seed) {
    *self = (world_t){.now_ms = START_MS, .seed = seed, .chance = seed};
}

void world_fini(world_t *self) {
    deadline_heap_fini(&self->events);
}

/* ---- chance ---- */

/* splitmix64 */
static uint64_t draw(world_t *self) {
    uint64_t z = self->chance += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t world_random(world_t *self, uint64_t below) {
    ASSERT(below > 0);
    return draw(self) % below;
}

int64_t world_between(world_t *self, int64_t low, int64_t high) {
    return low + (int64_t)world_random(self, (uint64_t)(high - low + 1));
}

bool world_chance(world_t *self, unsigned percent) {
    return world_random(self, 100) < percent;
}

/* ---- time ---- */

void world_at(world_t *self, event_t *event, int64_t at_ms) {
    deadline_add(&self->events, &event->due, at_ms);
}

void world_after(world_t *self, event_t *event, int64_t delay_ms) {
    world_at(self, event, self->now_ms + delay_ms);
}

void world_cancel(world_t *self, event_t *event) {
    deadline_remove(&self->events, &event->due);
}

void world_run_until(world_t *self, int64_t until_ms) {
    while (!world_has_failed(self) && deadline_next(&self->events) <= until_ms) {
        deadline_t *due = deadline_pop_due(&self->events, until_ms);
        event_t *event = DEADLINE_OWNER(due, event_t, due);
        if (due->at_ms > self->now_ms)
            self->now_ms = due->at_ms;
        const process_t *process = event->process;
        if (process && process->asleep_until_ms > self->now_ms) {
            world_at(self, event, process->asleep_until_ms);
            continue;
        }
        self->steps++;
        event->run(event->ctx);
    }
    if (until_ms > self->now_ms)
        self->now_ms = until_ms;
}

/* ---- what is told ---- */

void world_fail(world_t *self, const char *format, ...) {
    va_list arguments;
    if (world_has_failed(self))
        return;
    int n =
        snprintf(self->fault, sizeof(self->fault), "at %" PRId64 " ms: ", self->now_ms - START_MS);
    va_start(arguments, format);
    vsnprintf(self->fault + n, sizeof(self->fault) - (size_t)n, format, arguments);
    va_end(arguments);
}

void world_note(world_t *self, const char *format, ...) {
    char line[400];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    for (int i = 0; i < n && i < (int)sizeof(line) - 1; i++)
        self->digest = (self->digest ^ (uint8_t)line[i]) * UINT64_C(0x100000001b3);
    self->digest ^= (uint64_t)self->now_ms;
    if (self->tracing)
        printf("%8" PRId64 " %s\n", self->now_ms - START_MS, line);
}
