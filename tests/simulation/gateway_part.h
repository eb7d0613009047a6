/* A gateway in a simulation: the real core on real dialers. Sockets are a model: an ordered stream
 * in each direction, which breaks, and is noticed as broken by each side in its own time. */
#pragma once

#include "network.h"

typedef struct gateway_part gateway_part_t;
typedef struct socket socket_t;

typedef struct {
    world_t *world;
    network_t *network;
    size_t index;
    bool is_tight; /* small limits */
} gateway_part_config_t;

gateway_part_t *gateway_part_new(const gateway_part_config_t *config);
/* Frees its sockets, too. */
void gateway_part_free(gateway_part_t **self);

void gateway_part_kill(gateway_part_t *self, int64_t back_at_ms);
void gateway_part_freeze(gateway_part_t *self, int64_t until_ms);
void gateway_part_check_bounds(const gateway_part_t *self);
bool gateway_part_is_idle(const gateway_part_t *self);

typedef struct {
    str_t room;
    uint64_t session;
    str_t user;
    const char *gateway; /* instance name */
    uint64_t incarnation;
    const socket_t *socket;
} gateway_part_member_t;
/* Calls `each` with every membership, those of users' own rooms included. */
void gateway_part_members(const gateway_part_t *self,
                          void (*each)(void *ctx, const gateway_part_member_t *member), void *ctx);

/* ---- a client's side of a socket ---- */

typedef struct {
    void (*accepted)(void *ctx);
    void (*event)(void *ctx, str_t name, str_t args);
    void (*acknowledged)(void *ctx, uint64_t id, str_t args);
    /* It is over; nothing follows. */
    void (*closed)(void *ctx);
} socket_ops_t;

/* NULL when nobody listens. The socket is the gateway's; it stays readable to the end. */
socket_t *gateway_part_connect(gateway_part_t *self, str_t token, const socket_ops_t *ops,
                               void *ctx);
/* `array`: the whole JSON array; id 0 wants no acknowledgement. */
void socket_emit(socket_t *self, str_t name, str_t array, uint64_t id);
/* The client hangs up, or loses its network: it hears nothing more; the gateway notices later. */
void socket_hang_up(socket_t *self);
/* The network between them dies; both notice later. */
void socket_break(socket_t *self);
/* As messages name it; unique. */
const char *socket_id(const socket_t *self);
