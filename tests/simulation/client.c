#include "client.h"

#include <inttypes.h>

#include "common/json.h"
#include "common/link_dialer.h"

enum { SENDS_MAX = 64, EMISSIONS_MAX = 512, CALLS_MAX = 1024, ID_BYTES = 32 };

typedef enum { SEND_WAITING, SEND_ASKED, SEND_DONE, SEND_FAILED } send_state_t;

typedef struct {
    size_t room;
    send_state_t state;
    uint64_t seq;
    char client_id[ID_BYTES];
} send_t;

/* One time that a message was sent. */
typedef struct {
    char socket_id[ID_BYTES];
    size_t send;
    bool failed; /* answered with an error */
} emission_t;

typedef enum { CALL_JOIN, CALL_LEAVE, CALL_SEND, CALL_OTHER } call_kind_t;

/* An event whose acknowledgement is due. */
typedef struct {
    uint64_t id; /* 0: free */
    call_kind_t kind;
    size_t room;
    size_t send;
    size_t emission;
    bool has_after;
    uint64_t after;
    uint64_t members_version; /* of the room when it was asked */
} call_t;

struct client {
    client_config_t config;
    char name[16];
    char user[8];
    bool is_calm;
    socket_t *socket;
    bool connected;
    int64_t connected_at_ms;
    view_t views[STORE_ROOMS_MAX];
    send_t sends[SENDS_MAX];
    size_t send_count;
    emission_t emissions[EMISSIONS_MAX];
    size_t emission_count;
    call_t calls[CALLS_MAX];
    uint64_t last_call;
    event_t act;     /* the next thing it does by itself */
    event_t connect; /* the next try */
    event_t retry;   /* what failed for the time being is done again */
    strbuf_t text;
};

static const json_limits_t json_limits = {
    .max_bytes = 1 << 20, .max_depth = 10, .max_values = 5000};

static view_owner_t owner_of(const client_t *self, size_t room) {
    return (view_owner_t){.world = self->config.world,
                          .room = &self->config.store->rooms[room],
                          .user = self->config.user,
                          .client = self->name};
}

static size_t room_of(const client_t *self, str_t id) {
    const store_room_t *room = store_room(self->config.store, id);
    return room ? (size_t)(room - self->config.store->rooms) : STORE_ROOMS_MAX;
}

/* ---- calls ---- */

static bool is_joining(const client_t *self, size_t room) {
    for (size_t i = 0; i < CALLS_MAX; i++) {
        if (self->calls[i].id && self->calls[i].kind == CALL_JOIN && self->calls[i].room == room)
            return true;
    }
    return false;
}

static void call(client_t *self, const char *event, const call_t *what) {
    call_t *made = &self->calls[++self->last_call % CALLS_MAX];
    *made = *what;
    made->id = self->last_call;
    made->members_version = self->config.store->rooms[what->room].members_version;
    world_note(self->config.world, "%s asks %.*s", self->name, STR_ARG(strbuf_str(&self->text)));
    socket_emit(self->socket, str_from(event), strbuf_str(&self->text), made->id);
}

static void begin(client_t *self, const char *event, size_t room) {
    strbuf_clear(&self->text);
    strbuf_printf(&self->text, "[\"%s\",{\"conversationId\":\"%s\"", event,
                  self->config.store->rooms[room].id);
}

static void join(client_t *self, size_t room) {
    const view_t *view = &self->views[room];
    begin(self, "join_conversation", room);
    if (view->has_last)
        strbuf_printf(&self->text, ",\"after\":%" PRIu64, view->last);
    strbuf_append(&self->text, STR("}]"));
    call(self, "join_conversation",
         &(call_t){
             .kind = CALL_JOIN, .room = room, .has_after = view->has_last, .after = view->last});
}

static void leave(client_t *self, size_t room) {
    begin(self, "leave_conversation", room);
    strbuf_append(&self->text, STR("}]"));
    self->views[room].wanted = false;
    call(self, "leave_conversation", &(call_t){.kind = CALL_LEAVE, .room = room});
}

