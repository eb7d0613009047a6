/* One record for each user that a membership, a typing indicator or a watch names, so that none of
 * them carries the id itself. */
#pragma once

#include "common/siphash.h"
#include "common/str.h"

/* What is known of a user's sockets; presence.h. */
typedef struct user_presence user_presence_t;

/* Lives as long as somebody holds it. */
typedef struct user {
    UT_hash_handle hh;         /* id => user */
    user_presence_t *presence; /* NULL: nobody asked, no socket */
    uint32_t holders;
    uint8_t id_bytes;
    char id[];
} user_t;

typedef struct users users_t;

users_t *users_new(void);
/* Asserts that nobody holds a user any more. */
void users_free(users_t **self);

/* The user's record, made when there is none; the caller holds it until users_release(). */
user_t *users_hold(users_t *self, str_t id);
/* The user's record, or NULL when nobody holds it. */
user_t *users_find(const users_t *self, str_t id);
void users_release(users_t *self, user_t *user);

size_t users_count(const users_t *self);

static inline str_t user_id(const user_t *user) {
    return (str_t){user->id, user->id_bytes};
}
