#include "gateway_part.h"

#include <utlist.h>

#include "bus.h"
#include "common/ids.h"
#include "gateway/gateway_core.h"
#include "gateway/gateway_metrics.h"
#include "gateway/rooms_local.h"
#include "socket.h"

enum { TICK_MS = 100, PENDING_BYTES = 1 << 18 };
#define UNIX_OFFSET_MS INT64_C(1700000000000)

struct gateway_part {
    gateway_part_config_t config;
    char name[16];
    uint64_t lives;
    process_t process;
    event_t tick, restart;
    bool must_end;
    bus_t *bus;
    gateway_core_t *core; /* NULL: dead */
    metrics_t *metrics;
    socket_t *sockets; /* of all lives */
    uint64_t socket_count;
    uint64_t ids_made;
};

/* ---- effects of the core ---- */

static int64_t now_ms(void *ctx) {
    const gateway_part_t *self = ctx;
    return self->config.world->now_ms;
}

static int64_t unix_ms(void *ctx) {
    return now_ms(ctx) + UNIX_OFFSET_MS;
}

static void *accept_socket(void *ctx, void *connect, session_t *session) {
    (void)ctx;
    return socket_accept(connect, session, session_sid(session)) ? connect : NULL;
}

static void reply(void *ctx, void *socket, str_t pid) {
    (void)ctx;
    socket_reply(socket, pid);
}

/* Never twice the same, and nothing of the schedule's randomness. */
static void fill(void *ctx, unsigned char *bytes, size_t n) {
    gateway_part_t *self = ctx;
    uint64_t number = ++self->ids_made;
    memset(bytes, 0, n);
    for (size_t i = 0; i < n && i < sizeof(self->name); i++)
        bytes[i] = (unsigned char)self->name[i];
    for (size_t i = n; i > sizeof(self->name) && number; number >>= 6)
        bytes[--i] = (unsigned char)(number & 63);
}

static void refuse_socket(void *ctx, void *connect, str_t message, str_t data) {
    (void)ctx;
    (void)message;
    (void)data;
    socket_end(connect);
}

static void close_connect(void *ctx, void *connect) {
    (void)ctx;
    socket_end(connect);
}

static void *packet_new(void *ctx, str_t event, str_t args) {
    (void)ctx;
    return socket_packet_new(event, args);
}

static void packet_unref(void *ctx, void *packet) {
    (void)ctx;
    socket_packet_unref(packet);
}

static void send_packet(void *ctx, void *socket, void *packet, str_t offset) {
    (void)ctx;
    socket_send(socket, packet, offset);
}

static void drop_ack(void *ctx, gateway_ack_t *ack) {
    (void)ctx;
    *ack = (gateway_ack_t){0};
}

static void send_ack(void *ctx, gateway_ack_t *ack, str_t args) {
    socket_acknowledge(ack->socket, ack->id, args);
    drop_ack(ctx, ack);
}

static void close_socket(void *ctx, void *socket, gateway_close_t reason) {
    gateway_part_t *self = ctx;
    world_note(self->config.world, "%s closes %s: %d", self->name, socket_id(socket), (int)reason);
    socket_close(socket);
}

static uint64_t request(void *ctx, size_t broker, const link_request_t *link_request) {
    gateway_part_t *self = ctx;
    return bus_request(self->bus, broker, link_request);
}

static void cancel(void *ctx, size_t broker, uint64_t request_id) {
    gateway_part_t *self = ctx;
    bus_cancel(self->bus, broker, request_id);
}

static err_t post(void *ctx, size_t broker, const envelope_t *envelope) {
    gateway_part_t *self = ctx;
    return bus_send(self->bus, broker, envelope);
}

static bool is_crowded(void *ctx, void *socket) {
    (void)ctx, (void)socket;
    return false;
}

static bool is_busy(void *ctx, size_t broker) {
    const gateway_part_t *self = ctx;
    return bus_is_busy(self->bus, broker);
}