static void send_message(client_t *self, size_t index) {
    send_t *send = &self->sends[index];
    if (self->emission_count == EMISSIONS_MAX)
        return;
    emission_t *emission = &self->emissions[self->emission_count];
    *emission = (emission_t){.send = index};
    snprintf(emission->socket_id, sizeof(emission->socket_id), "%s", socket_id(self->socket));
    begin(self, "send_message", send->room);
    strbuf_printf(&self->text, ",\"clientId\":\"%s\",\"text\":\"says %s\"}]", send->client_id,
                  send->client_id);
    send->state = SEND_ASKED;
    call(self, "send_message",
         &(call_t){.kind = CALL_SEND,
                   .room = send->room,
                   .send = index,
                   .emission = self->emission_count++});
}

static void call_other(client_t *self, const char *event, size_t room) {
    begin(self, event, room);
    strbuf_append(&self->text, STR("}]"));
    call(self, event, &(call_t){.kind = CALL_OTHER, .room = room});
}

/* Everything that is wanted and not under way, in its order. */
static void catch_up(void *ctx) {
    client_t *self = ctx;
    bool joins_first = world_chance(self->config.world, 70);
    if (!self->connected)
        return;
    for (int turn = 0; turn < 2; turn++) {
        for (size_t room = 0; joins_first == (turn == 0) && room < self->config.store->room_count;
             room++) {
            if (self->views[room].wanted && !self->views[room].joined && !is_joining(self, room))
                join(self, room);
        }
        for (size_t i = 0; joins_first == (turn == 1) && i < self->send_count; i++) {
            if (self->sends[i].state == SEND_WAITING)
                send_message(self, i);
        }
    }
}

/* ---- what is acknowledged ---- */

/* Being refused what one has a right to is a broken promise, too. */
static void check_refusal(const client_t *self, const call_t *made) {
    const store_room_t *room = &self->config.store->rooms[made->room];
    bool is_one = room->is_group ? room->members[self->config.user] &&
                                       room->members_version == made->members_version
                                 : room->was_member[self->config.user];
    if (is_one && !room->was_removed[self->config.user])
        world_fail(self->config.world, "%s is refused in %s", self->name, room->id);
}

/* The seqs that came with a join must follow each other. */
static size_t count_messages(const client_t *self, const call_t *made, const json_value_t *ack) {
    const json_value_t *messages = json_member(ack, "messages");
    size_t n = json_element_count(messages);
    for (size_t i = 0; i < n; i++) {
        uint64_t seq = 0;
        json_field_t field = json_get_u64(json_element(messages, i), "seq", 1, INT64_MAX, &seq);
        if (field != JSON_FIELD_OK || seq != made->after + 1 + i)
            world_fail(self->config.world, "%s joins %s after %" PRIu64 ", gets %" PRIu64,
                       self->name, self->config.store->rooms[made->room].id, made->after, seq);
    }
    return n;
}

static void on_joined(client_t *self, const call_t *made, const json_value_t *ack) {
    view_owner_t owner = owner_of(self, made->room);
    view_joined_t joined = {.has_after = made->has_after, .after = made->after};
    if (json_get_u64(ack, "headSeq", 0, INT64_MAX, &joined.head) != JSON_FIELD_OK)
        world_fail(self->config.world, "%s: a join without headSeq", self->name);
    joined.n = count_messages(self, made, ack);
    view_joined(&self->views[made->room], &owner, &joined);
}

static void on_sent(client_t *self, const call_t *made, const json_value_t *ack) {
    view_owner_t owner = owner_of(self, made->room);
    send_t *send = &self->sends[made->send];
    uint64_t seq = 0;
    (void)!json_get_u64(json_member(ack, "message"), "seq", 1, INT64_MAX, &seq);
    const store_message_t *stored = store_message(owner.room, seq);
    if (!stored || strcmp(stored->client_id, send->client_id) != 0)
        world_fail(self->config.world,
                   "%s of %s is acknowledged as %" PRIu64 " and not stored there", send->client_id,
                   owner.room->id, seq);
    send->state = SEND_DONE;
    send->seq = seq;
    view_own(&self->views[made->room], &owner, seq);
}

