/* The clients of the world: what they ask, and what they must see. */
#pragma once

#include "gateway_world_state.h"

void clients_connect(world_t *self, uint8_t detail);
void clients_disconnect(world_t *self, size_t socket);
/* `at_head`: without `after`. */
void clients_join(world_t *self, size_t socket, size_t room, bool at_head);
void clients_leave(world_t *self, size_t socket, size_t room);
void clients_send(world_t *self, size_t socket, size_t room);

/* An acknowledgement, or an event. */
void clients_acknowledged(world_t *self, uint64_t question, str_t args);
void clients_told(world_t *self, world_socket_t *socket, str_t event, str_t args);

/* At rest, every joined client has every message of its rooms. */
void clients_check_complete(const world_t *self);
