/* Random peers, envelopes and time against the whole core. After every step:
 *  - memberships of direct and users' rooms are exactly those of a simple model, all lists agree;
 *  - nothing exceeds its bound, no worker its credit, and a room's writes are with one worker;
 *  - a peer that is gone is sent nothing, and every request is answered at most once.
 * At the end, time passes until every request of a living peer must have been answered. */
#include <utlist.h>

#include "broker/broker_core.h"

enum {
    PEERS = 7,
    ROOMS = 8,
    GROUPS_AT = 3,
    USER_ROOMS_AT = 5,
    USERS = 4,
    SESSIONS = 4,
    REQUESTS = 4096,
    GATEWAYS = 3,
    EPOCH = 77,
    MAX_MEMBERSHIPS = 9,
    MAX_JOBS = 12,
    MAX_JOB_BYTES = 8000,
    MAX_DEADLINE_MS = 20000,
};

static const role_t roles[PEERS] = {ROLE_GATEWAY, ROLE_GATEWAY, ROLE_GATEWAY, ROLE_REST,
                                    ROLE_PERSIST, ROLE_PERSIST, ROLE_AUTH};
static const char *const rooms[ROOMS] = {"conv_1_2",
                                         "conv_1_3",
                                         "conv_2_3",
                                         "group_01890000-0000-7000-8000-000000000001",
                                         "group_01890000-0000-7000-8000-000000000002",
                                         "user_1",
                                         "user_2",
                                         "nowhere"};
static const char *const users[USERS] = {"1", "2", "3", "4"};

typedef struct {
    uint16_t type;
    uint8_t peer, room, session, user;
    bool is_open;
    bool may_lapse; /* a JOIN that its session has left behind */
} request_t;

typedef struct {
    broker_core_t *core;
    broker_core_config_t config;
    const uint8_t *data;
    size_t n;
    int64_t now_ms;
    peer_t *peers[PEERS];
    uint8_t members[GATEWAYS][ROOMS][SESSIONS]; /* user's index + 1 */
    size_t joins[GATEWAYS][ROOMS][SESSIONS];    /* id of the latest JOIN that made it */
    request_t requests[REQUESTS];
    size_t request_count;
    size_t asked_behind;
    strbuf_t body;
} world_t;

static uint8_t take(world_t *self) {
    if (self->n == 0)
        return 0;
    self->n--;
    return *self->data++;
}

/* ---- what the core does ---- */

static void on_answer(world_t *self, const envelope_t *envelope, size_t peer) {
    ASSERT(envelope->request_id <= self->request_count);
    request_t *request = &self->requests[envelope->request_id];
    ASSERT(request->is_open && request->peer == peer);
    request->is_open = false;
    if (peer >= GATEWAYS)
        return;
    uint8_t *member = &self->members[peer][request->room][request->session];
    bool is_error = envelope->type == MSG_ERROR;
    if (request->type == MSG_SUBSCRIBE && !is_error)
        *member = (uint8_t)(request->user + 1);
    if (request->type == MSG_JOIN && is_error &&
        self->joins[peer][request->room][request->session] == envelope->request_id)
        *member = 0;
}

static void on_send(void *ctx, void *link, const envelope_t *envelope) {
    world_t *self = ctx;
    size_t peer = (size_t)((peer_t **)link - self->peers);
    ASSERT(peer < PEERS && self->peers[peer]);
    ASSERT(proto_allowed(envelope->type, ROLE_BROKER, roles[peer]));
    if (envelope->flags & ENVELOPE_REPLY)
        on_answer(self, envelope, peer);
    else if (roles[peer] != ROLE_PERSIST && roles[peer] != ROLE_AUTH)
        ASSERT(envelope->request_id == 0 || envelope->type == MSG_USER_EVENT);
}

static void on_job_ended(void *ctx, job_class_t class, job_outcome_t outcome, int64_t took_ms) {
    (void)ctx;
    ASSERT(class < JOB_CLASSES && outcome < JOB_OUTCOMES && took_ms >= 0);
}

static void on_refused(void *ctx, void *link, const envelope_t *envelope, const char *what) {
    (void)ctx;
    (void)link;
    ASSERT(envelope && what);
}

/* Now and then; which one is of no matter. */
static bool on_is_behind(void *ctx, void *link) {
    world_t *self = ctx;
    (void)link;
    return self->asked_behind++ % 5 == 0;
}

static const broker_core_ops_t ops = {
    .send = on_send, .job_ended = on_job_ended, .refused = on_refused, .is_behind = on_is_behind};

/* ---- what may never be ---- */

static size_t index_of_room(const room_t *room) {
    size_t i = 0;
    while (i < ROOMS && !str_eq(room_name(room), str_from(rooms[i])))
        i++;
    ASSERT(i < ROOMS);
    return i;
}