static void on_refused(client_t *self, const call_t *made, str_t code) {
    world_t *world = self->config.world;
    bool forbidden = str_eq(code, STR("forbidden"));
    bool final =
        forbidden || str_eq(code, STR("not_found")); /* the latter: a partner unknown yet */
    if (forbidden) {
        check_refusal(self, made);
        self->views[made->room].forbidden_at_ms = world->now_ms;
    }
    if (made->kind == CALL_JOIN) {
        view_refused(&self->views[made->room]);
        if (final)
            self->views[made->room].wanted = false;
    } else if (made->kind == CALL_LEAVE) {
        view_t *view = &self->views[made->room];
        view->wanted = view->joined || view->unsure;
    } else if (made->kind == CALL_SEND) {
        bool gives_up = final || world_chance(world, 10);
        self->sends[made->send].state = gives_up ? SEND_FAILED : SEND_WAITING;
        self->emissions[made->emission].failed = true;
    }
    if (!deadline_is_set(&self->retry.due))
        world_after(world, &self->retry, world_between(world, 200, 1200));
}

static void on_acknowledged(void *ctx, uint64_t id, str_t args) {
    client_t *self = ctx;
    call_t made = self->calls[id % CALLS_MAX];
    json_doc_t *doc = NULL;
    bool ok = false;
    str_t code = STR("");
    if (made.id != id) {
        world_fail(self->config.world, "%s: acknowledged twice", self->name);
        return;
    }
    self->calls[id % CALLS_MAX].id = 0;
    if (json_doc_new(args, &json_limits, &doc) != OK) {
        world_fail(self->config.world, "%s: an acknowledgement that is no JSON", self->name);
        return;
    }
    const json_value_t *ack = json_doc_root(doc);
    (void)!json_get_bool(ack, "ok", &ok);
    (void)!json_get_string(json_member(ack, "error"), "code", 1, 64, &code);
    world_note(self->config.world, "%s is answered %.*s (kind %d in %zu)", self->name,
               STR_ARG(ok ? STR("ok") : code), (int)made.kind, made.room);
    if (!ok)
        on_refused(self, &made, code);
    else if (made.kind == CALL_JOIN)
        on_joined(self, &made, ack);
    else if (made.kind == CALL_LEAVE)
        self->views[made.room].joined = false;
    else if (made.kind == CALL_SEND)
        on_sent(self, &made, ack);
    json_doc_free(&doc);
}

/* ---- events ---- */

static void on_message(client_t *self, const json_value_t *message) {
    str_t id = STR(""), client_id = STR("");
    uint64_t seq = 0;
    (void)!json_get_string(message, "conversationId", 1, 200, &id);
    (void)!json_get_string(message, "clientId", 1, 64, &client_id);
    (void)!json_get_u64(message, "seq", 1, INT64_MAX, &seq);
    size_t room = room_of(self, id);
    if (room == STORE_ROOMS_MAX) {
        world_fail(self->config.world, "%s: a message of no room", self->name);
        return;
    }
    view_owner_t owner = owner_of(self, room);
    world_note(self->config.world, "%s hears %s %" PRIu64, self->name, owner.room->id, seq);
    view_message(&self->views[room], &owner, seq);
    const store_message_t *stored = store_message(owner.room, seq);
    if (stored && !str_eq(str_from(stored->client_id), client_id))
        world_fail(self->config.world, "%s hears %s %" PRIu64 " with another's text", self->name,
                   owner.room->id, seq);
}

static void on_members_event(client_t *self, const json_value_t *payload, bool added) {
    str_t id = STR("");
    (void)!json_get_string(payload, added ? "id" : "conversationId", 1, 200, &id);
    size_t room = room_of(self, id);
    if (room == STORE_ROOMS_MAX)
        return;
    world_note(self->config.world, "%s is told of its %s %zu", self->name,
               added ? "addition to" : "removal from", room);
    self->views[room].told = added ? TOLD_ADDED : TOLD_REMOVED;
    if (!added) {
        self->views[room].wanted = self->views[room].joined = false;
    } else if (!self->is_calm) {
        self->views[room].wanted = true;
        world_after(self->config.world, &self->retry, world_between(self->config.world, 0, 200));
    }
}

