#include "broker/peers.h"

#include <utlist.h>

const char *const peers_role_names[] = {"gateway", "rest", "persist-worker", "auth-worker", NULL};

const role_t peers_roles[PEER_ROLES] = {ROLE_GATEWAY, ROLE_REST, ROLE_PERSIST, ROLE_AUTH};

struct peers {
    peer_t *all;
};

peers_t *peers_new(void) {
    return xcalloc(1, sizeof(peers_t));
}

void peers_free(peers_t **self) {
    ASSERT(!*self || !(*self)->all);
    free(*self);
    *self = NULL;
}

peer_t *peers_add(peers_t *self, role_t role, void *link) {
    peer_t *peer = xcalloc(1, sizeof(*peer));
    peer->role = role;
    peer->link = link;
    DL_APPEND(self->all, peer);
    return peer;
}

void peers_remove(peers_t *self, peer_t *peer) {
    ASSERT(!peer->rooms && peer->memberships == 0);
    ASSERT(!peer->typing && !peer->watches);
    ASSERT(!peer->worker.bound && !peer->worker.sent);
    DL_DELETE(self->all, peer);
    free(peer);
}

peer_t *peers_first(const peers_t *self) {
    return self->all;
}

size_t peers_count(const peers_t *self, size_t role_index) {
    ASSERT(role_index < PEER_ROLES);
    size_t count = 0;
    const peer_t *peer = NULL;
    DL_FOREACH(self->all, peer) {
        count += peer->role == peers_roles[role_index];
    }
    return count;
}
