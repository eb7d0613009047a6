#include "broker/broker_internal.h"

enum { PRESENCE_PAY_BATCH = 10000 }; /* each tick: some 200,000 a second */

/* ---- sending ---- */

void core_send(broker_core_t *self, peer_t *peer, const envelope_t *envelope) {
    if (!peer->is_down)
        self->ops->send(self->ctx, peer->link, envelope);
}

static bool send_to_peer(void *ctx, peer_t *peer, const envelope_t *envelope) {
    core_send(ctx, peer, envelope);
    return true;
}

static bool send_hint(void *ctx, peer_t *peer, const envelope_t *envelope) {
    broker_core_t *self = ctx;
    if (!peer->is_down && self->ops->is_behind(self->ctx, peer->link)) {
        self->stats.hints_shed++;
        return false;
    }
    return send_to_peer(self, peer, envelope);
}

bool core_sheds_hints(const broker_core_t *self) {
    const job_class_limits_t *limits = &self->config.jobs.classes[JOB_WRITE];
    job_class_gauges_t gauges = jobs_gauges(self->jobs, JOB_WRITE);
    return gauges.jobs > limits->max_jobs / 2 || gauges.bytes > limits->max_bytes / 2;
}

static envelope_t answer_head(const envelope_t *request, uint16_t type) {
    return (envelope_t){
        .flags = ENVELOPE_REPLY,
        .type = type,
        .request_id = request->request_id,
        .session = request->session,
        .room = request->room,
        .user = request->user,
        .trace = request->trace,
    };
}

void core_answer(broker_core_t *self, peer_t *peer, const envelope_t *request, uint16_t type,
                 str_t body) {
    if (!peer || request->request_id == 0)
        return;
    envelope_t answer = answer_head(request, type);
    answer.body = body;
    core_send(self, peer, &answer);
}

void core_answer_done(broker_core_t *self, peer_t *peer, const envelope_t *request) {
    strbuf_clear(&self->body);
    proto_done_encode(&(proto_done_t){0}, &self->body);
    core_answer(self, peer, request, MSG_DONE, strbuf_str(&self->body));
}

static void answer_error(broker_core_t *self, peer_t *peer, const envelope_t *request, code_t code,
                         const char *message) {
    if (!peer || request->request_id == 0)
        return;
    proto_error_t error = {
        .message = str_from(message),
        .retry_after_ms = code == CODE_UNAVAILABLE ? self->config.retry_after_ms : 0,
    };
    strbuf_clear(&self->body);
    proto_error_encode(&error, &self->body);
    envelope_t answer = answer_head(request, MSG_ERROR);
    answer.code = (uint16_t)code;
    answer.body = strbuf_str(&self->body);
    core_send(self, peer, &answer);
}

void core_answer_error(broker_core_t *self, peer_t *peer, const envelope_t *request, code_t code,
                       const char *message) {
    ASSERT(code != CODE_UNAVAILABLE);
    self->stats.rights_refused += code == CODE_FORBIDDEN;
    self->stats.invalid += code == CODE_INVALID_PAYLOAD;
    answer_error(self, peer, request, code, message);
}

void core_answer_busy(broker_core_t *self, peer_t *peer, const envelope_t *request,
                      broker_busy_t reason) {
    static const char *const messages[BUSY_REASONS] = {
        [BUSY_DEADLINE] = "took too long, try again",
        [BUSY_MEMBERS] = "the members are not known, try again",
        [BUSY_ROOMS] = "too many conversations are open, try again",
        [BUSY_WATCHES] = "too many users are watched, try again",
    };
    self->stats.unavailable[reason]++;
    answer_error(self, peer, request, CODE_UNAVAILABLE,
                 messages[reason] ? messages[reason] : "busy, try again");
}

void core_refuse(broker_core_t *self, peer_t *peer, const envelope_t *request, const char *what) {
    self->ops->refused(self->ctx, peer->link, request, what);
    core_answer_error(self, peer, request, CODE_INVALID_PAYLOAD, what);
}

bool core_are_users(const proto_texts_t *users) {
    for (size_t i = 0; i < users->n; i++) {
        if (!ids_is_user(users->items[i]))
            return false;
    }
    return true;
}

void core_fanout(broker_core_t *self, const room_t *room, const envelope_t *envelope,
                 const fanout_cause_t *cause) {
    self->stats.fanouts++;
    self->stats.fanout_envelopes += fanout_room(&self->sink, room, envelope, cause);
}

/* ---- membership and typing ---- */