static void on_event(void *ctx, str_t name, str_t args) {
    client_t *self = ctx;
    json_doc_t *doc = NULL;
    bool added = str_eq(name, STR("conversation_added"));
    if (json_doc_new(args, &json_limits, &doc) != OK) {
        world_fail(self->config.world, "%s: an event that is no JSON", self->name);
        return;
    }
    if (str_eq(name, STR("new_message")))
        on_message(self, json_doc_root(doc));
    else if (added || str_eq(name, STR("conversation_removed")))
        on_members_event(self, json_doc_root(doc), added);
    json_doc_free(&doc);
}

/* ---- sockets ---- */

static void on_accepted(void *ctx) {
    client_t *self = ctx;
    self->connected = true;
    self->connected_at_ms = self->config.world->now_ms;
    world_note(self->config.world, "%s connects as %s", self->name, socket_id(self->socket));
    catch_up(self);
}

static void forget_socket(client_t *self) {
    world_t *world = self->config.world;
    self->socket = NULL;
    self->connected = false;
    memset(self->calls, 0, sizeof(self->calls));
    for (size_t i = 0; i < STORE_ROOMS_MAX; i++)
        view_reset(&self->views[i]);
    for (size_t i = 0; i < self->send_count; i++) {
        if (self->sends[i].state == SEND_ASKED)
            self->sends[i].state = SEND_WAITING;
    }
    world_after(world, &self->connect, world_between(world, 0, 600));
}

static void on_closed(void *ctx) {
    forget_socket(ctx);
}

static const socket_ops_t socket_ops = {.accepted = on_accepted,
                                        .event = on_event,
                                        .acknowledged = on_acknowledged,
                                        .closed = on_closed};

static void on_connect(void *ctx) {
    client_t *self = ctx;
    world_t *world = self->config.world;
    gateway_part_t *gateway =
        self->config.gateways[world_random(world, self->config.gateway_count)];
    self->socket = gateway_part_connect(gateway, str_from(self->user), &socket_ops, self);
    if (!self->socket)
        world_after(world, &self->connect, world_between(world, 50, 400));
}

static void hang_up(client_t *self) {
    socket_hang_up(self->socket);
    forget_socket(self);
}

/* ---- what it does by itself ---- */

static void send_new(client_t *self, size_t room) {
    if (self->send_count == SENDS_MAX)
        return;
    size_t index = self->send_count++;
    send_t *send = &self->sends[index];
    *send = (send_t){.room = room};
    snprintf(send->client_id, sizeof(send->client_id), "c%zu-%zu", self->config.index, index);
    if (self->connected && world_chance(self->config.world, 95))
        send_message(self, index);
}

static void change_room(client_t *self, size_t room) {
    view_t *view = &self->views[room];
    if (view->wanted && view->joined && world_chance(self->config.world, 40)) {
        leave(self, room);
    } else {
        view->wanted = true;
        join(self, room);
    }
}

static void act(client_t *self) {
    world_t *world = self->config.world;
    size_t room = world_random(world, self->config.store->room_count);
    uint64_t what = world_random(world, 100);
    if (what < 60)
        send_new(self, room);
    else if (!self->connected)
        return;
    else if (what < 72)
        change_room(self, room);
    else if (what < 82)
        call_other(self, world_chance(world, 70) ? "typing" : "stop_typing", room);
    else if (what < 92)
        call_other(self, "mark_read", room);
    else if (what < 96)
        hang_up(self);
}

static void on_act(void *ctx) {
    client_t *self = ctx;
    uint64_t times = world_chance(self->config.world, 15) ? 4 : 1;
    while (times-- > 0)
        act(self);
    world_after(self->config.world, &self->act, world_between(self->config.world, 20, 500));
}

