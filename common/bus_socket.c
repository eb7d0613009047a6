#include "common/bus_socket.h"

#include <sodium.h>

#include "proto/envelope.h"

enum {
    HIGH_WATER_MARK = 200000, /* envelopes in each direction; a full queue ends the link */
    HANDSHAKE_MS = 5000,
    RECONNECT_MS = 50,
    RECONNECT_MAX_MS = 1000,
    TCP_PROBE_MS = 2000, /* ZeroMQ's own heartbeat, which finds dead TCP connections */
    LINGER_MS = 500,     /* for the last answers and GOODBYE at exit */
};

uint64_t bus_socket_start(void) {
    uint64_t incarnation = 0;
    zsys_init();
    zsys_handler_set(NULL);
    ASSERT(sodium_init() >= 0);
    while (incarnation == 0)
        randombytes_buf(&incarnation, sizeof(incarnation));
    return incarnation;
}

static void set_common(zsock_t *socket) {
    zsock_set_sndhwm(socket, HIGH_WATER_MARK);
    zsock_set_rcvhwm(socket, HIGH_WATER_MARK);
    zsock_set_linger(socket, LINGER_MS);
    zsock_set_maxmsgsize(socket, ENVELOPE_MAX_BYTES);
    zsock_set_handshake_ivl(socket, HANDSHAKE_MS);
    zsock_set_heartbeat_ivl(socket, TCP_PROBE_MS);
    zsock_set_heartbeat_timeout(socket, 2 * TCP_PROBE_MS);
    zsock_set_ipv6(socket, 1);
}

zsock_t *bus_socket_dealer(const char *endpoint, const char *routing_id) {
    zsock_t *socket = zsock_new(ZMQ_DEALER);
    if (!socket)
        return NULL;
    set_common(socket);
    zsock_set_identity(socket, routing_id);
    zsock_set_immediate(socket, 1); /* nothing waits for a broker that isn't there */
    zsock_set_reconnect_ivl(socket, RECONNECT_MS);
    zsock_set_reconnect_ivl_max(socket, RECONNECT_MAX_MS);
    if (zsock_connect(socket, "%s", endpoint) != 0)
        zsock_destroy(&socket);
    return socket;
}

zsock_t *bus_socket_router(const char *endpoint) {
    zsock_t *socket = zsock_new(ZMQ_ROUTER);
    if (!socket)
        return NULL;
    set_common(socket);
    zsock_set_router_mandatory(socket, 1);
    zsock_set_router_handover(socket, 1);
    if (zsock_bind(socket, "%s", endpoint) < 0)
        zsock_destroy(&socket);
    return socket;
}
