/* Token buckets, alone or in a bounded table keyed by a name (a user, an address). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

/* `burst` tokens fit in the bucket; `count` tokens flow in every `per_ms` milliseconds. All at
 * least 1. */
typedef struct {
    uint32_t burst;
    uint32_t count;
    int64_t per_ms;
} ratelimit_rate_t;

/* Zeroed is a full bucket. */
typedef struct {
    int64_t full_at_us; /* when it will be full again, if nothing more is taken */
} ratelimit_bucket_t;

/* Takes `cost` tokens if they are there. Else takes none, returns false and says in how many
 * milliseconds they will be. A cost above the burst counts as the burst. */
bool ratelimit_take(ratelimit_bucket_t *self, const ratelimit_rate_t *rate, uint32_t cost,
                    int64_t now_ms, int64_t *retry_after_ms_out);

typedef struct ratelimit_table ratelimit_table_t;

/* A bucket per name, made on first use and forgotten once it is full again. At `max_entries` the
 * one used least recently is forgotten, so that made-up names never lock anybody out. */
ratelimit_table_t *ratelimit_table_new(const ratelimit_rate_t *rate, size_t max_entries);
void ratelimit_table_free(ratelimit_table_t **self);
bool ratelimit_table_take(ratelimit_table_t *self, str_t name, uint32_t cost, int64_t now_ms,
                          int64_t *retry_after_ms_out);
/* Gives `cost` tokens back to a name whose action turned out not to count. */
void ratelimit_table_give_back(ratelimit_table_t *self, str_t name, uint32_t cost);
size_t ratelimit_table_size(const ratelimit_table_t *self);
