/* PostgreSQL's process: transactions take their time, go on when their client dies, and end in an
 * unknown way when the connection breaks. */
#pragma once

#include "store.h"

typedef enum {
    DATABASE_OK,
    DATABASE_AGAIN, /* a deadlock: nothing was done, the same may work */
    DATABASE_AWAY,  /* it can't write now */
    DATABASE_LOST,  /* the connection broke; it may have been done */
} database_status_t;

typedef struct {
    /* At the server; a write is committed by its only step, a read's steps each see what is
     * committed then. */
    void (*execute)(void *arg, unsigned step);
    /* At the client, unless that is gone. */
    void (*done)(void *arg, database_status_t status);
    /* Nobody uses `arg` any more. */
    void (*free)(void *arg);
    unsigned steps;
} transaction_ops_t;

typedef struct transaction transaction_t;

typedef struct {
    world_t *world;
    store_t store;
    int64_t down_until_ms;
    int64_t slow_until_ms;
    transaction_t *transactions;
} database_t;

void database_init(database_t *self, world_t *world, size_t users);
/* Ends what is under way. */
void database_fini(database_t *self);

bool database_is_up(const database_t *self);
/* Takes over `arg`. `client` gets the result, once it is awake. */
transaction_t *database_run(database_t *self, const process_t *client, const transaction_ops_t *ops,
                            void *arg);
/* The client is gone. What it began may be done nevertheless, at any time. */
void transaction_abandon(transaction_t *self);

/* All connections break, and none can be made for a time. */
void database_break(database_t *self, int64_t for_ms);
