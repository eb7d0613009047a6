/* Connection state recovery as the Node server has it: sessions and events are kept in this
 * process' memory for two minutes. Built on the library's hooks alone. */
#pragma once

#include "gateway/socketio/socketio.h"

typedef struct memory_recovery memory_recovery_t;

memory_recovery_t *memory_recovery_new(void);
/* After the listener's end. */
void memory_recovery_free(memory_recovery_t **self);

/* Lets the client in, with `data` as the socket's: as the socket it was, the events that it missed
 * first, if its CONNECT names a session that is kept here. NULL: the client has gone. */
sio_socket_t *memory_recovery_accept(memory_recovery_t *self, sio_connect_t *connect, void *data);
/* Sends an event to the socket, kept for its return. */
void memory_recovery_send(memory_recovery_t *self, sio_socket_t *socket, sio_packet_t *packet);
/* To be called with each on_disconnect. */
void memory_recovery_left(memory_recovery_t *self, const sio_socket_t *socket, eio_close_t reason);
