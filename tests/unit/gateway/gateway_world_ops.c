/* The effects of the core in the world. */
#include "common/ids.h"
#include "gateway_world_broker.h"
#include "gateway_world_clients.h"

const char *const world_users[WORLD_USERS] = {"a", "b", "c"};
const char *const world_rooms[WORLD_ROOMS] = {"conv_a_b", "conv_a_c",
                                              "group_01890a5d-ac96-774b-bcce-b302099a8057"};

static size_t index_of(const char *const *names, size_t n, const char *name) {
    size_t i = 0;
    while (i < n && strcmp(names[i], name) != 0)
        i++;
    return i;
}

size_t world_room_of(const char *name) {
    return index_of(world_rooms, WORLD_ROOMS, name);
}

size_t world_user_of(const char *name) {
    return index_of(world_users, WORLD_USERS, name);
}

bool world_has_right(const world_t *self, size_t user, size_t room) {
    if (room == WORLD_ROOMS - 1)
        return self->in_group[user];
    return ids_is_participant(str_from(world_rooms[room]), str_from(world_users[user]));
}

typedef struct {
    size_t references;
    char *event;
    char *args;
} packet_t;

static int64_t now_ms(void *ctx) {
    const world_t *self = ctx;
    return self->now_ms;
}

static void *accept_client(void *ctx, void *connect, session_t *session) {
    (void)ctx;
    world_socket_t *socket = connect;
    if (socket->session)
        return NULL; /* it has come in by another way meanwhile */
    socket->session = session;
    socket->number = session->number;
    socket->user = (uint8_t)world_user_of(session->user->id);
    return socket;
}

static void refuse_client(void *ctx, void *connect, str_t message, str_t data) {
    (void)ctx, (void)connect, (void)message, (void)data;
}

static void close_connect(void *ctx, void *connect) {
    (void)ctx, (void)connect;
}

static void *packet_new(void *ctx, str_t event, str_t args) {
    world_t *self = ctx;
    packet_t *packet = xcalloc(1, sizeof(*packet));
    *packet = (packet_t){.references = 1, .event = str_dup(event), .args = str_dup(args)};
    self->packets++;
    return packet;
}

static void packet_unref(void *ctx, void *packet_in) {
    world_t *self = ctx;
    packet_t *packet = packet_in;
    ASSERT(packet->references == 1);
    self->packets--;
    free(packet->event);
    free(packet->args);
    free(packet);
}

static void reply(void *ctx, void *socket, str_t pid) {
    (void)ctx, (void)socket, (void)pid;
}

static void fill(void *ctx, unsigned char *bytes, size_t n) {
    (void)ctx;
    memset(bytes, 0, n);
}

static void send_packet(void *ctx, void *socket, void *packet_in, str_t offset) {
    (void)offset;
    const packet_t *packet = packet_in;
    world_socket_t *to = socket;
    ASSERT(to->session);
    if (!to->closed)
        clients_told(ctx, to, str_from(packet->event), str_from(packet->args));
}

static void drop_ack(void *ctx, gateway_ack_t *ack) {
    (void)ctx;
    *ack = (gateway_ack_t){0};
}

static void send_ack(void *ctx, gateway_ack_t *ack, str_t args) {
    const world_socket_t *socket = ack->socket;
    ASSERT(socket && socket->session);
    if (!socket->closed)
        clients_acknowledged(ctx, ack->id, args);
    drop_ack(ctx, ack);
}

static void close_socket(void *ctx, void *socket_in, gateway_close_t reason) {
    (void)ctx;
    world_socket_t *socket = socket_in;
    ASSERT(reason == GATEWAY_CLOSE_LAGGING || reason == GATEWAY_CLOSE_TOKEN_EXPIRED);
    socket->closed = true;
}

static void copy_text(char *target, size_t size, str_t text) {
    ASSERT(text.n < size);
    if (text.n)
        memcpy(target, text.p, text.n);
    target[text.n] = '\0';
}

static world_request_t *add(world_t *self, const envelope_t *envelope) {
    ASSERT(self->pending_count < WORLD_QUEUE);
    world_request_t *made = &self->requests[self->pending_count++];
    *made = (world_request_t){.type = envelope->type,
                              .session = envelope->session,
                              .sent = self->up,
                              .body = str_dup(envelope->body),
                              .body_bytes = envelope->body.n};
    copy_text(made->room, sizeof(made->room), envelope->room);
    copy_text(made->user, sizeof(made->user), envelope->user);
    self->request_count++;
    return made;
}

static uint64_t request(void *ctx, size_t broker, const link_request_t *asked) {
    world_t *self = ctx;
    ASSERT(broker == 0);
    if (self->pending_count > WORLD_QUEUE / 2)
        return 0; /* the bus is full */
    world_request_t *made = add(self, asked->envelope);
    made->id = ++self->last_request;
    made->link_bound = asked->link_bound;
    made->on_reply = asked->on_reply;
    made->arg = asked->arg;
    return made->id;
}

static void cancel(void *ctx, size_t broker, uint64_t request_id) {
    ASSERT(broker == 0);
    broker_forget(ctx, request_id);
}

static err_t post(void *ctx, size_t broker, const envelope_t *envelope) {
    world_t *self = ctx;
    ASSERT(broker == 0);
    if (!self->up)
        return ERR_UNAVAILABLE;
    add(self, envelope);
    return OK;
}

static bool is_crowded(void *ctx, void *socket) {
    (void)ctx, (void)socket;
    return false;
}

static bool is_busy(void *ctx, size_t broker) {
    (void)ctx, (void)broker;
    return false;
}

const gateway_ops_t world_ops = {
    .now_ms = now_ms,
    .unix_ms = now_ms,
    .accept = accept_client,
    .reply = reply,
    .refuse = refuse_client,
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
