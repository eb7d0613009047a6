/* One direction of a connection: what is put in comes out whole and in order, each parcel after its
 * delay, unless it is lost. */
#pragma once

#include "world.h"

typedef struct parcel parcel_t;

typedef struct {
    world_t *world;
    void (*receive)(void *ctx, str_t bytes);
    void *ctx;
    int64_t delay_ms;      /* usual one */
    int64_t held_until_ms; /* nothing comes out before */
    parcel_t *parcels;     /* on the way, oldest first */
    size_t count;
    event_t arrival;
} channel_t;

/* `receiver`: what comes out waits while it sleeps. */
void channel_init(channel_t *self, world_t *world, const process_t *receiver,
                  void (*receive)(void *ctx, str_t bytes), void *ctx);
/* Loses what is on the way. */
void channel_fini(channel_t *self);

void channel_put(channel_t *self, str_t bytes);
void channel_lose_all(channel_t *self);
/* Loses one parcel that is on the way; false when there is none. */
bool channel_lose_one(channel_t *self);
void channel_hold(channel_t *self, int64_t until_ms);
