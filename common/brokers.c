#include "common/brokers.h"

#include <sodium.h>

typedef struct {
    char *endpoint;
    unsigned char key[crypto_shorthash_KEYBYTES]; /* from the endpoint: the room's hash under it is
                                                     the endpoint's claim on the room */
} broker_t;

struct brokers {
    size_t n;
    uint64_t digest;
    broker_t items[BROKERS_MAX];
};

static bool is_endpoint(str_t text) {
    bool tcp = str_starts_with(text, STR("tcp://")) && text.n > 6;
    return (tcp || (str_starts_with(text, STR("ipc://")) && text.n > 6)) && text.n < 256;
}

static const char *add(brokers_t *self, str_t endpoint) {
    if (!is_endpoint(endpoint))
        return "each broker is tcp://host:port or ipc://path";
    if (brokers_find(self, endpoint) < self->n)
        return "the same broker is named twice";
    if (self->n == BROKERS_MAX)
        return "there are more than 64 brokers";
    broker_t *broker = &self->items[self->n++];
    broker->endpoint = str_dup(endpoint);
    crypto_generichash(broker->key, sizeof(broker->key), (const unsigned char *)endpoint.p,
                       endpoint.n, NULL, 0);
    uint64_t part;
    _Static_assert(sizeof(broker->key) >= sizeof(part), "enough for a digest");
    memcpy(&part, broker->key, sizeof(part));
    self->digest += part; /* a sum, so that the order doesn't count */
    return NULL;
}

err_t brokers_new(str_t endpoints, brokers_t **self_out, const char **why_out) {
    brokers_t *self = xcalloc(1, sizeof(*self));
    const char *why = NULL;
    const char *comma;
    do {
        comma = memchr(endpoints.p, ',', endpoints.n);
        size_t n = comma ? (size_t)(comma - endpoints.p) : endpoints.n;
        why = add(self, (str_t){endpoints.p, n});
        endpoints = str_from_offset(endpoints, n + 1);
    } while (comma && !why);
    if (why) {
        *why_out = why;
        brokers_free(&self);
        return ERR_INVALID;
    }
    *self_out = self;
    return OK;
}

void brokers_free(brokers_t **self) {
    if (!*self)
        return;
    for (size_t i = 0; i < (*self)->n; i++)
        free((*self)->items[i].endpoint);
    free(*self);
    *self = NULL;
}

size_t brokers_count(const brokers_t *self) {
    return self->n;
}

const char *brokers_endpoint(const brokers_t *self, size_t index) {
    ASSERT(index < self->n);
    return self->items[index].endpoint;
}

size_t brokers_find(const brokers_t *self, str_t endpoint) {
    for (size_t i = 0; i < self->n; i++) {
        if (str_eq(str_from(self->items[i].endpoint), endpoint))
            return i;
    }
    return self->n;
}

static uint64_t claim(const broker_t *broker, str_t room) {
    uint64_t score;
    crypto_shorthash((unsigned char *)&score, (const unsigned char *)room.p, room.n, broker->key);
    return score;
}

size_t brokers_of_room(const brokers_t *self, str_t room) {
    size_t best = 0;
    if (self->n == 1)
        return 0;
    uint64_t best_score = claim(&self->items[0], room);
    for (size_t i = 1; i < self->n; i++) {
        uint64_t score = claim(&self->items[i], room);
        bool tie_won =
            score == best_score && strcmp(self->items[i].endpoint, self->items[best].endpoint) < 0;
        if (score > best_score || tie_won) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

uint64_t brokers_digest(const brokers_t *self) {
    return self->digest;
}
