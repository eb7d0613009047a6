/* The servers that the published test suites expect to talk to, made of the library alone. */
#pragma once

#include "gateway/socketio/socketio.h"

/* Each takes the ping interval, in ms; 0 = the one that the suite expects. */

/* The suites of the two protocols: Engine.IO on /engine.io/, Socket.IO on /socket.io/. */
void suite_protocol(eio_listener_t *listener, uint32_t ping_interval_ms);
/* socket.io-client's own tests. */
void suite_socketio_client(eio_listener_t *listener, uint32_t ping_interval_ms);
/* engine.io-client's own tests. */
void suite_engineio_client(eio_listener_t *listener, uint32_t ping_interval_ms);
