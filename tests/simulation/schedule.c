#include "schedule.h"

#include "checks.h"
#include "parts.h"

enum {
    FAULTS_MIN_MS = 2000, /* how long clients act and faults happen */
    FAULTS_MAX_MS = 9000,
    OUTAGE_MAX_MS = 5000, /* of one fault */
    SETTLE_MAX_MS = 90000,
    SETTLE_LOOK_MS = 200,
    REST_MS = 6000, /* what is looked at once more after a resync comes within this time */
};

/* ---- the cast ---- */

static void open_rooms(parts_t *self) {
    store_t *store = &self->database.store;
    store_add_direct(store, 0, 1);
    if (store->user_count > 2)
        store_add_direct(store, 1, 2);
    for (unsigned i = 1; i <= 1 + world_random(&self->world, 2); i++) {
        store_room_t *room = store_add_group(store, i, 0);
        for (size_t user = 1; user < store->user_count; user++)
            room->members[user] = room->was_member[user] = world_chance(&self->world, 70);
    }
}

static void open_parts(parts_t *self) {
    world_t *world = &self->world;
    bool tight = world_chance(world, 15);
    self->broker_count = 1 + world_random(world, NETWORK_BROKERS_MAX);
    self->gateway_count = 1 + world_random(world, PARTS_GATEWAYS_MAX);
    self->worker_count = 1 + world_random(world, PARTS_WORKERS_MAX);
    self->client_count = 2 + world_random(world, PARTS_CLIENTS_MAX - 1);
    database_init(&self->database, world, 2 + world_random(world, 3));
    open_rooms(self);
    self->network = network_new(world, self->broker_count);
    for (size_t i = 0; i < self->broker_count; i++)
        self->brokers[i] =
            broker_part_new(&(broker_part_config_t){.world = world,
                                                    .network = self->network,
                                                    .store = &self->database.store,
                                                    .index = i,
                                                    .is_tight = world_chance(world, 50) && tight});
    for (size_t i = 0; i < self->worker_count; i++)
        self->workers[i] = worker_part_new(
            &(worker_part_config_t){world, self->network, &self->database, i, tight});
    self->auth = auth_part_new(world, self->network);
    self->admin = admin_part_new(world, self->network, &self->database.store);
    for (size_t i = 0; i < self->gateway_count; i++)
        self->gateways[i] =
            gateway_part_new(&(gateway_part_config_t){world, self->network, i, tight});
    for (size_t i = 0; i < self->client_count; i++)
        self->clients[i] = client_new(
            &(client_config_t){.world = world,
                               .store = &self->database.store,
                               .gateways = self->gateways,
                               .gateway_count = self->gateway_count,
                               .index = i,
                               .user = world_random(world, self->database.store.user_count)});
}

static void close_parts(parts_t *self) {
    for (size_t i = 0; i < self->client_count; i++)
        client_free(&self->clients[i]);
    for (size_t i = 0; i < self->gateway_count; i++)
        gateway_part_free(&self->gateways[i]);
    admin_part_free(&self->admin);
    auth_part_free(&self->auth);
    for (size_t i = 0; i < self->worker_count; i++)
        worker_part_free(&self->workers[i]);
    for (size_t i = 0; i < self->broker_count; i++)
        broker_part_free(&self->brokers[i]);
    network_free(&self->network);
    database_fini(&self->database);
    world_fini(&self->world);
}

/* ---- faults ---- */

/* Most are short; some outlive a lease. */
static int64_t outage_ms(world_t *world) {
    return world_chance(world, 60) ? world_between(world, 10, 800)
                                   : world_between(world, 800, OUTAGE_MAX_MS);
}

static void kill_one(parts_t *self) {
    world_t *world = &self->world;
    int64_t back_at_ms = world->now_ms + outage_ms(world);
    switch (world_random(world, 3)) {
    case 0:
        gateway_part_kill(self->gateways[world_random(world, self->gateway_count)], back_at_ms);
        break;
    case 1:
        broker_part_kill(self->brokers[world_random(world, self->broker_count)], back_at_ms);
        break;
    default:
        worker_part_kill(self->workers[world_random(world, self->worker_count)], back_at_ms);
    }
}

