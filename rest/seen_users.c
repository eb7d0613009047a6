#include "rest/seen_users.h"

#include <utlist.h>

#include "common/ids.h"
#include "common/siphash.h"

typedef struct entry {
    UT_hash_handle hh;
    struct entry *prev, *next; /* by noted_ms, the oldest first */
    int64_t noted_ms;
    uint64_t name_hash, role_hash;
    char user[IDS_USER_MAX];
} entry_t;

struct seen_users {
    entry_t *by_user; /* user => entry */
    entry_t *by_time;
    size_t max_users;
    int64_t keep_ms;
};

seen_users_t *seen_users_new(size_t max_users, int64_t keep_ms) {
    ASSERT(max_users > 0);
    seen_users_t *self = xcalloc(1, sizeof(*self));
    self->max_users = max_users;
    self->keep_ms = keep_ms;
    return self;
}

static void forget(seen_users_t *self, entry_t *entry) {
    HASH_DEL(self->by_user, entry);
    DL_DELETE(self->by_time, entry);
    free(entry);
}

void seen_users_free(seen_users_t **self) {
    if (!*self)
        return;
    while ((*self)->by_time)
        forget(*self, (*self)->by_time);
    free(*self);
    *self = NULL;
}

static entry_t *find(const seen_users_t *self, str_t user) {
    entry_t *entry = NULL;
    HASH_FIND(hh, self->by_user, user.p, user.n, entry);
    return entry;
}

bool seen_users_knows(seen_users_t *self, str_t user, str_t name, str_t role, int64_t now_ms) {
    while (self->by_time && now_ms - self->by_time->noted_ms >= self->keep_ms)
        forget(self, self->by_time);
    const entry_t *entry = find(self, user);
    return entry && entry->name_hash == siphash(name) && entry->role_hash == siphash(role);
}

void seen_users_note(seen_users_t *self, str_t user, str_t name, str_t role, int64_t now_ms) {
    ASSERT(user.n > 0 && user.n <= IDS_USER_MAX);
    entry_t *entry = find(self, user);
    if (entry)
        forget(self, entry);
    else if (HASH_COUNT(self->by_user) == self->max_users)
        forget(self, self->by_time);
    entry = xcalloc(1, sizeof(*entry));
    memcpy(entry->user, user.p, user.n);
    entry->noted_ms = now_ms;
    entry->name_hash = siphash(name);
    entry->role_hash = siphash(role);
    HASH_ADD(hh, self->by_user, user, user.n, entry);
    DL_APPEND(self->by_time, entry);
}

size_t seen_users_count(const seen_users_t *self) {
    return HASH_COUNT(self->by_user);
}