static const gateway_ops_t core_ops = {
    .now_ms = now_ms,
    .unix_ms = unix_ms,
    .accept = accept_socket,
    .reply = reply,
    .refuse = refuse_socket,
    .close_connect = close_connect,
    .packet_new = packet_new,
    .packet_unref = packet_unref,
    .send = send_packet,
    .ack = send_ack,
    .drop_ack = drop_ack,
    .close = close_socket,
    .random = fill,
    .is_crowded = is_crowded,
    .request = request,
    .cancel = cancel,
    .post = post,
    .is_busy = is_busy,
};

/* ---- links ---- */

static void on_up(void *ctx, size_t broker) {
    gateway_part_t *self = ctx;
    gateway_core_up(self->core, broker);
    gateway_core_flush(self->core);
}

static void on_down(void *ctx, size_t broker) {
    gateway_part_t *self = ctx;
    gateway_core_down(self->core, broker);
    gateway_core_flush(self->core);
}

static void on_deliver(void *ctx, size_t broker, const envelope_t *envelope) {
    gateway_part_t *self = ctx;
    gateway_core_deliver(self->core, broker, envelope);
    gateway_core_flush(self->core);
}

static void on_refused(void *ctx) {
    gateway_part_t *self = ctx;
    self->must_end = true;
}

static const bus_ops_t bus_ops = {
    .up = on_up, .down = on_down, .deliver = on_deliver, .refused = on_refused};

/* ---- what sockets do ---- */

static void on_token(void *ctx, socket_t *socket, str_t token) {
    gateway_part_t *self = ctx;
    gateway_core_connect(self->core, socket,
                         &(gateway_hello_t){.token = token, .address = STR("10.0.0.1")});
    gateway_core_flush(self->core);
}

static void on_event(void *ctx, socket_t *socket, const socket_event_t *event) {
    gateway_part_t *self = ctx;
    gateway_event_t made = {.name = event->name, .array = event->array};
    if (event->id)
        made.ack = (gateway_ack_t){.socket = socket, .id = event->id};
    gateway_core_event(self->core, socket_session(socket), &made);
    gateway_core_flush(self->core);
}

static void on_gone(void *ctx, void *session) {
    gateway_part_t *self = ctx;
    gateway_core_disconnect(self->core, session);
    gateway_core_flush(self->core);
}

static const socket_server_t server_ops = {.token = on_token, .event = on_event, .gone = on_gone};

socket_t *gateway_part_connect(gateway_part_t *self, str_t token, const socket_ops_t *ops,
                               void *ctx) {
    char id[STORE_SOCKET_BYTES];
    if (!self->core)
        return NULL;
    snprintf(id, sizeof(id), "%s.%llu", self->name, (unsigned long long)++self->socket_count);
    socket_t *socket = socket_new(&(socket_config_t){.world = self->config.world,
                                                     .id = id,
                                                     .process = &self->process,
                                                     .server = &server_ops,
                                                     .server_ctx = self,
                                                     .client = ops,
                                                     .client_ctx = ctx},
                                  token);
    socket_add(&self->sockets, socket);
    return socket;
}

/* ---- lives ---- */

static void on_tick(void *ctx) {
    gateway_part_t *self = ctx;
    world_t *world = self->config.world;
    if (self->must_end) {
        gateway_part_kill(self, world->now_ms + world_between(world, 200, 1000));
        return;
    }
    gateway_core_tick(self->core);
    gateway_core_flush(self->core);
    bus_tick(self->bus);
    gateway_core_flush(self->core);
    gateway_part_check_bounds(self);
    world_after(world, &self->tick, TICK_MS);
}

