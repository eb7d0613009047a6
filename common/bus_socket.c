#include "common/bus_socket.h"

#include <sodium.h>

#include "proto/envelope.h"

enum {
    HIGH_WATER_MARK = 200000, /* envelopes in each direction; a full queue ends the link */
    HANDSHAKE_MS = 5000,      /* half-open connections are closed after it */
    RECONNECT_MS = 50,
    RECONNECT_MAX_MS = 1000,
    TCP_PROBE_MS = 2000, /* ZeroMQ's own heartbeat, which finds dead TCP connections */
    LINGER_MS = 500,     /* for the last answers and GOODBYE at exit */
    BACKLOG = 1024,      /* connections that wait to be accepted */
    ROUTING_RANDOM_BYTES = 12,
};

#define ZAP_DOMAIN "parley" /* ZeroMQ asks nobody without one */

uint64_t bus_socket_start(void) {
    uint64_t incarnation = 0;
    zsys_init();
    zsys_handler_set(NULL);
    ASSERT(sodium_init() >= 0);
    while (incarnation == 0)
        randombytes_buf(&incarnation, sizeof(incarnation));
    return incarnation;
}

void bus_socket_draw_routing_id(const char *name, char routing_id_out[BUS_ROUTING_BYTES]) {
    uint8_t bytes[ROUTING_RANDOM_BYTES];
    char digits[2 * ROUTING_RANDOM_BYTES + 1];
    randombytes_buf(bytes, sizeof(bytes));
    sodium_bin2hex(digits, sizeof(digits), bytes, sizeof(bytes));
    snprintf(routing_id_out, BUS_ROUTING_BYTES, "%.32s/%s", name, digits);
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

zsock_t *bus_socket_dealer(const char *routing_id, const bus_keys_t *keys) {
    zsock_t *socket = zsock_new(ZMQ_DEALER);
    if (!socket)
        return NULL;
    set_common(socket);
    zsock_set_identity(socket, routing_id);
    zsock_set_immediate(socket, 1); /* nothing waits for a broker that isn't there */
    zsock_set_reconnect_ivl(socket, RECONNECT_MS);
    zsock_set_reconnect_ivl_max(socket, RECONNECT_MAX_MS);
    if (keys) {
        zsock_set_curve_publickey(socket, bus_keys_public(keys));
        zsock_set_curve_secretkey(socket, bus_keys_secret(keys));
    }
    return socket;
}

err_t bus_socket_dial(zsock_t *dealer, const char *endpoint, const bus_keys_t *keys, size_t turn) {
    void *zmq = zsock_resolve(dealer);
    (void)!zmq_disconnect(zmq, endpoint); /* fails when there is nothing to give up */
    if (keys)
        zsock_set_curve_serverkey(dealer, keyring_key(bus_keys_ring(keys), ROLE_BROKER, turn));
    return zmq_connect(zmq, endpoint) == 0 ? OK : ERR_IO;
}

zsock_t *bus_socket_router(const char *endpoint, const bus_keys_t *keys) {
    zsock_t *socket = zsock_new(ZMQ_ROUTER);
    if (!socket)
        return NULL;
    set_common(socket);
    zsock_set_router_mandatory(socket, 1);
    zsock_set_router_handover(socket, 1);
    zsock_set_backlog(socket, BACKLOG);
    if (keys) {
        zsock_set_zap_domain(socket, ZAP_DOMAIN);
        zsock_set_curve_server(socket, 1);
        zsock_set_curve_secretkey(socket, bus_keys_secret(keys));
    }
    if (zsock_bind(socket, "%s", endpoint) < 0)
        zsock_destroy(&socket);
    return socket;
}

size_t bus_socket_take(void *zmq, zmq_msg_t *parts, size_t max) {
    zmq_msg_t spare;
    size_t n = 0;
    for (bool more = true; more; n++) {
        zmq_msg_t *part = n < max ? &parts[n] : &spare;
        zmq_msg_init(part);
        if (zmq_msg_recv(part, zmq, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(part);
            break; /* only before the first part: messages arrive whole */
        }
        more = zmq_msg_more(part);
        if (part == &spare)
            zmq_msg_close(&spare);
    }
    return n;
}

bool bus_socket_send(void *zmq, str_t routing_id, str_t frame) {
    if (routing_id.n && zmq_send(zmq, routing_id.p, routing_id.n, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return false;
    return zmq_send(zmq, frame.p, frame.n, ZMQ_DONTWAIT) >= 0;
}
