#include "broker/users.h"

#include "proto/envelope.h"

struct users {
    user_t *by_id; /* id => user */
};

users_t *users_new(void) {
    return xcalloc(1, sizeof(users_t));
}

void users_free(users_t **self) {
    ASSERT(!*self || HASH_COUNT((*self)->by_id) == 0);
    free(*self);
    *self = NULL;
}

user_t *users_find(const users_t *self, str_t id) {
    user_t *user = NULL;
    HASH_FIND(hh, self->by_id, id.p, id.n, user);
    return user;
}

user_t *users_hold(users_t *self, str_t id) {
    ASSERT(id.n <= ENVELOPE_USER_BYTES);
    user_t *user = users_find(self, id);
    if (!user) {
        user = xmalloc(sizeof(*user) + id.n);
        *user = (user_t){.id_bytes = (uint8_t)id.n};
        memcpy(user->id, id.p, id.n);
        HASH_ADD_KEYPTR(hh, self->by_id, user->id, id.n, user);
    }
    user->holders++;
    return user;
}

void users_release(users_t *self, user_t *user) {
    ASSERT(user->holders > 0);
    if (--user->holders > 0)
        return;
    ASSERT(!user->presence);
    HASH_DELETE(hh, self->by_id, user);
    free(user);
}

size_t users_count(const users_t *self) {
    return HASH_COUNT(self->by_id);
}