void core_typing_event(broker_core_t *self, const room_t *room, str_t user,
                       const fanout_cause_t *cause, bool on) {
    strbuf_clear(&self->body);
    proto_typing_event_encode(&(proto_typing_event_t){.on = on}, &self->body);
    envelope_t event = {.type = MSG_TYPING_EVENT,
                        .room = room_name(room),
                        .user = user,
                        .trace = cause->trace,
                        .body = strbuf_str(&self->body)};
    self->stats.fanouts++;
    /* The end of an indicator is always told: whoever shows it waits for that. */
    self->stats.fanout_envelopes +=
        fanout_room(on ? &self->hint_sink : &self->sink, room, &event, cause);
}

void core_end_typing(broker_core_t *self, typing_entry_t *entry) {
    fanout_cause_t cause = {.peer = entry->key.peer, .session = entry->key.session};
    if (typing_is_last_of_user(entry))
        core_typing_event(self, entry->key.room, user_id(entry->user), &cause, false);
    typing_end(self->typing, entry);
}

void core_leave(broker_core_t *self, membership_t *membership, int64_t now_ms) {
    const room_gateway_t *gateway = membership->gateway;
    typing_entry_t *typing =
        typing_find(self->typing, gateway->room, gateway->peer, membership->session);
    if (typing)
        core_end_typing(self, typing);
    if (gateway->room->kind == IDS_USER)
        presence_socket_went(self->presence, membership->user, now_ms,
                             now_ms + self->unix_offset_ms);
    rooms_leave(self->rooms, membership);
}

/* ---- life ---- */

static void send_job(void *ctx, peer_t *worker, const envelope_t *envelope) {
    core_send(ctx, worker, envelope);
}

static const jobs_ops_t jobs_ops = {.send = send_job, .expired = core_job_expired};
static const rights_ops_t rights_ops = {.load = core_load_group, .decided = core_rights_decided};

static void send_user_event(void *ctx, peer_t *gateway, const envelope_t *event) {
    broker_core_t *self = ctx;
    self->stats.fanout_envelopes++;
    core_send(self, gateway, event);
}

static void user_event_done(void *ctx, peer_t *worker, const envelope_t *event) {
    core_answer_done(ctx, worker, event);
}

static const user_events_ops_t user_events_ops = {.send = send_user_event, .done = user_event_done};

broker_core_t *broker_core_new(const broker_core_config_t *config, const broker_core_ops_t *ops,
                               void *ctx, int64_t now_ms, int64_t unix_ms) {
    broker_core_t *self = xcalloc(1, sizeof(*self));
    self->config = *config;
    self->ops = ops;
    self->ctx = ctx;
    self->unix_offset_ms = unix_ms - now_ms;
    self->users = users_new();
    self->rooms = rooms_new(&config->rooms, self->users);
    self->peers = peers_new();
    self->typing = typing_new(&config->typing, self->users, self->rooms);
    self->presence = presence_new(&config->presence, self->users, now_ms);
    self->rights = rights_new(&config->rights, &rights_ops, self);
    self->jobs = jobs_new(&config->jobs, &jobs_ops, self);
    self->user_events = user_events_new(&config->user_events, &user_events_ops, self, now_ms);
    self->sink = (fanout_sink_t){.send = send_to_peer, .ctx = self};
    self->hint_sink = (fanout_sink_t){.send = send_hint, .ctx = self};
    self->arena = proto_arena_new();
    presence_on_change(self->presence, core_presence_changed, self);
    return self;
}

void broker_core_free(broker_core_t **self_in) {
    broker_core_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    for (peer_t *peer = peers_first(self->peers); peer; peer = peer->next)
        peer->is_down = true;
    while (peers_first(self->peers))
        broker_core_peer_down(self, peers_first(self->peers), 0);
    user_events_free(&self->user_events);
    jobs_free(&self->jobs);
    rights_free(&self->rights);
    typing_free(&self->typing);
    presence_free(&self->presence);
    rooms_free(&self->rooms);
    peers_free(&self->peers);
    users_free(&self->users);
    proto_arena_free(&self->arena);
    strbuf_fini(&self->body);
    free(self);
}

/* ---- events ---- */

peer_t *broker_core_peer_up(broker_core_t *self, const broker_core_peer_t *up, int64_t now_ms) {
    peer_t *peer = peers_add(self->peers, up->role, up->link);
    if (up->role == ROLE_PERSIST) {
        peer->worker.credit[JOB_WRITE] = up->write_credit;
        peer->worker.credit[JOB_READ] = up->read_credit;
    } else if (up->role == ROLE_AUTH) {
        peer->worker.credit[JOB_AUTH] = up->read_credit;
    }
    if (up->role == ROLE_PERSIST || up->role == ROLE_AUTH)
        jobs_worker_up(self->jobs, peer, now_ms);
    return peer;
}

