#include "common/ratelimit.h"

#include "common/siphash.h"

/* The bucket is kept as the time at which it will be full again: taking a token moves that time on
 * by the time one token needs to flow in, and a token is there as long as that time is no further
 * ahead than the whole bucket needs. */

static int64_t token_us(const ratelimit_rate_t *rate) {
    int64_t us = rate->per_ms * 1000 / rate->count;
    return us > 0 ? us : 1;
}

static void take_tokens(ratelimit_bucket_t *self, int64_t cost_us, int64_t now_us) {
    self->full_at_us = (self->full_at_us > now_us ? self->full_at_us : now_us) + cost_us;
}

bool ratelimit_take(ratelimit_bucket_t *self, const ratelimit_rate_t *rate, uint32_t cost,
                    int64_t now_ms, int64_t *retry_after_ms_out) {
    ASSERT(rate->burst > 0 && rate->count > 0 && rate->per_ms > 0);
    int64_t now_us = now_ms * 1000;
    int64_t one_us = token_us(rate);
    int64_t cost_us = one_us * (cost < rate->burst ? cost : rate->burst);
    int64_t missing_us = -now_us - one_us * rate->burst + cost_us +
                         (self->full_at_us > now_us ? self->full_at_us : now_us);
    if (missing_us > 0) {
        *retry_after_ms_out = (missing_us + 999) / 1000;
        return false;
    }
    take_tokens(self, cost_us, now_us);
    return true;
}

typedef struct entry {
    UT_hash_handle hh;
    ratelimit_bucket_t bucket;
    size_t name_length;
    char name[];
} entry_t;

struct ratelimit_table {
    ratelimit_rate_t rate;
    size_t max_entries;
    /* name => entry; uthash keeps the order of adding, which here is that of the last use. */
    entry_t *by_name;
};

ratelimit_table_t *ratelimit_table_new(const ratelimit_rate_t *rate, size_t max_entries) {
    ASSERT(max_entries > 0);
    ratelimit_table_t *self = xcalloc(1, sizeof(*self));
    self->rate = *rate;
    self->max_entries = max_entries;
    return self;
}

static void forget(ratelimit_table_t *self, entry_t *entry) {
    HASH_DEL(self->by_name, entry);
    ASSERT(self->by_name != entry);
    free(entry);
}

void ratelimit_table_free(ratelimit_table_t **self) {
    if (!*self)
        return;
    while ((*self)->by_name)
        forget(*self, (*self)->by_name);
    free(*self);
    *self = NULL;
}

/* A few of the oldest at each use: faster than entries come, and no use waits for many. */
static void forget_full(ratelimit_table_t *self, int64_t now_ms) {
    for (int i = 0; i < 4 && self->by_name; i++) {
        if (self->by_name->bucket.full_at_us > now_ms * 1000)
            return;
        forget(self, self->by_name);
    }
}

static entry_t *find(ratelimit_table_t *self, str_t name) {
    entry_t *entry = NULL;
    HASH_FIND(hh, self->by_name, name.p, name.n, entry);
    return entry;
}

static void append(ratelimit_table_t *self, entry_t *entry) {
    HASH_ADD_KEYPTR(hh, self->by_name, entry->name, entry->name_length, entry);
}

static void move_to_end(ratelimit_table_t *self, entry_t *entry) {
    HASH_DEL(self->by_name, entry);
    append(self, entry);
}

static entry_t *add(ratelimit_table_t *self, str_t name) {
    if (HASH_COUNT(self->by_name) >= self->max_entries)
        forget(self, self->by_name);
    entry_t *entry = xcalloc(1, sizeof(*entry) + name.n);
    entry->name_length = name.n;
    memcpy(entry->name, name.p, name.n);
    append(self, entry);
    return entry;
}

bool ratelimit_table_take(ratelimit_table_t *self, str_t name, uint32_t cost, int64_t now_ms,
                          int64_t *retry_after_ms_out) {
    forget_full(self, now_ms);
    entry_t *entry = find(self, name);
    if (entry)
        move_to_end(self, entry);
    else
        entry = add(self, name);
    return ratelimit_take(&entry->bucket, &self->rate, cost, now_ms, retry_after_ms_out);
}

void ratelimit_table_give_back(ratelimit_table_t *self, str_t name, uint32_t cost) {
    entry_t *entry = find(self, name);
    if (entry)
        entry->bucket.full_at_us -= token_us(&self->rate) * cost;
}

size_t ratelimit_table_size(const ratelimit_table_t *self) {
    return HASH_COUNT(self->by_name);
}
