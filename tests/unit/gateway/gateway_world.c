#include "gateway_world.h"

#include "gateway_world_broker.h"
#include "gateway_world_clients.h"

/* ---- steps ---- */

typedef void step_fn(world_t *self, uint8_t detail);

static void step_connect(world_t *self, uint8_t detail) {
    clients_connect(self, detail);
}

static void step_disconnect(world_t *self, uint8_t detail) {
    clients_disconnect(self, detail % WORLD_SOCKETS);
}

static void step_join(world_t *self, uint8_t detail) {
    clients_join(self, detail % WORLD_SOCKETS, (detail / WORLD_SOCKETS) % WORLD_ROOMS, detail & 64);
}

static void step_leave(world_t *self, uint8_t detail) {
    clients_leave(self, detail % WORLD_SOCKETS, (detail / WORLD_SOCKETS) % WORLD_ROOMS);
}

static void step_send(world_t *self, uint8_t detail) {
    clients_send(self, detail % WORLD_SOCKETS, (detail / WORLD_SOCKETS) % WORLD_ROOMS);
}

static void step_store(world_t *self, uint8_t detail) {
    if (detail & 128)
        broker_store_from_elsewhere(self, detail % WORLD_ROOMS, true);
    broker_store_from_elsewhere(self, detail % WORLD_ROOMS, false);
}

static void step_work(world_t *self, uint8_t detail) {
    for (unsigned i = 0; i < detail % 8u + 1; i++)
        broker_take_request(self);
}

static void step_read(world_t *self, uint8_t detail) {
    broker_do_read(self, detail);
}

static void step_deliver(world_t *self, uint8_t detail) {
    for (unsigned i = 0; i < detail % 8u + 1; i++)
        broker_deliver(self);
}

static void step_repeat(world_t *self, uint8_t detail) {
    broker_repeat_fact(self, detail % WORLD_ROOMS);
}

/* Workers may find their broker again before it gets to the requests that gateways repeat. */
static void come_back(world_t *self, bool workers_first) {
    size_t repeated = self->pending_count;
    broker_up(self);
    while (workers_first && self->request_count > repeated)
        broker_take_request(self);
    for (size_t room = 0; workers_first && room < WORLD_ROOMS; room++)
        broker_repeat_fact(self, room);
}

/* Down seldom, and up again soon. */
static void step_restart(world_t *self, uint8_t detail) {
    if (!self->up)
        come_back(self, detail & 1);
    else if (detail < 32)
        broker_down(self);
}

static void step_time(world_t *self, uint8_t detail) {
    world_tick(self, (int64_t)detail * 20);
}

static void step_timeout(world_t *self, uint8_t detail) {
    broker_time_out(self, detail);
}

static void step_expel(world_t *self, uint8_t detail) {
    broker_expel(self, detail % WORLD_USERS);
}

/* Each `often` times in a hundred or so. */
static const struct {
    step_fn *step;
    unsigned often;
} steps[] = {{step_connect, 6},  {step_disconnect, 1}, {step_join, 10},   {step_leave, 2},
             {step_send, 12},    {step_store, 8},      {step_work, 16},   {step_read, 12},
             {step_deliver, 18}, {step_repeat, 3},     {step_restart, 6}, {step_time, 3},
             {step_timeout, 1},  {step_expel, 1}};

void world_tick(world_t *self, int64_t ms) {
    self->now_ms += ms;
    gateway_core_tick(self->core);
    gateway_core_flush(self->core);
}

void world_step(world_t *self, uint8_t what, uint8_t detail) {
    size_t i = 0;
    unsigned left = what % 99;
    while (left >= steps[i].often)
        left -= steps[i++].often;
    steps[i].step(self, detail);
    if (detail & 1) /* else the turn goes on */
        gateway_core_flush(self->core);
}

/* ---- life ---- */

world_t *world_new(void) {
    world_t *self = xcalloc(1, sizeof(*self));
    const char *why = NULL;
    ASSERT(brokers_new(STR("ipc://one"), &self->brokers, &why) == OK);
    self->metrics = metrics_new(gateway_metric_defs, METRIC_COUNT);
    self->arena = proto_arena_new();
    self->config = (gateway_core_config_t){.brokers = self->brokers,
                                           .incarnation = 1,
                                           .max_rooms = 100,
                                           .max_rooms_per_session = 100,
                                           .max_members = 1000,
                                           .max_interests = 1000,
                                           .max_waiting_bytes = 1 << 20,
                                           .max_writes = 1000,
                                           .max_requests_per_session = 1000,
                                           .metrics = self->metrics};
    self->core = gateway_core_new(&self->config, &world_ops, self);
    for (size_t i = 0; i < WORLD_USERS; i++)
        self->in_group[i] = true;
    broker_up(self);
    return self;
}

/* Everything that is asked is answered, everything sent arrives, and pauses pass. */
void world_finish(world_t *self) {
    if (!self->up)
        broker_up(self);
    for (unsigned round = 0; round < 100; round++) {
        while (self->request_count || self->read_count || self->wire_count) {
            while (self->request_count)
                broker_take_request(self);
            while (self->read_count)
                broker_do_read(self, 0);
            while (self->wire_count)
                broker_deliver(self);
        }
        for (size_t i = 0; i < WORLD_SOCKETS; i++) {
            if (self->sockets[i].closed)
                clients_disconnect(self, i);
        }
        world_tick(self, 200);
    }
    clients_check_complete(self);
    broker_check_memberships(self);
}

void world_free(world_t **self_in) {
    world_t *self = *self_in;
    *self_in = NULL;
    gateway_core_free(&self->core);
    ASSERT(self->packets == 0);
    broker_fini(self);
    metrics_free(&self->metrics);
    brokers_free(&self->brokers);
    proto_arena_free(&self->arena);
    strbuf_fini(&self->body);
    free(self);
}

world_figures_t world_figures(const world_t *self) {
    world_figures_t figures = self->figures;
    figures.gaps = (size_t)metrics_value(self->metrics, METRIC_GAPS, GAP_HEALED);
    figures.claims = (size_t)metrics_value(self->metrics, METRIC_MESSAGES_CLAIMED, 0);
    return figures;
}
