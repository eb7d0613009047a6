/* Who is connected: gateways, workers and rest, each with the lists that the other modules keep of
 * what is theirs, so that all of it is found when the peer goes. */
#pragma once

#include "broker/jobs.h"
#include "broker/presence.h"
#include "broker/rooms.h"
#include "broker/typing.h"
#include "proto/proto.h"

struct peer {
    role_t role;
    void *link;            /* the shell's: where to send */
    bool is_down;          /* going: nothing is sent any more */
    room_gateway_t *rooms; /* rooms with members on this gateway */
    size_t memberships;
    typing_entry_t *typing;
    watch_t *watches; /* users whose presence this gateway wants */
    size_t watch_count;
    job_worker_t worker;
    peer_t *prev, *next;
};

/* The roles in the order of peers_count(), NULL at the end: label values for metrics. */
extern const char *const peers_role_names[];
enum { PEER_ROLES = 4 };
extern const role_t peers_roles[PEER_ROLES];

typedef struct peers peers_t;

peers_t *peers_new(void);
/* Asserts that all peers are gone. */
void peers_free(peers_t **self);

peer_t *peers_add(peers_t *self, role_t role, void *link);
/* Asserts that the other modules hold nothing of the peer any more, and frees it. */
void peers_remove(peers_t *self, peer_t *peer);

/* The first of all peers (the others follow by `next`), NULL when there is none. */
peer_t *peers_first(const peers_t *self);
/* How many of the role peers_role_names[role_index] there are. */
size_t peers_count(const peers_t *self, size_t role_index);
