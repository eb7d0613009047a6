/* What ZeroMQ tells of a socket's connections: which broke, and which handshakes failed. Internal
 * to bus_client and bus_server. */
#pragma once

#include <czmq.h>

typedef enum {
    BUS_EVENT_DISCONNECTED,  /* what was under way on it is lost */
    BUS_EVENT_NO_HANDSHAKE,  /* it went, or was silent for too long, before it had shaken hands */
    BUS_EVENT_BAD_HANDSHAKE, /* not ZMTP, not CURVE where keys are configured, or to another key */
    BUS_EVENT_KEY_NOT_KNOWN, /* CURVE, but with a key that is none of ours */
    BUS_EVENT_OTHER,
    BUS_EVENT_COUNT,
} bus_event_t;

/* In words, for logs and metrics; NULL at the end. */
extern const char *const bus_event_names[BUS_EVENT_COUNT + 1];

/* The reader of the socket's events, which the caller destroys; NULL with errno when it can't be
 * made. Only one for a socket. */
zsock_t *bus_monitor_new(void *zmq);

/* Takes one event off the reader; false when there is none. */
bool bus_monitor_next(void *monitor_zmq, bus_event_t *event_out);