static bool is_modelled(size_t room) {
    return room < GROUPS_AT || room >= USER_ROOMS_AT;
}

static size_t check_gateway(const world_t *self, size_t peer) {
    size_t found = 0, modelled = 0, expected = 0;
    const room_gateway_t *gateway = NULL;
    const membership_t *member = NULL;
    DL_FOREACH2(self->peers[peer]->rooms, gateway, peer_next) {
        size_t room = index_of_room(gateway->room);
        ASSERT(gateway->members && gateway->peer == self->peers[peer]);
        ASSERT(rooms_find(broker_core_rooms(self->core), room_name(gateway->room)) ==
               gateway->room);
        DL_FOREACH(gateway->members, member) {
            ASSERT(rooms_member(broker_core_rooms(self->core), gateway->room, self->peers[peer],
                                member->session) == member);
            uint8_t user = self->members[peer][room][member->session];
            ASSERT(!is_modelled(room) ||
                   (user && str_eq(user_id(member->user), str_from(users[user - 1]))));
            found++;
            modelled += is_modelled(room);
        }
    }
    for (size_t room = 0; room < ROOMS; room++) {
        for (size_t session = 0; session < SESSIONS; session++)
            expected += is_modelled(room) && self->members[peer][room][session];
    }
    ASSERT(modelled == expected && found == self->peers[peer]->memberships);
    ASSERT(found <= MAX_MEMBERSHIPS);
    ASSERT(self->peers[peer]->watch_count <= self->config.presence.max_watches_per_gateway);
    return found;
}

static void check_worker(const peer_t *peer, const peer_t *other) {
    const job_t *job = NULL, *its = NULL;
    for (size_t i = 0; i < JOB_CLASSES; i++)
        ASSERT(peer->worker.in_flight[i] <= peer->worker.credit[i]);
    DL_FOREACH(peer->worker.sent, job) {
        DL_FOREACH(other->worker.sent, its) {
            ASSERT(!job->lane || job->lane != its->lane);
        }
    }
}

static void check(const world_t *self) {
    size_t memberships = 0;
    for (size_t i = 0; i < GATEWAYS; i++)
        memberships += self->peers[i] ? check_gateway(self, i) : 0;
    ASSERT(memberships == rooms_memberships(broker_core_rooms(self->core)));
    for (size_t i = GATEWAYS + 1; i < PEERS; i++) {
        for (size_t j = i + 1; self->peers[i] && j < PEERS; j++) {
            if (self->peers[j])
                check_worker(self->peers[i], self->peers[j]);
        }
    }
    for (job_class_t each = 0; each < JOB_CLASSES; each++) {
        job_class_gauges_t gauges = jobs_gauges(broker_core_jobs(self->core), each);
        ASSERT(gauges.jobs <= MAX_JOBS && gauges.bytes <= MAX_JOB_BYTES);
        ASSERT(gauges.in_flight <= gauges.jobs);
    }
    const broker_core_config_t *config = &self->config;
    ASSERT(rooms_count(broker_core_rooms(self->core)) <= config->rooms.max_rooms);
    ASSERT(typing_count(broker_core_typing(self->core)) <= config->typing.max_entries);
    ASSERT(rights_waiting_bytes(broker_core_rights(self->core)) <=
           config->rights.max_waiting_bytes);
    ASSERT(presence_unwritten(broker_core_presence(self->core)) <= config->presence.max_unwritten);
}

/* ---- what peers do ---- */

static void peer_up(world_t *self, size_t peer, uint8_t credit) {
    broker_core_peer_t up = {.role = roles[peer],
                             .link = &self->peers[peer],
                             .write_credit = credit & 3,
                             .read_credit = (credit >> 2) & 3};
    self->peers[peer] = (peer_t *)1; /* may be sent to from now on */
    self->peers[peer] = broker_core_peer_up(self->core, &up, self->now_ms);
}

static void peer_down(world_t *self, size_t peer) {
    peer_t *gone = self->peers[peer];
    self->peers[peer] = NULL;
    for (size_t i = 1; i <= self->request_count; i++)
        self->requests[i].is_open &= self->requests[i].peer != peer;
    if (peer < GATEWAYS) {
        memset(self->members[peer], 0, sizeof(self->members[peer]));
        memset(self->joins[peer], 0, sizeof(self->joins[peer]));
    }
    broker_core_peer_down(self->core, gone, self->now_ms);
}

static void encode_rejoin(world_t *self, const request_t *request) {
    uint64_t sessions[2] = {request->session, (uint64_t)(request->session + 1) % SESSIONS};
    str_t names[2] = {str_from(users[request->user]), str_from(users[take(self) % USERS])};
    proto_rejoin_encode(&(proto_rejoin_t){.sessions = {sessions, 2}, .users = {names, 2}},
                        &self->body);
}

