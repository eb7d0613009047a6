/* The gateway's side of simulated sockets; the client's is in gateway_part.h. */
#pragma once

#include "gateway_part.h"

enum { STORE_SOCKET_BYTES = 32 };

typedef struct packet packet_t;

typedef struct {
    uint64_t id; /* of the wanted acknowledgement; 0: none */
    str_t name;
    str_t array;
} socket_event_t;

typedef struct {
    void (*token)(void *ctx, socket_t *socket, str_t token);
    /* Only while it has a session. */
    void (*event)(void *ctx, socket_t *socket, const socket_event_t *event);
    /* The session ends. */
    void (*gone)(void *ctx, void *session);
} socket_server_t;

typedef struct {
    world_t *world;
    const char *id;           /* copied */
    const process_t *process; /* the gateway's */
    const socket_server_t *server;
    void *server_ctx;
    const socket_ops_t *client;
    void *client_ctx;
} socket_config_t;

/* Sends the token on its way. */
socket_t *socket_new(const socket_config_t *config, str_t token);
void socket_add(socket_t **sockets, socket_t *socket);
const socket_t *socket_next(const socket_t *self);
void sockets_free(socket_t **sockets);
/* The process is gone, and all sessions with it. */
void sockets_server_died(socket_t *sockets);

/* False when the client has gone meanwhile. */
bool socket_accept(socket_t *self, void *session, str_t sid);
/* It is in: behind what was sent to it since. */
void socket_reply(socket_t *self, str_t pid);
/* Of one that wasn't accepted. */
void socket_end(socket_t *self);
/* NULL: none (any more). */
void *socket_session(const socket_t *self);
void socket_send(socket_t *self, const packet_t *packet, str_t offset);
void socket_acknowledge(socket_t *self, uint64_t id, str_t args);
/* Behind what is queued; the session ends later. */
void socket_close(socket_t *self);

packet_t *socket_packet_new(str_t event, str_t args);
void socket_packet_unref(packet_t *packet);
