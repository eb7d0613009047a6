/* Who may connect: the answers to ZeroMQ's authentication requests (ZAP, ZeroMQ RFC 27). A process
 * has at most one such socket, for all of its CURVE servers. Internal to bus_server. */
#pragma once

#include <czmq.h>

#include "common/keyring.h"

/* The socket that the requests come on, which the caller destroys; NULL with errno. */
zsock_t *bus_zap_new(void);

/* Makes room for the next one at once: a closed socket goes later. */
void bus_zap_stop(zsock_t *zap);

typedef struct {
    bool accepted;
    char address[64]; /* whence the connection comes; empty when ZeroMQ doesn't know */
} bus_zap_verdict_t;

/* Answers one request: a key of `ring` gets in, if its role is one of `roles`; messages of its
 * connection then carry it as their property BUS_ZAP_PROPERTY. False when there is none. */
bool bus_zap_answer(void *zmq, const keyring_t *ring, role_t roles, bus_zap_verdict_t *verdict_out);

#define BUS_ZAP_PROPERTY "User-Id"
