/* The servers that the published test suites expect to talk to, made of the library alone. */
#pragma once

#include "gateway/socketio/socketio.h"

/* The suites of the two protocols: Engine.IO on /engine.io/, Socket.IO on /socket.io/. */
void suite_protocol(eio_listener_t *listener);
/* socket.io-client's own tests. */
void suite_socketio_client(eio_listener_t *listener);
/* engine.io-client's own tests. */
void suite_engineio_client(eio_listener_t *listener);
