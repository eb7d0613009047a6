#include "common/bus_monitor.h"

#include "common/bus_socket.h"

const char *const bus_event_names[BUS_EVENT_COUNT + 1] = {
    [BUS_EVENT_DISCONNECTED] = "disconnected",
    [BUS_EVENT_NO_HANDSHAKE] = "no_handshake",
    [BUS_EVENT_BAD_HANDSHAKE] = "bad_handshake",
    [BUS_EVENT_KEY_NOT_KNOWN] = "key_not_known",
    [BUS_EVENT_OTHER] = "other",
};

zsock_t *bus_monitor_new(void *zmq) {
    char address[64];
    int events = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    snprintf(address, sizeof(address), "inproc://bus-monitor-%p", zmq);
    if (zmq_socket_monitor(zmq, address, events) != 0)
        return NULL;
    zsock_t *monitor = zsock_new(ZMQ_PAIR);
    if (!monitor)
        return NULL;
    /* Without a bound: ZeroMQ's own thread would wait for room holding a lock that closing takes.
     * Every turn of the loop reads them all. */
    zsock_set_rcvhwm(monitor, 0);
    if (zsock_connect(monitor, "%s", address) != 0)
        zsock_destroy(&monitor);
    return monitor;
}

static bus_event_t event_of(uint16_t id) {
    switch (id) {
    case ZMQ_EVENT_DISCONNECTED:
        return BUS_EVENT_DISCONNECTED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return BUS_EVENT_NO_HANDSHAKE;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return BUS_EVENT_BAD_HANDSHAKE;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return BUS_EVENT_KEY_NOT_KNOWN;
    default:
        return BUS_EVENT_OTHER;
    }
}

/* The first part is a 16-bit number and a value, the second the endpoint, as zmq_socket_monitor(3)
 * has them. */
bool bus_monitor_next(void *monitor_zmq, bus_event_t *event_out) {
    zmq_msg_t parts[1];
    uint16_t id = 0;
    if (bus_socket_take(monitor_zmq, parts, 1) == 0)
        return false;
    if (zmq_msg_size(&parts[0]) >= sizeof(id))
        memcpy(&id, zmq_msg_data(&parts[0]), sizeof(id));
    zmq_msg_close(&parts[0]);
    *event_out = event_of(id);
    return true;
}
