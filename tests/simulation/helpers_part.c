#include "helpers_part.h"

#include "bus.h"

enum { TICK_MS = 100, PENDING_BYTES = 1 << 18, CHANGE_TIMEOUT_MS = 10000 };
#define FAR_FUTURE_MS INT64_C(4000000000000)

static void ignore_link(void *ctx, size_t broker) {
    (void)ctx;
    (void)broker;
}

static void ignore_envelope(void *ctx, size_t broker, const envelope_t *envelope) {
    (void)ctx;
    (void)broker;
    (void)envelope;
}

static void ignore_refusal(void *ctx) {
    (void)ctx;
}

/* ---- auth-worker ---- */

struct auth_part {
    world_t *world;
    process_t process;
    event_t tick;
    bus_t *bus;
    proto_arena_t *arena;
    strbuf_t body;
};

static void verify(void *ctx, size_t broker, const envelope_t *envelope) {
    auth_part_t *self = ctx;
    proto_auth_verify_t request;
    ASSERT(proto_auth_verify_decode(envelope->body, self->arena, &request) == OK);
    proto_identity_t identity = {
        .user_id = request.token, .name = request.token, .expires_at_ms = FAR_FUTURE_MS};
    strbuf_clear(&self->body);
    proto_identity_encode(&identity, &self->body);
    bus_reply(self->bus, broker, envelope,
              &(envelope_t){.type = MSG_IDENTITY, .body = strbuf_str(&self->body)});
}

static const bus_ops_t auth_ops = {
    .up = ignore_link, .down = ignore_link, .deliver = verify, .refused = ignore_refusal};

static void auth_tick(void *ctx) {
    auth_part_t *self = ctx;
    bus_tick(self->bus);
    world_after(self->world, &self->tick, TICK_MS);
}

auth_part_t *auth_part_new(world_t *world, network_t *network) {
    auth_part_t *self = xcalloc(1, sizeof(*self));
    bus_config_t bus = {.network = network,
                        .process = &self->process,
                        .role = ROLE_AUTH,
                        .name = "auth-worker",
                        .incarnation = 1,
                        .read_credit = 100,
                        .max_pending_bytes = PENDING_BYTES};
    self->world = world;
    self->arena = proto_arena_new();
    self->bus = bus_new(world, &bus, &auth_ops, self);
    self->tick = (event_t){.run = auth_tick, .ctx = self, .process = &self->process};
    world_after(world, &self->tick, 0);
    return self;
}

void auth_part_free(auth_part_t **self_in) {
    auth_part_t *self = *self_in;
    *self_in = NULL;
    world_cancel(self->world, &self->tick);
    bus_free(&self->bus);
    proto_arena_free(&self->arena);
    strbuf_fini(&self->body);
    free(self);
}

void auth_part_freeze(auth_part_t *self, int64_t until_ms) {
    world_note(self->world, "fault: auth-worker freezes until %d", (int)until_ms);
    self->process.asleep_until_ms = until_ms;
}

/* ---- administrator ---- */

/* The one change of a room's members that is under way. */
typedef struct {
    admin_part_t *admin;
    store_room_t *room;
    size_t user;
    bool removes;
    bool is_out;
} change_t;

struct admin_part {
    world_t *world;
    network_t *network;
    store_t *store;
    process_t process; /* never asleep */
    event_t tick, act;
    bus_t *bus;
    change_t changes[STORE_ROOMS_MAX];
    strbuf_t body;
};

static const bus_ops_t admin_ops = {
    .up = ignore_link, .down = ignore_link, .deliver = ignore_envelope, .refused = ignore_refusal};

static void admin_tick(void *ctx) {
    admin_part_t *self = ctx;
    bus_tick(self->bus);
    world_after(self->world, &self->tick, TICK_MS);
}

static void on_changed(void *arg, err_t err, const envelope_t *reply) {
    change_t *change = arg;
    bool ok = !err && reply->type == MSG_MEMBERS_CHANGED;
    change->is_out = false;
    world_note(change->admin->world, "admin: %s %zu in %s: %s", change->removes ? "remove" : "add",
               change->user + 1, change->room->id, ok ? "done" : "failed");
    if (ok && change->removes)
        store_removal_acknowledged(change->admin->store, change->room, change->user);
}

static void write_body(admin_part_t *self, const change_t *change, str_t user) {
    strbuf_clear(&self->body);
    if (change->removes)
        proto_remove_participant_encode(&(proto_remove_participant_t){.target = user}, &self->body);
    else
        proto_add_participants_encode(&(proto_add_participants_t){.users = {&user, 1}},
                                      &self->body);
}

static void make_change(admin_part_t *self, change_t *change) {
    strbuf_t caller = {0}, user = {0};
    store_append_user(&caller, change->room->creator);
    store_append_user(&user, change->user);
    write_body(self, change, strbuf_str(&user));
    envelope_t envelope = {.type = change->removes ? MSG_REMOVE_PARTICIPANT : MSG_ADD_PARTICIPANTS,
                           .room = str_from(change->room->id),
                           .user = strbuf_str(&caller),
                           .body = strbuf_str(&self->body)};
    link_request_t request = {.envelope = &envelope,
                              .timeout_ms = CHANGE_TIMEOUT_MS,
                              .on_reply = on_changed,
                              .arg = change};
    size_t broker = network_broker_of(self->network, envelope.room);
    change->is_out = bus_request(self->bus, broker, &request) != 0;
    strbuf_fini(&caller);
    strbuf_fini(&user);
}

static void admin_act(void *ctx) {
    admin_part_t *self = ctx;
    size_t index = world_random(self->world, self->store->room_count);
    store_room_t *room = &self->store->rooms[index];
    change_t *change = &self->changes[index];
    size_t user = world_random(self->world, self->store->user_count);
    if (room->is_group && !change->is_out && user != room->creator) {
        *change = (change_t){.admin = self,
                             .room = room,
                             .user = user,
                             .removes = room->members[user] && world_chance(self->world, 80)};
        make_change(self, change);
    }
    world_after(self->world, &self->act, world_between(self->world, 50, 800));
}

admin_part_t *admin_part_new(world_t *world, network_t *network, store_t *store) {
    admin_part_t *self = xcalloc(1, sizeof(*self));
    bus_config_t bus = {.network = network,
                        .process = &self->process,
                        .role = ROLE_REST,
                        .name = "rest",
                        .incarnation = 1,
                        .max_pending_bytes = PENDING_BYTES};
    self->world = world;
    self->network = network;
    self->store = store;
    self->bus = bus_new(world, &bus, &admin_ops, self);
    self->tick = (event_t){.run = admin_tick, .ctx = self};
    self->act = (event_t){.run = admin_act, .ctx = self};
    world_after(world, &self->tick, 0);
    world_after(world, &self->act, 100);
    return self;
}

void admin_part_free(admin_part_t **self_in) {
    admin_part_t *self = *self_in;
    *self_in = NULL;
    world_cancel(self->world, &self->tick);
    world_cancel(self->world, &self->act);
    bus_free(&self->bus);
    strbuf_fini(&self->body);
    free(self);
}

void admin_part_calm(admin_part_t *self) {
    world_cancel(self->world, &self->act);
}

bool admin_part_is_idle(const admin_part_t *self) {
    return bus_pending(self->bus) == 0;
}
