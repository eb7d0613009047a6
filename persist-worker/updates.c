#include "persist-worker/updates.h"

#include "common/siphash.h"

#include <utlist.h>

typedef struct entry {
    int64_t due_ms;
    struct entry *prev, *next; /* in the order of due_ms */
    UT_hash_handle hh;         /* by key */
    size_t conversation_n;
    size_t n;
    char key[]; /* conversation, NUL, user */
} entry_t;

struct updates {
    size_t limit;
    entry_t *by_key; /* key => entry */
    entry_t *waiting;
    strbuf_t key;
    entry_t *taken; /* freed by the next call */
    update_t list[UPDATES_TAKEN_MAX];
    uint64_t dropped;
};

updates_t *updates_new(size_t limit) {
    updates_t *self = xcalloc(1, sizeof(*self));
    self->limit = limit;
    return self;
}

static void free_taken(updates_t *self) {
    entry_t *entry = NULL, *following = NULL;
    DL_FOREACH_SAFE(self->taken, entry, following) {
        free(entry);
    }
    self->taken = NULL;
}

static void take_out(updates_t *self, entry_t *entry) {
    /* The analyser doesn't know that hash and list hold the same entries.
     * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    HASH_DELETE(hh, self->by_key, entry);
    DL_DELETE(self->waiting, entry);
    DL_APPEND(self->taken, entry);
}

void updates_free(updates_t **self_in) {
    updates_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    while (self->waiting)
        take_out(self, self->waiting);
    free_taken(self);
    strbuf_fini(&self->key);
    free(self);
}

static entry_t *find(updates_t *self, str_t conversation, str_t user) {
    entry_t *entry = NULL;
    strbuf_clear(&self->key);
    strbuf_append(&self->key, conversation);
    strbuf_append_char(&self->key, '\0');
    strbuf_append(&self->key, user);
    HASH_FIND(hh, self->by_key, self->key.p, self->key.n, entry);
    return entry;
}

void updates_add(updates_t *self, str_t conversation, str_t user, int64_t now_ms) {
    free_taken(self);
    if (user.n && find(self, conversation, (str_t){"", 0}))
        return;
    if (find(self, conversation, user))
        return;
    if (HASH_COUNT(self->by_key) >= self->limit) {
        self->dropped++;
        return;
    }
    entry_t *entry = xcalloc(1, sizeof(*entry) + self->key.n);
    entry->due_ms = now_ms + UPDATES_DELAY_MS;
    entry->conversation_n = conversation.n;
    entry->n = self->key.n;
    memcpy(entry->key, self->key.p, self->key.n);
    HASH_ADD_KEYPTR(hh, self->by_key, entry->key, entry->n, entry);
    DL_APPEND(self->waiting, entry);
}

int64_t updates_next_ms(const updates_t *self) {
    return self->waiting ? self->waiting->due_ms : INT64_MAX;
}

size_t updates_take(updates_t *self, int64_t now_ms, const update_t **taken_out) {
    size_t n = 0;
    free_taken(self);
    while (n < UPDATES_TAKEN_MAX && self->waiting && self->waiting->due_ms <= now_ms) {
        entry_t *entry = self->waiting;
        size_t user_at = entry->conversation_n + 1;
        take_out(self, entry);
        self->list[n++] = (update_t){
            .conversation = {entry->key, entry->conversation_n},
            .user = {entry->key + user_at, entry->n - user_at},
        };
    }
    *taken_out = self->list;
    return n;
}

size_t updates_count(const updates_t *self) {
    return HASH_COUNT(self->by_key);
}

uint64_t updates_dropped(const updates_t *self) {
    return self->dropped;
}
