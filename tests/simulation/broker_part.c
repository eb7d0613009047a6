#include "broker_part.h"

#include "broker/broker_core.h"
#include "bus.h"
#include "common/link_listener.h"

enum { TICK_MS = 100 };
#define UNIX_OFFSET_MS INT64_C(1700000000000)

struct broker_part {
    broker_part_config_t config;
    char name[16];
    process_t process;
    event_t tick;
    event_t restart;
    uint64_t lives;
    broker_core_config_t core_config;
    link_listener_config_t listener_config;
    link_listener_t *listener; /* NULL: dead */
    broker_core_t *core;
};

/* ---- core and listener ---- */

static void core_send_envelope(void *ctx, void *link, const envelope_t *envelope) {
    broker_part_t *self = ctx;
    if (envelope->type == MSG_ERROR)
        store_note_refusal(self->config.store, envelope->room, envelope->user);
    if (self->config.world->plant == PLANT_EXPEL && envelope->type == MSG_EXPEL)
        return;
    (void)!link_listener_send(self->listener, link, envelope, self->config.world->now_ms);
}

static void on_job_ended(void *ctx, job_class_t class, job_outcome_t outcome, int64_t took_ms) {
    (void)ctx;
    (void)class;
    (void)outcome;
    (void)took_ms;
}

/* Everybody in the simulation keeps to the protocol, so nothing may be refused, … */
static void on_envelope_refused(void *ctx, void *link, const envelope_t *envelope,
                                const char *what) {
    const broker_part_t *self = ctx;
    world_fail(self->config.world, "%s refuses %s of %s: %s", self->name,
               proto_name(envelope->type), link_peer_name(link), what);
}

static bool is_behind(void *ctx, void *link) {
    (void)ctx;
    return link_peer_is_behind(link);
}

static const broker_core_ops_t core_ops = {.send = core_send_envelope,
                                           .job_ended = on_job_ended,
                                           .refused = on_envelope_refused,
                                           .is_behind = is_behind};

static bool transmit(void *ctx, str_t routing_id, str_t frame) {
    const broker_part_t *self = ctx;
    return network_send(self->config.network, self->config.index, routing_id, frame);
}

static void on_up(void *ctx, link_peer_t *link) {
    broker_part_t *self = ctx;
    broker_core_peer_t peer = {.role = link_peer_role(link),
                               .link = link,
                               .write_credit = link_peer_write_credit(link),
                               .read_credit = link_peer_read_credit(link)};
    link_peer_set_data(link, broker_core_peer_up(self->core, &peer, self->config.world->now_ms));
}

static void on_down(void *ctx, link_peer_t *link, const char *reason) {
    broker_part_t *self = ctx;
    world_note(self->config.world, "%s loses %s: %s", self->name, link_peer_name(link), reason);
    broker_core_peer_down(self->core, link_peer_data(link), self->config.world->now_ms);
}

static void on_deliver(void *ctx, link_peer_t *link, const envelope_t *envelope) {
    broker_part_t *self = ctx;
    broker_core_deliver(self->core, link_peer_data(link), envelope, self->config.world->now_ms);
}

/* … but a late hello of a life that is over. */
static void on_frame_refused(void *ctx, str_t routing_id, const char *what) {
    const broker_part_t *self = ctx;
    world_note(self->config.world, "%s refuses %.*s: %s", self->name, STR_ARG(routing_id), what);
}

static const link_listener_ops_t listener_ops = {.transmit = transmit,
                                                 .up = on_up,
                                                 .down = on_down,
                                                 .deliver = on_deliver,
                                                 .refused = on_frame_refused};

/* ---- lives ---- */

static void on_receive(void *ctx, str_t routing_id, str_t frame) {
    broker_part_t *self = ctx;
    link_origin_t from = {.routing_id = routing_id, .roles = ROLE_CLIENTS};
    if (self->listener)
        link_listener_receive(self->listener, &from, frame, self->config.world->now_ms);
}

static void on_tick(void *ctx) {
    broker_part_t *self = ctx;
    int64_t now_ms = self->config.world->now_ms;
    link_listener_tick(self->listener, now_ms);
    broker_core_tick(self->core, now_ms, now_ms + UNIX_OFFSET_MS);
    broker_part_check_bounds(self);
    world_after(self->config.world, &self->tick, TICK_MS);
}

static broker_core_config_t limits_of(const broker_part_config_t *config, uint64_t epoch) {
    bool tight = config->is_tight;
    return (broker_core_config_t){
        .epoch = epoch,
        .rooms = {.max_rooms = 1000, .max_memberships_per_gateway = 1000},
        .typing = {.max_entries = tight ? 2 : 100, .timeout_ms = 5000},
        .presence = {.grace_ms = 3000,
                     .settle_ms = 5000,
                     .max_watches_per_gateway = 1000,
                     .max_unwritten = tight ? 2 : 1000},
        .rights = {.max_cache_bytes = tight ? 1 : 1000000,
                   .max_waiting_per_room = tight ? 6 : 100,
                   .max_waiting_bytes = 1000000},
        .jobs = {.classes = {[JOB_WRITE] = {tight ? 8 : 1000, 1000000},
                             [JOB_READ] = {tight ? 8 : 1000, 1000000},
                             [JOB_AUTH] = {1000, 1000000}},
                 .max_deadline_ms = 600000},
        .user_events = {.max_events = 100,
                        .max_bytes = 1000000,
                        .settle_ms = 5000,
                        .keep_ms = 60000},
        .group_load_timeout_ms = 3000,
        .retry_after_ms = 1000,
        .max_held_bytes = tight ? 300 : 1000000,
    };
}