/* ---- life ---- */

client_t *client_new(const client_config_t *config) {
    client_t *self = xcalloc(1, sizeof(*self));
    world_t *world = config->world;
    self->config = *config;
    snprintf(self->name, sizeof(self->name), "client-%zu", config->index);
    snprintf(self->user, sizeof(self->user), "%zu", config->user + 1);
    self->act = (event_t){.run = on_act, .ctx = self};
    self->connect = (event_t){.run = on_connect, .ctx = self};
    self->retry = (event_t){.run = catch_up, .ctx = self};
    for (size_t i = 0; i < config->store->room_count; i++)
        self->views[i].wanted = world_chance(world, 80);
    world_after(world, &self->connect, world_between(world, 0, 500));
    world_after(world, &self->act, world_between(world, 0, 1000));
    return self;
}

void client_free(client_t **self_in) {
    client_t *self = *self_in;
    world_t *world = self->config.world;
    *self_in = NULL;
    world_cancel(world, &self->act);
    world_cancel(world, &self->connect);
    world_cancel(world, &self->retry);
    strbuf_fini(&self->text);
    free(self);
}

void client_calm(client_t *self) {
    self->is_calm = true;
    world_cancel(self->config.world, &self->act);
    if (!deadline_is_set(&self->retry.due))
        world_after(self->config.world, &self->retry, 1);
}

void client_break(client_t *self) {
    if (self->socket)
        socket_break(self->socket);
}

/* ---- looking in ---- */

/* Of what happened while it was connected, and the broker of its user's room knew: that news is at
 * most a lease on its way. A request that is forbidden tells of a removal, too. */
static bool is_told_of_membership(const client_t *self, size_t index) {
    const store_room_t *room = &self->config.store->rooms[index];
    const view_t *view = &self->views[index];
    int64_t changed_at_ms = room->changed_at_ms[self->config.user];
    if (changed_at_ms <= self->connected_at_ms + LINK_LEASE_MS)
        return true;
    if (room->members[self->config.user])
        return view->told == TOLD_ADDED;
    return view->told == TOLD_REMOVED || view->forbidden_at_ms > changed_at_ms;
}

const char *client_is_unsettled(const client_t *self) {
    if (!self->connected)
        return "isn't connected";
    for (size_t i = 0; i < CALLS_MAX; i++) {
        if (self->calls[i].id)
            return "waits for an acknowledgement";
    }
    for (size_t i = 0; i < self->send_count; i++) {
        if (self->sends[i].state == SEND_WAITING)
            return "has a message to send";
    }
    for (size_t i = 0; i < self->config.store->room_count; i++) {
        const view_t *view = &self->views[i];
        if (view->wanted && !view->joined)
            return "has a room to join";
        if (!is_told_of_membership(self, i))
            return "doesn't know whether it is a member";
        if (view->joined && self->config.store->rooms[i].members[self->config.user] &&
            view->last < self->config.store->rooms[i].head)
            return "hasn't seen all messages";
    }
    return NULL;
}

bool client_has_joined(const client_t *self, const socket_t *socket, str_t room) {
    size_t index = room_of(self, room);
    return self->socket == socket && index < STORE_ROOMS_MAX && self->views[index].joined;
}

const socket_t *client_socket(const client_t *self) {
    return self->socket;
}

const char *client_name(const client_t *self) {
    return self->name;
}

size_t client_acknowledged(const client_t *self) {
    size_t n = 0;
    for (size_t i = 0; i < self->send_count; i++)
        n += self->sends[i].state == SEND_DONE;
    return n;
}

size_t client_place_of(const client_t *self, const char *socket_id, const char *client_id) {
    size_t place = 0;
    for (size_t i = 0; i < self->emission_count; i++) {
        const emission_t *emission = &self->emissions[i];
        if (strcmp(emission->socket_id, socket_id) != 0)
            continue;
        if (emission->failed)
            return 0;
        if (!place && strcmp(self->sends[emission->send].client_id, client_id) == 0)
            place = i + 1;
    }
    return place;
}
