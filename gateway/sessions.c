#include "gateway/sessions.h"

#include <utlist.h>

#include "common/ids.h"

struct address {
    UT_hash_handle hh; /* text => address */
    size_t connections;
    size_t n;
    char text[];
};

struct sessions {
    sessions_limits_t limits;
    session_t *all;
    size_t count;
    uint64_t last_number;
    user_t *users;
    address_t *addresses;
};

sessions_t *sessions_new(const sessions_limits_t *limits) {
    sessions_t *self = xcalloc(1, sizeof(*self));
    self->limits = *limits;
    return self;
}

void sessions_free(sessions_t **self_in) {
    sessions_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    ASSERT(self->count == 0 && HASH_COUNT(self->users) == 0 && HASH_COUNT(self->addresses) == 0);
    free(self);
}

user_t *sessions_find_user(const sessions_t *self, str_t id) {
    user_t *user = NULL;
    HASH_FIND(hh, self->users, id.p, id.n, user);
    return user;
}

size_t sessions_count(const sessions_t *self) {
    return self->count;
}

size_t sessions_user_count(const sessions_t *self) {
    return HASH_COUNT(self->users);
}

session_t *sessions_first(const sessions_t *self) {
    return self->all;
}

user_t *sessions_first_user(const sessions_t *self) {
    return self->users;
}

/* ---- addresses ---- */

address_t *sessions_take_address(sessions_t *self, str_t text) {
    address_t *address = NULL;
    HASH_FIND(hh, self->addresses, text.p, text.n, address);
    if (!address) {
        address = xcalloc(1, sizeof(*address) + text.n);
        address->n = text.n;
        if (text.n)
            memcpy(address->text, text.p, text.n);
        HASH_ADD_KEYPTR(hh, self->addresses, address->text, address->n, address);
    }
    if (self->limits.max_per_address && address->connections >= self->limits.max_per_address)
        return NULL;
    address->connections++;
    return address;
}

void sessions_give_back_address(sessions_t *self, address_t **address_in) {
    address_t *address = *address_in;
    *address_in = NULL;
    if (!address)
        return;
    ASSERT(address->connections > 0);
    if (--address->connections > 0)
        return;
    HASH_DEL(self->addresses, address);
    free(address);
}

/* ---- users ---- */

static bool set_text(char **field, str_t text) {
    if (*field && str_eq(str_from(*field), text))
        return false;
    free(*field);
    *field = str_dup(text);
    return true;
}

bool sessions_rename(user_t *user, const sessions_identity_t *identity) {
    bool name_changed = set_text(&user->name, identity->name);
    bool role_changed = set_text(&user->role, identity->role);
    return name_changed || role_changed;
}

static user_t *add_user(sessions_t *self, str_t id) {
    ASSERT(id.n <= IDS_USER_MAX);
    user_t *user = xcalloc(1, sizeof(*user) + id.n);
    user->id_bytes = (uint8_t)id.n;
    memcpy(user->id, id.p, id.n);
    HASH_ADD_KEYPTR(hh, self->users, user->id, id.n, user);
    return user;
}

static void remove_user(sessions_t *self, user_t *user) {
    HASH_DEL(self->users, user);
    free(user->name);
    free(user->role);
    free(user->news);
    free(user);
}

/* ---- sessions ---- */

session_t *sessions_add(sessions_t *self, const sessions_identity_t *identity, address_t **address,
                        bool *changed_out) {
    user_t *user = sessions_find_user(self, identity->user_id);
    if (user && self->limits.max_per_user && user->session_count >= self->limits.max_per_user)
        return NULL;
    if (!user)
        user = add_user(self, identity->user_id);
    *changed_out = sessions_rename(user, identity);
    session_t *session = xcalloc(1, sizeof(*session));
    session->number = ++self->last_number;
    session->user = user;
    session->address = *address;
    *address = NULL;
    user->session_count++;
    self->count++;
    DL_APPEND2(user->sessions, session, user_prev, user_next);
    DL_APPEND(self->all, session);
    return session;
}

void sessions_remove(sessions_t *self, session_t *session) {
    user_t *user = session->user;
    ASSERT(!session->members && !session->calls && !deadline_is_set(&session->deadline));
    ASSERT(!session->recovery && !session->position_due);
    sessions_give_back_address(self, &session->address);
    DL_DELETE2(user->sessions, session, user_prev, user_next);
    DL_DELETE(self->all, session);
    self->count--;
    user->session_count--;
    if (!user->sessions)
        remove_user(self, user);
    free(session->replayed);
    free(session);
}

/* ---- changes of memberships ---- */

static sessions_news_t *find_news(const user_t *user, uint64_t digest) {
    for (size_t i = 0; user->news && i < SESSIONS_NEWS_MAX; i++) {
        if (user->news[i].conversation == digest)
            return &user->news[i];
    }
    return NULL;
}

uint64_t sessions_news(const user_t *user, str_t conversation) {
    const sessions_news_t *news = find_news(user, siphash(conversation));
    return news ? news->version : 0;
}

bool sessions_is_news(user_t *user, str_t conversation, uint64_t version) {
    uint64_t digest = siphash(conversation);
    sessions_news_t *news = find_news(user, digest);
    if (news && version <= news->version)
        return false;
    if (!user->news)
        user->news = xcalloc(SESSIONS_NEWS_MAX, sizeof(*user->news));
    if (!news) {
        news = &user->news[user->news_next];
        user->news_next = (user->news_next + 1) % SESSIONS_NEWS_MAX;
    }
    *news = (sessions_news_t){digest, version};
    return true;
}
