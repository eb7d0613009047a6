/* A Socket.IO server with one client on a recorded WebSocket, for tests without I/O. */
#pragma once

#include "gateway/socketio/sio_internal.h"
#include "tests/unit/socketio/recorder.h"

typedef struct {
    eio_server_t *engine;
    sio_server_t *server;
    sio_namespace_t *main, *other; /* "/" and "/other" */
    eio_session_t *session;        /* the newest client */
    uint64_t now_ms;
} sio_world_t;

/* `handlers` are those of both namespaces. */
sio_world_t sio_world_new(const sio_options_t *options, const sio_handlers_t *handlers);
/* Closes every session, and frees. */
void sio_world_end(sio_world_t *world);
/* Another client; what is recorded until it is open is dropped. */
eio_session_t *sio_world_open(sio_world_t *world, const char *ws);
/* The newest client sends a Socket.IO packet (without the 4), or an attachment. */
void sio_world_text(sio_world_t *world, const char *packet);
void sio_world_binary(sio_world_t *world, str_t bytes);
/* Ends the turn of the loop; returns what was recorded. */
const char *sio_world_turn(sio_world_t *world);
