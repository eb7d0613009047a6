/* Which conversations changed lately, so that their participants get one conversation_updated for
 * many changes. Only the names are kept: the state is read when it is sent, so the latest wins.
 * Pure. */
#pragma once

#include "common/strbuf.h"

enum {
    UPDATES_DELAY_MS = 200,  /* how long changes are gathered */
    UPDATES_TAKEN_MAX = 500, /* entries at once */
};

typedef struct updates updates_t;

typedef struct {
    str_t conversation;
    str_t user; /* for this participant alone; empty: for all */
} update_t;

/* At most `limit` entries wait; further ones are dropped (they are hints) and counted. */
updates_t *updates_new(size_t limit);
void updates_free(updates_t **self);

/* Notes a change; coalesced with one that waits. */
void updates_add(updates_t *self, str_t conversation, str_t user, int64_t now_ms);

/* When the oldest entry is due; INT64_MAX without any. */
int64_t updates_next_ms(const updates_t *self);

/* Takes out up to UPDATES_TAKEN_MAX entries that are due and returns their number. They are valid
 * until the next call. */
size_t updates_take(updates_t *self, int64_t now_ms, const update_t **taken_out);

size_t updates_count(const updates_t *self);
uint64_t updates_dropped(const updates_t *self);
