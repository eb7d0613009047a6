/* What the worker is made of, for its writer and its reader. */
#pragma once

#include "persist-worker/answers.h"
#include "persist-worker/config.h"
#include "persist-worker/outbox.h"
#include "persist-worker/updates.h"

/* All borrowed. */
typedef struct {
    uv_loop_t *loop;
    const persist_config_t *config;
    const db_config_t *db_config;
    outbox_t *outbox;
    updates_t *updates;
    metrics_t *stats;
    store_known_t *known;
    proto_arena_t *arena;
    size_t brokers;
    /* Something changed: call writer_turn and reader_turn soon. */
    bool holds_hints; /* writes fill more than half of their queue: hints wait */
    void (*wake)(void *ctx);
    void *ctx;
} worker_parts_t;