static void encode_body(world_t *self, const request_t *request) {
    str_t name[1] = {str_from(users[take(self) % USERS])};
    uint8_t bits = take(self);
    uint64_t number[1] = {bits};
    strbuf_t *body = &self->body;
    switch (request->type) {
    case MSG_TYPING:
        proto_typing_encode(&(proto_typing_t){.on = bits & 1}, body);
        return;
    case MSG_WATCH:
    case MSG_UNWATCH:
        proto_watch_encode(&(proto_watch_t){.users = {name, 1}}, body);
        return;
    case MSG_REJOIN:
        encode_rejoin(self, request);
        return;
    case MSG_HISTORY:
        proto_history_encode(&(proto_history_t){.limit = 1, .trusted = bits & 1}, body);
        return;
    case MSG_STORED:
        proto_stored_encode(&(proto_stored_t){bits, bits & 31, EPOCH, bits, STR("{}")}, body);
        return;
    case MSG_READ_MARKED:
        proto_read_marked_encode(
            &(proto_read_marked_t){.job = bits & 31, .epoch = EPOCH, .advanced = bits >> 7}, body);
        return;
    case MSG_MEMBERS_CHANGED:
        proto_members_changed_encode(&(proto_members_changed_t){.job = bits & 31,
                                                                .epoch = EPOCH,
                                                                .members_version = bits >> 5,
                                                                .removed = {name, 1}},
                                     body);
        return;
    case MSG_GROUP:
        proto_group_encode(
            &(proto_group_t){.members = {name, bits & 1}, .members_version = bits >> 5}, body);
        return;
    default:
        proto_presences_encode(&(proto_presences_t){.users = {name, 1}, .online = {number, 1}},
                               body);
    }
}

/* Sessions of a REJOIN are admitted as it says, unless its answer says otherwise; the model takes
 * what the core has, having checked that nobody is there who may not be. */
static void copy_model(world_t *self, size_t peer, size_t room) {
    const room_t *found = rooms_find(broker_core_rooms(self->core), str_from(rooms[room]));
    for (uint64_t session = 0; session < SESSIONS; session++) {
        const membership_t *member =
            found ? rooms_member(broker_core_rooms(self->core), found, self->peers[peer], session)
                  : NULL;
        uint8_t user = 0;
        while (member && !str_eq(user_id(member->user), str_from(users[user])))
            user++;
        ASSERT(!member || session != 0);
        ASSERT(!member || room >= USER_ROOMS_AT ||
               ids_is_participant(str_from(rooms[room]), user_id(member->user)));
        self->members[peer][room][session] = member ? (uint8_t)(user + 1) : 0;
    }
}

static bool is_join_of(const request_t *join, const request_t *leave) {
    return join->type == MSG_JOIN && join->peer == leave->peer && join->room == leave->room &&
           join->session == leave->session;
}

static void before_request(world_t *self, const request_t *request, size_t id) {
    if (request->peer >= GATEWAYS)
        return;
    uint8_t *member = &self->members[request->peer][request->room][request->session];
    size_t *join = &self->joins[request->peer][request->room][request->session];
    if (request->type == MSG_LEAVE)
        *join = *member = 0;
    for (size_t i = 1; request->type == MSG_LEAVE && i < id; i++)
        self->requests[i].may_lapse |= is_join_of(&self->requests[i], request);
    if (request->type != MSG_JOIN || request->room >= GROUPS_AT || request->session == 0 ||
        !ids_is_participant(str_from(rooms[request->room]), str_from(users[request->user])))
        return;
    if (*member && *member != request->user + 1)
        return;
    *member = (uint8_t)(request->user + 1);
    *join = id;
}

static void check_expelled(const world_t *self, const request_t *request, str_t user) {
    const room_t *room = rooms_find(broker_core_rooms(self->core), str_from(rooms[request->room]));
    const room_gateway_t *gateway = NULL;
    const membership_t *member = NULL;
    DL_FOREACH(room ? room->gateways : NULL, gateway) {
        DL_FOREACH(gateway->members, member) {
            ASSERT(!str_eq(user_id(member->user), user));
        }
    }
}

