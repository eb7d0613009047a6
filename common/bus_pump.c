#include "common/bus_pump.h"

#include <czmq.h>

enum {
    DRAIN_BUDGET = 512, /* messages from one socket in one go, so that others get their turn */
    HANDLES = 4,
};

typedef struct {
    zsock_t *zsock;
    void *zmq;
    bool is_router;
    uv_poll_t poll;
    bus_pump_t *pump;
} socket_t;

struct bus_pump {
    uv_loop_t *loop;
    const bus_pump_ops_t *ops;
    void *ctx;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; /* running: some socket has more to read, so the loop must not sleep */
    uv_timer_t timer;
    socket_t **sockets;
    size_t count;
    size_t open_handles;
    bool closing;
    void (*closed)(void *ctx);
};

static bool has_input(const socket_t *socket) {
    int events = 0;
    size_t size = sizeof(events);
    return zmq_getsockopt(socket->zmq, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN);
}

static str_t message_str(zmq_msg_t *message) {
    return (str_t){zmq_msg_data(message), zmq_msg_size(message)};
}

/* Reads one whole message; parts beyond the expected ones are thrown away with it. */
static bool receive_one(bus_pump_t *self, size_t index) {
    socket_t *socket = self->sockets[index];
    size_t expected = socket->is_router ? 2 : 1, parts = 0;
    zmq_msg_t message[3];
    bool more = true;
    while (more) {
        zmq_msg_t *part = &message[parts < 2 ? parts : 2];
        if (parts >= 3)
            zmq_msg_close(part);
        zmq_msg_init(part);
        if (zmq_msg_recv(part, socket->zmq, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(part);
            break; /* only before the first part: messages arrive whole */
        }
        more = zmq_msg_more(part);
        parts++;
    }
    if (parts == expected)
        self->ops->receive(self->ctx, index,
                           socket->is_router ? message_str(&message[0]) : (str_t){"", 0},
                           message_str(&message[expected - 1]));
    for (size_t i = 0; i < parts && i < 3; i++)
        zmq_msg_close(&message[i]);
    return parts > 0;
}

static void drain(bus_pump_t *self, size_t index) {
    for (int i = 0; i < DRAIN_BUDGET && !self->closing; i++) {
        if (!receive_one(self, index))
            return;
    }
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    socket_t *socket = poll->data;
    bus_pump_t *self = socket->pump;
    for (size_t i = 0; i < self->count; i++) {
        if (self->sockets[i] == socket)
            drain(self, i);
    }
}

static void on_idle(uv_idle_t *idle) {
    (void)idle; /* its running is its purpose */
}

static void on_prepare(uv_prepare_t *prepare) {
    bus_pump_t *self = prepare->data;
    self->ops->turn(self->ctx);
    bool more = false;
    for (size_t i = 0; i < self->count && !self->closing; i++)
        more = more || has_input(self->sockets[i]);
    if (more)
        uv_idle_start(&self->idle, on_idle);
}

static void on_check(uv_check_t *check) {
    bus_pump_t *self = check->data;
    uv_idle_stop(&self->idle);
    for (size_t i = 0; i < self->count && !self->closing; i++)
        drain(self, i);
}

static void on_timer(uv_timer_t *timer) {
    (void)timer; /* wakes the loop, so that `turn` runs */
}

bus_pump_t *bus_pump_new(uv_loop_t *loop, const bus_pump_ops_t *ops, void *ctx) {
    bus_pump_t *self = xcalloc(1, sizeof(*self));
    self->loop = loop;
    self->ops = ops;
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

void bus_pump_add(bus_pump_t *self, void *zsock, bool is_router) {
    socket_t *socket = xcalloc(1, sizeof(*socket));
    socket->zsock = zsock;
    socket->zmq = zsock_resolve(zsock);
    socket->is_router = is_router;
    socket->pump = self;
    self->sockets = xrealloc(self->sockets, (self->count + 1) * sizeof(*self->sockets));
    self->sockets[self->count++] = socket;
    uv_poll_init(self->loop, &socket->poll, zsock_fd(zsock));
    socket->poll.data = socket;
    self->open_handles++;
    uv_poll_start(&socket->poll, UV_READABLE, on_readable);
}

bool bus_pump_send(bus_pump_t *self, size_t index, str_t routing_id, str_t frame) {
    socket_t *socket = self->sockets[index];
    if (self->closing)
        return false;
    if (socket->is_router &&
        zmq_send(socket->zmq, routing_id.p, routing_id.n, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return false;
    return zmq_send(socket->zmq, frame.p, frame.n, ZMQ_DONTWAIT) >= 0;
}

static void on_closed(uv_handle_t *handle, bus_pump_t *self) {
    (void)handle;
    if (--self->open_handles > 0)
        return;
    for (size_t i = 0; i < self->count; i++) {
        zsock_destroy(&self->sockets[i]->zsock);
        free(self->sockets[i]);
    }
    free(self->sockets);
    self->closed(self->ctx);
    free(self);
}

static void on_handle_closed(uv_handle_t *handle) {
    on_closed(handle, handle->data);
}

static void on_poll_closed(uv_handle_t *handle) {
    on_closed(handle, ((socket_t *)handle->data)->pump);
}

void bus_pump_close(bus_pump_t *self, void (*closed)(void *ctx)) {
    self->closing = true;
    self->closed = closed;
    uv_close((uv_handle_t *)&self->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&self->check, on_handle_closed);
    uv_close((uv_handle_t *)&self->idle, on_handle_closed);
    uv_close((uv_handle_t *)&self->timer, on_handle_closed);
    for (size_t i = 0; i < self->count; i++)
        uv_close((uv_handle_t *)&self->sockets[i]->poll, on_poll_closed);
}