static void start(void *ctx) {
    gateway_part_t *self = ctx;
    world_t *world = self->config.world;
    bool tight = self->config.is_tight;
    uint64_t incarnation = ++self->lives;
    bus_config_t bus = {.network = self->config.network,
                        .process = &self->process,
                        .role = ROLE_GATEWAY,
                        .name = self->name,
                        .incarnation = incarnation,
                        .max_pending_bytes = PENDING_BYTES};
    gateway_core_config_t config = {.brokers = network_list(self->config.network),
                                    .incarnation = incarnation,
                                    .max_rooms = 100,
                                    .max_rooms_per_session = 10,
                                    .max_members = 1000,
                                    .max_interests = 1000,
                                    .max_waiting_bytes = 1 << 20,
                                    .max_writes = tight ? 6 : 1000,
                                    .max_requests_per_session = tight ? 4 : 50,
                                    .metrics = self->metrics};
    self->process.asleep_until_ms = 0;
    self->must_end = false;
    self->bus = bus_new(world, &bus, &bus_ops, self);
    self->core = gateway_core_new(&config, &core_ops, self);
    world_note(world, "%s starts", self->name);
    world_after(world, &self->tick, world_between(world, 0, TICK_MS));
}

static void stop(gateway_part_t *self) {
    world_cancel(self->config.world, &self->tick);
    world_cancel(self->config.world, &self->restart);
    bus_free(&self->bus);
    gateway_core_free(&self->core);
}

gateway_part_t *gateway_part_new(const gateway_part_config_t *config) {
    gateway_part_t *self = xcalloc(1, sizeof(*self));
    self->config = *config;
    snprintf(self->name, sizeof(self->name), "gateway-%d", (int)config->index);
    self->tick = (event_t){.run = on_tick, .ctx = self, .process = &self->process};
    self->restart = (event_t){.run = start, .ctx = self};
    self->metrics = metrics_new(gateway_metric_defs, METRIC_COUNT);
    start(self);
    return self;
}

void gateway_part_free(gateway_part_t **self_in) {
    gateway_part_t *self = *self_in;
    *self_in = NULL;
    stop(self);
    sockets_free(&self->sockets);
    metrics_free(&self->metrics);
    free(self);
}

void gateway_part_kill(gateway_part_t *self, int64_t back_at_ms) {
    world_note(self->config.world, "fault: %s is killed until %d", self->name, (int)back_at_ms);
    stop(self);
    sockets_server_died(self->sockets);
    world_at(self->config.world, &self->restart, back_at_ms);
}

void gateway_part_freeze(gateway_part_t *self, int64_t until_ms) {
    world_note(self->config.world, "fault: %s freezes until %d", self->name, (int)until_ms);
    self->process.asleep_until_ms = until_ms;
}

/* ---- looking in ---- */

void gateway_part_check_bounds(const gateway_part_t *self) {
    if (!bus_is_within_bounds(self->bus))
        world_fail(self->config.world, "a queue of %s is over its bound", self->name);
}

bool gateway_part_is_idle(const gateway_part_t *self) {
    if (!self->core)
        return false;
    gateway_figures_t figures = gateway_core_figures(self->core);
    return bus_is_up(self->bus) && bus_pending(self->bus) == 0 && figures.connects == 0 &&
           figures.requests == 0;
}

static void tell_members(const gateway_part_t *self, const socket_t *socket,
                         void (*each)(void *ctx, const gateway_part_member_t *member), void *ctx) {
    const session_t *session = socket_session(socket);
    gateway_part_member_t told = {.session = session->number,
                                  .user = user_id_of(session->user),
                                  .gateway = self->name,
                                  .incarnation = self->lives,
                                  .socket = socket};
    strbuf_t own = {0};
    ids_append_user_room(&own, told.user);
    told.room = strbuf_str(&own);
    each(ctx, &told);
    strbuf_fini(&own);
    const member_t *member = session->members;
    for (; member; member = member->session_next) {
        told.room = room_name(member->room);
        each(ctx, &told);
    }
}

void gateway_part_members(const gateway_part_t *self,
                          void (*each)(void *ctx, const gateway_part_member_t *member), void *ctx) {
    for (const socket_t *socket = self->sockets; self->core && socket;
         socket = socket_next(socket)) {
        if (socket_session(socket))
            tell_members(self, socket, each, ctx);
    }
}
