#include "channel.h"

#include <utlist.h>

struct parcel {
    int64_t at_ms;
    parcel_t *prev, *next;
    size_t n;
    char bytes[];
};

static void wait_for_first(channel_t *self) {
    if (!self->parcels)
        return;
    int64_t at_ms = self->parcels->at_ms;
    world_at(self->world, &self->arrival,
             at_ms > self->held_until_ms ? at_ms : self->held_until_ms);
}

static parcel_t *take(channel_t *self, parcel_t *parcel) {
    DL_DELETE(self->parcels, parcel);
    self->count--;
    return parcel;
}

/* Everything that is due comes out in one go, as from a socket that is drained. */
static void on_arrival(void *ctx) {
    channel_t *self = ctx;
    int64_t now_ms = self->world->now_ms;
    if (self->held_until_ms > now_ms) {
        wait_for_first(self);
        return;
    }
    while (self->parcels && self->parcels->at_ms <= now_ms &&
           self->arrival.process->asleep_until_ms <= now_ms) {
        parcel_t *parcel = take(self, self->parcels);
        self->receive(self->ctx, (str_t){parcel->bytes, parcel->n});
        free(parcel);
    }
    wait_for_first(self);
}

void channel_init(channel_t *self, world_t *world, const process_t *receiver,
                  void (*receive)(void *ctx, str_t bytes), void *ctx) {
    *self = (channel_t){.world = world,
                        .receive = receive,
                        .ctx = ctx,
                        .delay_ms = world_between(world, 0, 3),
                        .arrival = {.run = on_arrival, .process = receiver}};
    self->arrival.ctx = self;
}

void channel_fini(channel_t *self) {
    channel_lose_all(self);
}

void channel_put(channel_t *self, str_t bytes) {
    parcel_t *parcel = xmalloc(sizeof(*parcel) + bytes.n);
    const parcel_t *last = self->parcels ? self->parcels->prev : NULL;
    *parcel = (parcel_t){.at_ms = self->world->now_ms + self->delay_ms, .n = bytes.n};
    if (world_chance(self->world, 3))
        parcel->at_ms += world_between(self->world, 1, 60);
    if (last && last->at_ms > parcel->at_ms)
        parcel->at_ms = last->at_ms;
    memcpy(parcel->bytes, bytes.p, bytes.n);
    DL_APPEND(self->parcels, parcel);
    self->count++;
    if (!last)
        wait_for_first(self);
}

void channel_lose_all(channel_t *self) {
    while (self->parcels)
        free(take(self, self->parcels));
    world_cancel(self->world, &self->arrival);
}

bool channel_lose_one(channel_t *self) {
    if (!self->count)
        return false;
    parcel_t *parcel = self->parcels;
    for (uint64_t skip = world_random(self->world, self->count); skip > 0; skip--)
        parcel = parcel->next;
    free(take(self, parcel));
    if (!self->parcels)
        world_cancel(self->world, &self->arrival);
    else
        wait_for_first(self);
    return true;
}

void channel_hold(channel_t *self, int64_t until_ms) {
    self->held_until_ms = until_ms;
    wait_for_first(self);
}
