/* What waits to be sent to one client: packets in order, shared with other queues. Empty, it holds
 * no memory. */
#pragma once

#include "gateway/socketio/eio_packet.h"

/* Zeroed is a valid empty queue. */
typedef struct {
    eio_packet_t **ring; /* of `capacity` places: a power of 2, or 0 */
    uint32_t capacity, head, n;
    uint32_t cost; /* of all of them together, see eio_packet_cost() */
} eio_queue_t;

/* Appends a packet, and takes a reference of its own. */
void eio_queue_push(eio_queue_t *queue, eio_packet_t *packet);
/* The oldest packet, borrowed until it is popped. Not for an empty queue. */
eio_packet_t *eio_queue_first(const eio_queue_t *queue);
/* Drops the oldest. */
void eio_queue_pop(eio_queue_t *queue);