static void freeze_one(parts_t *self) {
    world_t *world = &self->world;
    int64_t until_ms = world->now_ms + outage_ms(world);
    switch (world_random(world, 7)) {
    case 0:
    case 1:
        gateway_part_freeze(self->gateways[world_random(world, self->gateway_count)], until_ms);
        break;
    case 2:
    case 3:
        broker_part_freeze(self->brokers[world_random(world, self->broker_count)], until_ms);
        break;
    case 4:
        auth_part_freeze(self->auth, until_ms);
        break;
    default:
        worker_part_freeze(self->workers[world_random(world, self->worker_count)], until_ms);
    }
}

static void break_network(parts_t *self, uint64_t how) {
    world_t *world = &self->world;
    switch (how) {
    case 0:
        network_break(self->network, outage_ms(world));
        break;
    case 1:
        network_hold(self->network, outage_ms(world));
        break;
    case 2:
        network_fill(self->network, world_between(world, 1, 300));
        break;
    default:
        network_lose_one(self->network);
    }
}

static void on_fault(void *ctx) {
    parts_t *self = ctx;
    world_t *world = &self->world;
    uint64_t what = world_random(world, 100);
    if (what < 20)
        kill_one(self);
    else if (what < 40)
        freeze_one(self);
    else if (what < 75)
        break_network(self, world_random(world, 6));
    else if (what < 85)
        client_break(self->clients[world_random(world, self->client_count)]);
    else if (what < 92)
        database_break(&self->database, world_between(world, 10, 2000));
    else
        self->database.slow_until_ms = world->now_ms + outage_ms(world);
    world_after(world, &self->fault, world_between(world, 10, self->fault_pause_ms));
}

/* ---- the course ---- */

static void settle(parts_t *self) {
    world_t *world = &self->world;
    int64_t until_ms = world->now_ms + SETTLE_MAX_MS;
    const char *why = checks_unsettled(self);
    while (why && world->now_ms < until_ms && !world_has_failed(world)) {
        world_run_until(world, world->now_ms + SETTLE_LOOK_MS);
        why = checks_unsettled(self);
    }
    if (why)
        world_fail(world, "never comes right: %s", why);
}

static void run(parts_t *self) {
    world_t *world = &self->world;
    self->fault = (event_t){.run = on_fault, .ctx = self};
    self->fault_pause_ms = world_between(world, 100, 2500);
    if (world_chance(world, 90)) /* some learn to walk first */
        world_run_until(world, world->now_ms + world_between(world, 0, 1500));
    world_after(world, &self->fault, 0);
    world_run_until(world, world->now_ms + world_between(world, FAULTS_MIN_MS, FAULTS_MAX_MS));
    world_cancel(world, &self->fault);
    admin_part_calm(self->admin);
    for (size_t i = 0; i < self->client_count; i++)
        client_calm(self->clients[i]);
    settle(self);
    if (world_chance(world, 15)) {
        world_run_until(world, world->now_ms + REST_MS);
        settle(self);
    }
    if (!world_has_failed(world))
        checks_final(self);
}

schedule_result_t schedule_run(const schedule_config_t *config) {
    schedule_result_t result = {0};
    parts_t *self = xcalloc(1, sizeof(*self));
    world_init(&self->world, config->seed);
    self->world.plant = config->plant;
    self->world.tracing = config->tracing;
    int64_t start_ms = self->world.now_ms;
    open_parts(self);
    run(self);
    result.ok = !world_has_failed(&self->world);
    memcpy(result.fault, self->world.fault, sizeof(result.fault));
    result.steps = self->world.steps;
    result.digest = self->world.digest;
    result.simulated_ms = self->world.now_ms - start_ms;
    for (size_t i = 0; i < self->database.store.room_count; i++)
        result.stored += self->database.store.rooms[i].head;
    for (size_t i = 0; i < self->client_count; i++)
        result.acknowledged += client_acknowledged(self->clients[i]);
    close_parts(self);
    free(self);
    return result;
}