void broker_core_peer_down(broker_core_t *self, peer_t *peer, int64_t now_ms) {
    peer->is_down = true;
    presence_unwatch_all(self->presence, peer);
    rights_peer_down(self->rights, peer, now_ms);
    while (peer->typing)
        core_end_typing(self, peer->typing);
    while (peer->rooms)
        core_leave(self, peer->rooms->members, now_ms);
    jobs_origin_down(self->jobs, peer, now_ms);
    jobs_worker_down(self->jobs, peer, now_ms);
    user_events_peer_down(self->user_events, peer, now_ms);
    peers_remove(self->peers, peer);
}

static void deliver_from_gateway(broker_core_t *self, peer_t *peer, const envelope_t *envelope,
                                 int64_t now_ms) {
    switch (envelope->type) {
    case MSG_LEAVE:
        core_on_leave(self, peer, envelope, now_ms);
        return;
    case MSG_SUBSCRIBE:
        core_on_subscribe(self, peer, envelope);
        return;
    case MSG_REJOIN:
        core_on_rejoin(self, peer, envelope, now_ms);
        return;
    case MSG_WATCH:
        core_on_watch(self, peer, envelope, now_ms);
        return;
    case MSG_UNWATCH:
        core_on_unwatch(self, peer, envelope);
        return;
    default:
        core_on_request(self, peer, envelope, now_ms);
    }
}

static void deliver_from_worker(broker_core_t *self, peer_t *peer, const envelope_t *envelope,
                                int64_t now_ms) {
    if (envelope->flags & ENVELOPE_REPLY) {
        core_on_reply(self, peer, envelope, now_ms);
        return;
    }
    switch (envelope->type) {
    case MSG_STORED:
        core_on_stored(self, peer, envelope, now_ms);
        return;
    case MSG_READ_MARKED:
        core_on_read_marked(self, peer, envelope, now_ms);
        return;
    case MSG_MEMBERS_CHANGED:
        core_on_members_changed(self, peer, envelope, now_ms);
        return;
    case MSG_USER_EVENT:
        core_on_user_event(self, peer, envelope, now_ms);
        return;
    default:
        core_refuse(self, peer, envelope, "an answer that answers nothing");
    }
}

void broker_core_deliver(broker_core_t *self, peer_t *peer, const envelope_t *envelope,
                         int64_t now_ms) {
    if (peer->role == ROLE_PERSIST || peer->role == ROLE_AUTH)
        deliver_from_worker(self, peer, envelope, now_ms);
    else if ((envelope->flags & ENVELOPE_REPLY) && peer->role == ROLE_GATEWAY)
        user_events_confirmed(self->user_events, peer, envelope->request_id, now_ms);
    else if (envelope->flags & ENVELOPE_REPLY)
        self->ops->refused(self->ctx, peer->link, envelope, "an answer that answers nothing");
    else
        deliver_from_gateway(self, peer, envelope, now_ms);
}

void broker_core_tick(broker_core_t *self, int64_t now_ms, int64_t unix_ms) {
    self->unix_offset_ms = unix_ms - now_ms;
    typing_entry_t *typing;
    while ((typing = typing_expired(self->typing, now_ms)))
        core_end_typing(self, typing);
    presence_tick(self->presence, now_ms);
    if (!core_sheds_hints(self))
        presence_pay(self->presence, PRESENCE_PAY_BATCH);
    jobs_tick(self->jobs, now_ms);
    user_events_tick(self->user_events, now_ms);
    core_store_last_seen(self, now_ms);
}

/* ---- looking in ---- */

const broker_core_stats_t *broker_core_stats(const broker_core_t *self) {
    return &self->stats;
}

const peers_t *broker_core_peers(const broker_core_t *self) {
    return self->peers;
}

const rooms_t *broker_core_rooms(const broker_core_t *self) {
    return self->rooms;
}

const typing_t *broker_core_typing(const broker_core_t *self) {
    return self->typing;
}

const presence_t *broker_core_presence(const broker_core_t *self) {
    return self->presence;
}

const rights_t *broker_core_rights(const broker_core_t *self) {
    return self->rights;
}

const jobs_t *broker_core_jobs(const broker_core_t *self) {
    return self->jobs;
}

const user_events_t *broker_core_user_events(const broker_core_t *self) {
    return self->user_events;
}

const users_t *broker_core_users(const broker_core_t *self) {
    return self->users;
}

size_t broker_core_held_bytes(const broker_core_t *self) {
    return self->held_bytes;
}