static void start(void *ctx) {
    broker_part_t *self = ctx;
    world_t *world = self->config.world;
    uint64_t epoch = (self->config.index + 1) * 1000 + ++self->lives;
    self->process.asleep_until_ms = 0;
    self->core_config = limits_of(&self->config, epoch);
    self->listener_config = (link_listener_config_t){
        .name = self->name, .incarnation = epoch, .broker_digest = BUS_DIGEST};
    self->listener = link_listener_new(&self->listener_config, &listener_ops, self);
    self->core = broker_core_new(&self->core_config, &core_ops, self, world->now_ms,
                                 world->now_ms + UNIX_OFFSET_MS);
    world_note(world, "%s starts", self->name);
    world_after(world, &self->tick, world_between(world, 0, TICK_MS));
}

static void stop(broker_part_t *self) {
    world_cancel(self->config.world, &self->tick);
    world_cancel(self->config.world, &self->restart);
    broker_core_free(&self->core);
    link_listener_free(&self->listener);
}

broker_part_t *broker_part_new(const broker_part_config_t *config) {
    broker_part_t *self = xcalloc(1, sizeof(*self));
    self->config = *config;
    snprintf(self->name, sizeof(self->name), "broker-%d", (int)config->index);
    self->tick = (event_t){.run = on_tick, .ctx = self, .process = &self->process};
    self->restart = (event_t){.run = start, .ctx = self};
    network_listen(
        config->network, config->index,
        &(network_listener_t){.process = &self->process, .receive = on_receive, .ctx = self});
    start(self);
    return self;
}

void broker_part_free(broker_part_t **self) {
    stop(*self);
    free(*self);
    *self = NULL;
}

void broker_part_kill(broker_part_t *self, int64_t back_at_ms) {
    world_note(self->config.world, "fault: %s is killed until %d", self->name, (int)back_at_ms);
    stop(self);
    self->process.asleep_until_ms = back_at_ms;
    network_broker_died(self->config.network, self->config.index, back_at_ms);
    world_at(self->config.world, &self->restart, back_at_ms);
}

void broker_part_freeze(broker_part_t *self, int64_t until_ms) {
    if (!self->listener)
        return;
    world_note(self->config.world, "fault: %s freezes until %d", self->name, (int)until_ms);
    self->process.asleep_until_ms = until_ms;
}

/* ---- looking in ---- */

void broker_part_check_bounds(const broker_part_t *self) {
    const broker_core_config_t *limits = &self->core_config;
    bool ok = true;
    if (!self->core)
        return;
    for (job_class_t class = 0; class < JOB_CLASSES; class ++) {
        job_class_gauges_t gauges = jobs_gauges(broker_core_jobs(self->core), class);
        ok = ok && gauges.jobs <= limits->jobs.classes[class].max_jobs &&
             gauges.bytes <= limits->jobs.classes[class].max_bytes;
    }
    const rights_t *rights = broker_core_rights(self->core);
    ok = ok && rights_waiting_bytes(rights) <= limits->rights.max_waiting_bytes;
    ok = ok &&
         user_events_count(broker_core_user_events(self->core)) <= limits->user_events.max_events;
    ok = ok && typing_count(broker_core_typing(self->core)) <= limits->typing.max_entries;
    ok = ok &&
         presence_unwritten(broker_core_presence(self->core)) <= limits->presence.max_unwritten;
    ok = ok && broker_core_held_bytes(self->core) <= limits->max_held_bytes;
    if (!ok)
        world_fail(self->config.world, "a queue of %s is over its bound", self->name);
}

bool broker_part_is_idle(const broker_part_t *self) {
    if (!self->core)
        return false;
    for (job_class_t class = 0; class < JOB_CLASSES; class ++) {
        if (jobs_gauges(broker_core_jobs(self->core), class).jobs > 0)
            return false;
    }
    return rights_waiting(broker_core_rights(self->core)) == 0 &&
           user_events_unanswered(broker_core_user_events(self->core)) == 0;
}

static void tell_members(const room_gateway_t *gateway,
                         void (*each)(void *ctx, const broker_part_member_t *member), void *ctx) {
    const membership_t *membership = gateway->members;
    for (; membership; membership = membership->next) {
        const link_peer_t *link = gateway->peer->link;
        each(ctx, &(broker_part_member_t){.room = room_name(gateway->room),
                                          .gateway = str_from(link_peer_name(link)),
                                          .incarnation = link_peer_incarnation(link),
                                          .session = membership->session,
                                          .user = user_id(membership->user)});
    }
}

void broker_part_members(const broker_part_t *self,
                         void (*each)(void *ctx, const broker_part_member_t *member), void *ctx) {
    if (!self->core)
        return;
    const peer_t *peer = peers_first(broker_core_peers(self->core));
    for (; peer; peer = peer->next) {
        const room_gateway_t *gateway = peer->rooms;
        for (; gateway; gateway = gateway->peer_next)
            tell_members(gateway, each, ctx);
    }
}