static void say(world_t *self, size_t peer, uint16_t type, bool is_answer) {
    uint8_t where = take(self), who = take(self), how = take(self);
    request_t request = {.type = type,
                         .peer = (uint8_t)peer,
                         .room = where % ROOMS,
                         .session = who % SESSIONS,
                         .user = (who >> 4) % USERS,
                         .is_open = true};
    size_t id = is_answer ? how % 32 : ++self->request_count;
    uint8_t removed = self->n ? self->data[0] % USERS : 0;
    strbuf_clear(&self->body);
    if (how < 250)
        encode_body(self, &request);
    if (!is_answer) {
        before_request(self, &request, id);
        self->requests[id] = request;
    }
    envelope_t envelope = {.flags = is_answer ? ENVELOPE_REPLY : 0,
                           .type = type,
                           .request_id = id,
                           .session = request.session,
                           .deadline_ms = (uint32_t)how * 50,
                           .room = str_from(rooms[request.room]),
                           .user = str_from(users[request.user]),
                           .body = strbuf_str(&self->body)};
    if (how >= 250) {
        envelope.body = (str_t){(const char *)self->data, self->n < 16 ? self->n : 16};
        if (!self->n)
            envelope.body = STR("");
    }
    broker_core_deliver(self->core, self->peers[peer], &envelope, self->now_ms);
    if (type == MSG_REJOIN && is_modelled(request.room))
        copy_model(self, peer, request.room);
    if (type == MSG_MEMBERS_CHANGED && how < 250 && !is_answer && !is_modelled(request.room))
        check_expelled(self, &request, str_from(users[removed]));
}

/* One of the messages that a role may send. */
static uint16_t type_for(role_t role, uint8_t choice) {
    uint16_t types[256];
    size_t n = 0;
    for (uint16_t type = 0; type < 256; type++) {
        if (proto_allowed(type, role, ROLE_BROKER))
            types[n++] = type;
    }
    return types[choice % n];
}

static void step(world_t *self) {
    uint8_t what = take(self);
    size_t peer = (what >> 4) % PEERS;
    if (what % 16 == 0) {
        self->now_ms += take(self) * 20;
        broker_core_tick(self->core, self->now_ms, self->now_ms + 1000000);
    } else if (!self->peers[peer]) {
        peer_up(self, peer, take(self));
    } else if (what % 16 == 1) {
        peer_down(self, peer);
    } else {
        uint16_t type = type_for(roles[peer], take(self));
        bool is_worker = roles[peer] == ROLE_PERSIST || roles[peer] == ROLE_AUTH;
        say(self, peer, type, is_worker ? what % 16 < 10 : what % 16 == 2);
    }
}

static void pass_time(world_t *self, int seconds) {
    for (int i = 0; i < seconds; i++) {
        self->now_ms += 1000;
        broker_core_tick(self->core, self->now_ms, self->now_ms + 1000000);
        check(self);
    }
}

static void take_down(world_t *self, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        if (self->peers[i])
            peer_down(self, i);
    }
}

/* An answer to a USER_EVENT waits for gateways that haven't confirmed it, until they are gone. */
static void finish(world_t *self) {
    pass_time(self, 100);
    for (size_t i = 1; i <= self->request_count; i++)
        ASSERT(!self->requests[i].is_open || self->requests[i].may_lapse ||
               self->requests[i].type == MSG_USER_EVENT);
    take_down(self, 0, GATEWAYS);
    pass_time(self, 10);
    for (size_t i = 1; i <= self->request_count; i++)
        ASSERT(!self->requests[i].is_open || self->requests[i].may_lapse);
    take_down(self, GATEWAYS, PEERS);
    ASSERT(rooms_count(broker_core_rooms(self->core)) == 0);
    broker_core_free(&self->core);
    strbuf_fini(&self->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    world_t *self = xcalloc(1, sizeof(*self));
    self->data = data;
    self->n = n;
    self->config = (broker_core_config_t){
        .epoch = EPOCH,
        .rooms = {.max_rooms = 6, .max_memberships_per_gateway = MAX_MEMBERSHIPS},
        .typing = {.max_entries = 4, .timeout_ms = 5000},
        .presence = {3000, 5000, 2, 1},
        .rights = {.max_cache_bytes = 300, .max_waiting_per_room = 3, .max_waiting_bytes = 1500},
        .jobs = {.classes = {{MAX_JOBS, MAX_JOB_BYTES},
                             {MAX_JOBS, MAX_JOB_BYTES},
                             {MAX_JOBS, MAX_JOB_BYTES}},
                 .max_deadline_ms = MAX_DEADLINE_MS},
        .user_events = {.max_events = 4, .max_bytes = 10000, .settle_ms = 5000, .keep_ms = 60000},
        .group_load_timeout_ms = 3000,
        .retry_after_ms = 1000,
        .max_held_bytes = 200};
    self->core = broker_core_new(&self->config, &ops, self, 0, 1000000);
    while (self->n && self->request_count < REQUESTS - 2) {
        step(self);
        check(self);
    }
    finish(self);
    free(self);
    return 0;
}
