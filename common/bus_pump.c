#include "common/bus_pump.h"

#include <czmq.h>

enum {
    DRAIN_BUDGET = 512, /* messages from one socket in one go, so that others get their turn */
    HANDLES = 4,
};

typedef struct {
    bus_pump_t *pump;
    zsock_t *zsock;
    void *zmq;
    bus_pump_receive_fn receive;
    void *ctx;
    uv_poll_t poll;
} source_t;

struct bus_pump {
    uv_loop_t *loop;
    void (*turn)(void *ctx);
    void *ctx;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; /* running: some socket has more to read, so the loop must not sleep */
    uv_timer_t timer;
    source_t **sources;
    size_t count;
    size_t open_handles;
    bool closing;
    void (*closed)(void *ctx);
};

static bool has_input(void *zmq) {
    int events = 0;
    size_t size = sizeof(events);
    return zmq_getsockopt(zmq, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)poll; /* on_check reads */
    (void)status;
    (void)events;
}

static void on_idle(uv_idle_t *idle) {
    (void)idle; /* its running is its purpose */
}

static void on_timer(uv_timer_t *timer) {
    (void)timer; /* wakes the loop, so that `turn` runs */
}

static void on_prepare(uv_prepare_t *prepare) {
    bus_pump_t *self = prepare->data;
    self->turn(self->ctx);
    bool more = false;
    for (size_t i = 0; i < self->count && !self->closing; i++)
        more = more || has_input(self->sources[i]->zmq);
    if (more)
        uv_idle_start(&self->idle, on_idle);
}

static void on_check(uv_check_t *check) {
    bus_pump_t *self = check->data;
    uv_idle_stop(&self->idle);
    for (size_t i = 0; i < self->count; i++) {
        const source_t *source = self->sources[i];
        int budget = DRAIN_BUDGET;
        while (budget > 0 && !self->closing && source->receive(source->ctx, source->zmq))
            budget--;
    }
}

bus_pump_t *bus_pump_new(uv_loop_t *loop, void (*turn)(void *ctx), void *ctx) {
    bus_pump_t *self = xcalloc(1, sizeof(*self));
    self->loop = loop;
    self->turn = turn;
    self->ctx = ctx;
    uv_prepare_init(loop, &self->prepare);
    uv_check_init(loop, &self->check);
    uv_idle_init(loop, &self->idle);
    uv_timer_init(loop, &self->timer);
    self->prepare.data = self->check.data = self->idle.data = self->timer.data = self;
    self->open_handles = HANDLES;
    uv_prepare_start(&self->prepare, on_prepare);
    uv_check_start(&self->check, on_check);
    uv_timer_start(&self->timer, on_timer, 0, BUS_TICK_MS);
    return self;
}

void bus_pump_add(bus_pump_t *self, void *zsock, bus_pump_receive_fn receive, void *ctx) {
    source_t *source = xcalloc(1, sizeof(*source));
    *source = (source_t){
        .pump = self, .zsock = zsock, .zmq = zsock_resolve(zsock), .receive = receive, .ctx = ctx};
    self->sources = xrealloc(self->sources, (self->count + 1) * sizeof(*self->sources));
    self->sources[self->count++] = source;
    ASSERT(uv_poll_init(self->loop, &source->poll, zsock_fd(zsock)) == 0);
    source->poll.data = source;
    self->open_handles++;
    ASSERT(uv_poll_start(&source->poll, UV_READABLE, on_readable) == 0);
}

static void on_closed(bus_pump_t *self) {
    if (--self->open_handles > 0)
        return;
    for (size_t i = 0; i < self->count; i++) {
        zsock_destroy(&self->sources[i]->zsock);
        free(self->sources[i]);
    }
    free(self->sources);
    self->closed(self->ctx);
    free(self);
}

static void on_handle_closed(uv_handle_t *handle) {
    on_closed(handle->data);
}

static void on_poll_closed(uv_handle_t *handle) {
    on_closed(((source_t *)handle->data)->pump);
}

void bus_pump_close(bus_pump_t *self, void (*closed)(void *ctx)) {
    self->closing = true;
    self->closed = closed;
    uv_close((uv_handle_t *)&self->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&self->check, on_handle_closed);
    uv_close((uv_handle_t *)&self->idle, on_handle_closed);
    uv_close((uv_handle_t *)&self->timer, on_handle_closed);
    for (size_t i = 0; i < self->count; i++) {
        /* A socket's event that nobody is left to read would block ZeroMQ's own thread for ever. */
        zmq_socket_monitor(self->sources[i]->zmq, NULL, 0);
        uv_close((uv_handle_t *)&self->sources[i]->poll, on_poll_closed);
    }
}
