/* The servers that the published test suites expect to talk to, made of the library alone. */
#pragma once

#include "tests/conformance/memory_recovery.h"

typedef struct {
    uint32_t ping_interval_ms;   /* 0 = the one that the suite expects */
    memory_recovery_t *recovery; /* borrowed */
} suite_options_t;

/* The suites of the two protocols: Engine.IO on /engine.io/, Socket.IO on /socket.io/. */
void suite_protocol(eio_listener_t *listener, const suite_options_t *suite);
/* socket.io-client's own tests. */
void suite_socketio_client(eio_listener_t *listener, const suite_options_t *suite);
/* engine.io-client's own tests. */
void suite_engineio_client(eio_listener_t *listener, const suite_options_t *suite);
