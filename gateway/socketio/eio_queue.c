#include "gateway/socketio/eio_queue.h"

enum { FIRST_CAPACITY = 4 };

static void grow(eio_queue_t *self) {
    uint32_t capacity = self->capacity ? self->capacity * 2 : FIRST_CAPACITY;
    eio_packet_t **ring = xmalloc(capacity * sizeof(eio_packet_t *));
    for (uint32_t i = 0; i < self->n; i++)
        ring[i] = self->ring[(self->head + i) & (self->capacity - 1)];
    free(self->ring);
    self->ring = ring;
    self->capacity = capacity;
    self->head = 0;
}

void eio_queue_push(eio_queue_t *self, eio_packet_t *packet) {
    if (self->n == self->capacity)
        grow(self);
    self->ring[(self->head + self->n++) & (self->capacity - 1)] = eio_packet_ref(packet);
    self->cost += (uint32_t)eio_packet_cost(packet);
}

eio_packet_t *eio_queue_first(const eio_queue_t *self) {
    ASSERT(self->n > 0);
    return self->ring[self->head];
}

void eio_queue_pop(eio_queue_t *self) {
    eio_packet_t *packet = eio_queue_first(self);
    self->head = (self->head + 1) & (self->capacity - 1);
    self->cost -= (uint32_t)eio_packet_cost(packet);
    eio_packet_unref(&packet);
    if (--self->n > 0)
        return;
    free(self->ring);
    *self = (eio_queue_t){0};
}
