/* A client as API.md expects one: it connects again, joins with `after`, and sends again what was
 * not acknowledged. It checks all that it is told. */
#pragma once

#include "gateway_part.h"
#include "store.h"
#include "view.h"

typedef struct client client_t;

typedef struct {
    world_t *world;
    store_t *store;
    gateway_part_t *const *gateways;
    size_t gateway_count;
    size_t index;
    size_t user;
} client_config_t;

client_t *client_new(const client_config_t *config);
void client_free(client_t **self);

/* From now on it only finishes what it has begun. */
void client_calm(client_t *self);
/* Its present socket breaks, if it has one. */
void client_break(client_t *self);
/* NULL when everything that it wanted is done, else what isn't. */
const char *client_is_unsettled(const client_t *self);
/* Whether it is in the room on this socket, as far as it knows. */
bool client_has_joined(const client_t *self, const socket_t *socket, str_t room);
const socket_t *client_socket(const client_t *self);
const char *client_name(const client_t *self);
/* How many of its messages were acknowledged. */
size_t client_acknowledged(const client_t *self);
/* The place of a message among those that a socket sent to a room (client_id as stored), 0 when it
 * doesn't count because the socket was answered with an error. */
size_t client_place_of(const client_t *self, const char *socket_id, const char *client_id);
