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
    zsock_t *monitor; /* ZeroMQ tells here of its broken connections */
    uv_poll_t monitor_poll;
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

static bool can_read(void *zmq) {
    int events = 0;
    size_t size = sizeof(events);
    return zmq_getsockopt(zmq, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN);
}

static bool has_input(const socket_t *socket) {
    return can_read(socket->zmq) || can_read(zsock_resolve(socket->monitor));
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

/* Reads all that the monitor says; only one kind of event is asked for. */
static bool is_disconnected(const socket_t *socket) {
    bool any = false;
    char part[512]; /* what is longer is cut off */
    while (zmq_recv(zsock_resolve(socket->monitor), part, sizeof(part), ZMQ_DONTWAIT) >= 0)
        any = true;
    return any;
}

static void drain(bus_pump_t *self, size_t index) {
    int budget = DRAIN_BUDGET;
    while (budget > 0 && !self->closing && receive_one(self, index))
        budget--;
    if (!self->closing && is_disconnected(self->sockets[index]))
        self->ops->disconnected(self->ctx, index);
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

/* The reader of the socket's broken connections; NULL when it can't be made. */
static zsock_t *watch(void *zmq) {
    char address[64];
    snprintf(address, sizeof(address), "inproc://bus-monitor-%p", zmq);
    if (zmq_socket_monitor(zmq, address, ZMQ_EVENT_DISCONNECTED) != 0)
        return NULL;
    zsock_t *monitor = zsock_new(ZMQ_PAIR);
    if (monitor && zsock_connect(monitor, "%s", address) != 0)
        zsock_destroy(&monitor);
    return monitor;
}

static void start_poll(bus_pump_t *self, socket_t *socket, uv_poll_t *poll, zsock_t *zsock) {
    ASSERT(uv_poll_init(self->loop, poll, zsock_fd(zsock)) == 0);
    poll->data = socket;
    self->open_handles++;
    ASSERT(uv_poll_start(poll, UV_READABLE, on_readable) == 0);
}

err_t bus_pump_add(bus_pump_t *self, void *zsock, bool is_router) {
    zsock_t *owned = zsock, *monitor = watch(zsock_resolve(zsock));
    if (!monitor) {
        zsock_destroy(&owned);
        return ERR_IO;
    }
    socket_t *socket = xcalloc(1, sizeof(*socket));
    socket->zsock = zsock;
    socket->zmq = zsock_resolve(zsock);
    socket->is_router = is_router;
    socket->monitor = monitor;
    socket->pump = self;
    self->sockets = xrealloc(self->sockets, (self->count + 1) * sizeof(*self->sockets));
    self->sockets[self->count++] = socket;
    start_poll(self, socket, &socket->poll, socket->zsock);
    start_poll(self, socket, &socket->monitor_poll, socket->monitor);
    return OK;
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
        zsock_destroy(&self->sockets[i]->monitor);
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
    for (size_t i = 0; i < self->count; i++) {
        /* An event that nobody is left to read would block ZeroMQ's own thread for ever. */
        zmq_socket_monitor(self->sockets[i]->zmq, NULL, 0);
        uv_close((uv_handle_t *)&self->sockets[i]->poll, on_poll_closed);
        uv_close((uv_handle_t *)&self->sockets[i]->monitor_poll, on_poll_closed);
    }
}
