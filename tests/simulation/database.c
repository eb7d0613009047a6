#include "database.h"

#include <utlist.h>

enum { AGAIN_PERCENT = 2, SLOW_MIN_MS = 100, SLOW_MAX_MS = 1500 };

struct transaction {
    database_t *database;
    const transaction_ops_t *ops;
    void *arg;
    unsigned executed; /* steps */
    bool is_abandoned;
    database_status_t status;
    event_t step; /* the server's */
    event_t done; /* the client's */
    transaction_t *prev, *next;
};

void database_init(database_t *self, world_t *world, size_t users) {
    *self = (database_t){.world = world};
    store_init(&self->store, world, users);
}

static void end(transaction_t *self) {
    world_t *world = self->database->world;
    world_cancel(world, &self->step);
    world_cancel(world, &self->done);
    DL_DELETE(self->database->transactions, self);
    self->ops->free(self->arg);
    free(self);
}

void database_fini(database_t *self) {
    while (self->transactions)
        end(self->transactions);
    store_fini(&self->store);
}

bool database_is_up(const database_t *self) {
    return self->down_until_ms <= self->world->now_ms;
}

/* How long a step takes: at times there is a lock to wait for, or a slow disk. */
static int64_t pause_of(const database_t *self) {
    world_t *world = self->world;
    if (self->slow_until_ms > world->now_ms)
        return world_between(world, SLOW_MIN_MS, SLOW_MAX_MS);
    return world_chance(world, 4) ? world_between(world, 10, 120) : world_between(world, 1, 6);
}

static void on_done(void *ctx) {
    transaction_t *self = ctx;
    self->ops->done(self->arg, self->status);
    end(self);
}

static void finish(transaction_t *self, database_status_t status, int64_t after_ms) {
    self->status = status;
    world_cancel(self->database->world, &self->step);
    if (self->is_abandoned)
        end(self);
    else
        world_after(self->database->world, &self->done, after_ms);
}

static void on_step(void *ctx) {
    transaction_t *self = ctx;
    database_t *database = self->database;
    self->ops->execute(self->arg, self->executed++);
    if (self->executed < self->ops->steps)
        world_after(database->world, &self->step, world_between(database->world, 0, 3));
    else
        finish(self, DATABASE_OK, world_between(database->world, 0, 3));
}

transaction_t *database_run(database_t *self, const process_t *client, const transaction_ops_t *ops,
                            void *arg) {
    transaction_t *transaction = xcalloc(1, sizeof(*transaction));
    *transaction = (transaction_t){.database = self, .ops = ops, .arg = arg};
    transaction->step = (event_t){.run = on_step, .ctx = transaction};
    transaction->done = (event_t){.run = on_done, .ctx = transaction, .process = client};
    DL_APPEND(self->transactions, transaction);
    if (!database_is_up(self))
        finish(transaction, DATABASE_AWAY, 1);
    else if (world_chance(self->world, AGAIN_PERCENT))
        finish(transaction, DATABASE_AGAIN, pause_of(self));
    else
        world_after(self->world, &transaction->step, pause_of(self));
    return transaction;
}

void transaction_abandon(transaction_t *self) {
    self->is_abandoned = true;
    world_cancel(self->database->world, &self->done);
    bool is_under_way = deadline_is_set(&self->step.due);
    if (!is_under_way || world_chance(self->database->world, 30))
        end(self);
}

void database_break(database_t *self, int64_t for_ms) {
    transaction_t *transaction = NULL, *next = NULL;
    world_note(self->world, "fault: the database is away for %d ms", (int)for_ms);
    self->down_until_ms = self->world->now_ms + for_ms;
    DL_FOREACH_SAFE(self->transactions, transaction, next) {
        if (!deadline_is_set(&transaction->step.due))
            continue;
        if (world_chance(self->world, 50)) {
            while (transaction->executed < transaction->ops->steps)
                transaction->ops->execute(transaction->arg, transaction->executed++);
        }
        finish(transaction, DATABASE_LOST, 1);
    }
}
