/* The link to the world's broker: what is on its way, and its ups and downs. */
#include "gateway_world_broker.h"

/* Sends self->body in this envelope. */
void world_send(world_t *self, envelope_t envelope) {
    strbuf_t frame = {0};
    ASSERT(self->wire_count < WORLD_QUEUE);
    envelope.body = strbuf_str(&self->body);
    envelope_encode(&envelope, &frame);
    world_frame_t *sent = &self->wire[self->wire_count++];
    size_t n = frame.n;
    sent->frame = strbuf_detach(&frame);
    ASSERT(envelope_decode((str_t){sent->frame, n}, &sent->envelope) == OK);
    strbuf_clear(&self->body);
}

world_request_t world_take_pending(world_t *self, size_t index) {
    world_request_t taken = self->requests[index];
    self->pending_count--;
    if (!taken.taken)
        self->request_count--;
    memmove(&self->requests[index], &self->requests[index + 1],
            (self->pending_count - index) * sizeof(taken));
    free(taken.body);
    return taken;
}

size_t world_find_pending(const world_t *self, uint64_t id) {
    size_t i = 0;
    while (i < self->pending_count && self->requests[i].id != id)
        i++;
    return i;
}

void broker_deliver(world_t *self) {
    if (self->wire_count == 0)
        return;
    world_frame_t frame = self->wire[0];
    self->wire_count--;
    memmove(&self->wire[0], &self->wire[1], self->wire_count * sizeof(frame));
    if (frame.envelope.flags & ENVELOPE_REPLY) {
        size_t at = world_find_pending(self, frame.envelope.request_id);
        ASSERT(at < self->pending_count);
        world_request_t request = world_take_pending(self, at);
        if (request.on_reply)
            request.on_reply(request.arg, OK, &frame.envelope);
    } else {
        gateway_core_deliver(self->core, 0, &frame.envelope);
    }
    free(frame.frame);
}

/* What was sent is on its way to the broker, whether somebody waits for the answer or not. */
static void forget(world_t *self, size_t at) {
    if (self->up)
        self->requests[at].on_reply = NULL;
    else
        world_take_pending(self, at);
}

void broker_forget(world_t *self, uint64_t id) {
    size_t at = world_find_pending(self, id);
    ASSERT(at < self->pending_count && self->requests[at].on_reply);
    forget(self, at);
}

void broker_time_out(world_t *self, size_t which) {
    if (self->pending_count == 0)
        return;
    size_t at = which % self->pending_count;
    world_request_t request = self->requests[at];
    if (!request.on_reply)
        return;
    forget(self, at);
    request.on_reply(request.arg, ERR_TIMEOUT, NULL);
}

/* ---- up and down ---- */

static void reverse(world_request_t *requests, size_t n) {
    for (size_t i = 0; i < n / 2; i++) {
        world_request_t held = requests[i];
        requests[i] = requests[n - 1 - i];
        requests[n - 1 - i] = held;
    }
}

/* What the gateway sends when the link comes up goes before the requests that are repeated. */
void broker_up(world_t *self) {
    size_t repeated = self->pending_count;
    self->up = true;
    gateway_core_up(self->core, 0);
    reverse(self->requests, repeated);
    reverse(self->requests + repeated, self->pending_count - repeated);
    reverse(self->requests, self->pending_count);
    for (size_t i = 0; i < self->pending_count; i++)
        self->requests[i].sent = true;
}

static void lose_wire(world_t *self) {
    for (size_t i = 0; i < self->wire_count; i++)
        free(self->wire[i].frame);
    self->wire_count = 0;
}

void broker_down(world_t *self) {
    self->figures.restarts++;
    self->up = false;
    lose_wire(self);
    self->read_count = 0;
    self->member_count = 0;
    for (size_t i = 0; i < WORLD_ROOMS; i++)
        self->rooms[i].fanned_out = 0;
    for (size_t i = 0; i < self->pending_count;) {
        world_request_t *request = &self->requests[i];
        if (!request->on_reply || (request->link_bound && request->sent)) {
            world_request_t ended = world_take_pending(self, i);
            if (ended.on_reply)
                ended.on_reply(ended.arg, ERR_CLOSED, NULL);
            i = 0;
            continue;
        }
        self->request_count += request->taken;
        request->taken = request->sent = false;
        i++;
    }
    gateway_core_down(self->core, 0);
}

void broker_fini(world_t *self) {
    lose_wire(self);
    while (self->pending_count)
        world_take_pending(self, 0);
}
