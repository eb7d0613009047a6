/* Somebody on the broker's socket who speaks the wire himself, with a stock czmq. */
#pragma once

#include "broker_process.h"

#include <czmq.h>

#include "common/keyring_files.h"
#include "proto/envelope.h"

typedef struct {
    const broker_process_t *broker;
    zsock_t *socket;
    proto_hello_t hello; /* what the next say_hello() says: a gateway, at first */
    uint32_t count;
    uint64_t epoch;
    zmsg_t *received; /* the latest */
} bus_peer_t;

/* What a peer encrypts with; NULL pairs: in clear. */
typedef struct {
    const key_pair_t *own;
    const char *server_key;
} bus_peer_keys_t;

/* Connects; `name` is its routing id and instance name. With keys if the broker has some: those of
 * a gateway. */
void bus_peer_open(bus_peer_t *self, const broker_process_t *broker, const char *name);
void bus_peer_open_with(bus_peer_t *self, const broker_process_t *broker, const char *name,
                        const bus_peer_keys_t *keys);
void bus_peer_close(bus_peer_t *self);

void bus_peer_send(const bus_peer_t *self, str_t frame);
void bus_peer_send_envelope(const bus_peer_t *self, const envelope_t *envelope);
/* Sends the next counted envelope, of user 1 in conv_1_2. */
void bus_peer_say(bus_peer_t *self, uint16_t type, uint64_t id, str_t body);
void bus_peer_say_hello(bus_peer_t *self);

/* The next envelope but heartbeats; it lives until the next call. Fails after ten seconds. */
envelope_t bus_peer_receive(bus_peer_t *self);
/* Says hello and takes the WELCOME. */
void bus_peer_link(bus_peer_t *self);
/* The reason of the REFUSED that comes next. */
unsigned bus_peer_refusal(bus_peer_t *self);
/* Waits until the broker has read all that was sent, by sending what it answers with RESYNC. */
void bus_peer_wait_until_read(bus_peer_t *self);

/* One who speaks properly is served. */
void bus_peer_expect_service(const broker_process_t *broker);
