/* Brokers coming and going, and what they deliver. */
#include <utlist.h>

#include "gateway/core_state.h"

enum {
    ROUNDS = 2, /* heads are compared at once and once more GATEWAY_HEADS_AGAIN_MS later */
    PAUSE_FIRST_MS = 1000,
    PAUSE_MAX_MS = 10000,
};

/* ---- REJOIN ---- */

static void on_rejoined(void *arg, err_t err, const envelope_t *reply);
static void end_rejoin(core_room_request_t *request, const proto_rejoined_t *rejoined);

/* A REJOIN being filled. */
typedef struct {
    room_t *room; /* NULL: a user's own */
    const user_t *user;
    size_t broker;
    size_t n;
    uint64_t sessions[GATEWAY_REJOIN_BATCH];
    str_t users[GATEWAY_REJOIN_BATCH];
} rejoin_t;

/* Leaves the lists as they are: they are large. */
static void begin_rejoin(rejoin_t *rejoin, room_t *room, const user_t *user, size_t broker) {
    rejoin->room = room;
    rejoin->user = user;
    rejoin->broker = broker;
    rejoin->n = 0;
}

static void send_rejoin(gateway_core_t *self, rejoin_t *rejoin) {
    proto_rejoin_t body = {.sessions = {rejoin->sessions, rejoin->n},
                           .users = {rejoin->users, rejoin->n}};
    if (rejoin->n == 0)
        return;
    strbuf_clear(&self->body);
    proto_rejoin_encode(&body, &self->body);
    str_t name =
        rejoin->room ? room_name(rejoin->room) : core_user_room(self, user_id_of(rejoin->user));
    envelope_t envelope = core_envelope(self, MSG_REJOIN, name, NULL);
    core_room_request_t *request = core_room_request_new(self, &rejoin->room, rejoin->room ? 1 : 0);
    if (!rejoin->room) {
        request->user_bytes = rejoin->user->id_bytes;
        memcpy(request->user, rejoin->user->id, rejoin->user->id_bytes);
    }
    rejoin->n = 0;
    core_asking_t asking = {.broker = rejoin->broker,
                            .timeout_ms = GATEWAY_REJOIN_TIMEOUT_MS,
                            .link_bound = true,
                            .envelope = &envelope,
                            .on_reply = on_rejoined};
    if (rejoin->room)
        rejoin->room->rejoins++;
    if (!core_request(self, &request->request, &asking))
        end_rejoin(request, NULL);
}

static void add_to_rejoin(gateway_core_t *self, rejoin_t *rejoin, const session_t *session) {
    rejoin->sessions[rejoin->n] = session->number;
    rejoin->users[rejoin->n++] = user_id_of(session->user);
    if (rejoin->n == GATEWAY_REJOIN_BATCH)
        send_rejoin(self, rejoin);
}

/* Members whose JOIN is unanswered are left out: the link repeats it. */
void core_link_rejoin(gateway_core_t *self, room_t *room) {
    rejoin_t rejoin;
    member_t *member = NULL;
    begin_rejoin(&rejoin, room, NULL, room->broker);
    room->rejoin_failed = false;
    DL_FOREACH(room->members, member) {
        if (core_join_is_asked(member))
            continue;
        member->unconfirmed = true;
        add_to_rejoin(self, &rejoin, member->session);
    }
    send_rejoin(self, &rejoin);
}

static void rejoin_users(gateway_core_t *self, size_t broker) {
    rejoin_t rejoin;
    self->links[broker].users_stale = false;
    for (user_t *user = sessions_first_user(self->sessions); user; user = user->hh.next) {
        if (user->broker != broker)
            continue;
        begin_rejoin(&rejoin, NULL, user, broker);
        const session_t *session = NULL;
        DL_FOREACH2(user->sessions, session, user_next) {
            add_to_rejoin(self, &rejoin, session);
        }
        send_rejoin(self, &rejoin);
    }
}

/* The rights ended while the broker was away. */
static void refuse_member(gateway_core_t *self, room_t *room, uint64_t session_number) {
    member_t *member = rooms_find_member(self->rooms, room, session_number);
    core_failure_t why = core_failure(CODE_FORBIDDEN, NULL);
    if (!member || !member->unconfirmed || core_join_is_asked(member))
        return;
    core_count(self, METRIC_EXPELLED, 0);
    member->removal_due = true;
    core_leave(self, member, &why);
}

static void schedule_round(gateway_core_t *self, core_link_t *link, uint32_t pause_ms) {
    deadline_add(&self->link_deadlines, &link->next_round, core_now(self) + pause_ms);
}

/* Sees that heads are compared once more, from now on. */
static void compare_soon(gateway_core_t *self, core_link_t *link) {
    if (link->rounds_left == 0)
        link->rounds_left = 1;
    if (!deadline_is_set(&link->next_round))
        schedule_round(self, link, PAUSE_FIRST_MS);
}

static void room_rejoined(gateway_core_t *self, room_t *room, const proto_rejoined_t *rejoined) {
    member_t *member = NULL;
    for (size_t i = 0; rejoined && i < rejoined->refused.n; i++)
        refuse_member(self, room, rejoined->refused.items[i]);
    if (room->rejoins > 0)
        return;
    if (room->rejoin_failed) {
        room->passed_by = true;
        rooms_retry_later(self->rooms, room);
        return;
    }
    if (room->passed_by)
        compare_soon(self, &self->links[room->broker]);
    room->passed_by = false;
    DL_FOREACH(room->members, member) {
        member->unconfirmed = false;
    }
    rooms_resume(self->rooms, room);
}

static void users_failed(gateway_core_t *self, core_link_t *link) {
    link->users_stale = true;
    compare_soon(self, link);
}

static void user_rejoined(gateway_core_t *self, const core_room_request_t *request,
                          const proto_rejoined_t *rejoined) {
    user_t *user = sessions_find_user(self->sessions, (str_t){request->user, request->user_bytes});
    session_t *session = NULL;
    for (size_t i = 0; user && i < rejoined->refused.n; i++) {
        DL_FOREACH2(user->sessions, session, user_next) {
            if (session->number == rejoined->refused.items[i])
                core_close(self, session, GATEWAY_CLOSE_REJOIN_REFUSED);
        }
    }
}

/* `rejoined` NULL: it failed. */
static void end_rejoin(core_room_request_t *request, const proto_rejoined_t *rejoined) {
    gateway_core_t *self = request->request.core;
    room_t *room = request->room_count ? request->rooms[0] : NULL;
    if (room) {
        room->rejoins--;
        room->rejoin_failed |= !rejoined;
        room_rejoined(self, room, rejoined);
    } else if (rejoined) {
        user_rejoined(self, request, rejoined);
    } else {
        users_failed(self, &self->links[request->request.broker]);
    }
    core_room_request_end(request);
}

static void on_rejoined(void *arg, err_t err, const envelope_t *reply) {
    core_room_request_t *request = arg;
    gateway_core_t *self = request->request.core;
    proto_rejoined_t rejoined;
    core_failure_t failure;
    core_request_end(&request->request);
    if (err == ERR_CLOSED) { /* everything is sent anew when the link is back */
        if (request->room_count)
            request->rooms[0]->rejoins--;
        core_room_request_end(request);
    } else if (core_reply_ok(self, err, reply, MSG_REJOINED, &failure) &&
               proto_rejoined_decode(reply->body, self->arena, &rejoined) == OK) {
        end_rejoin(request, &rejoined);
    } else {
        end_rejoin(request, NULL);
    }
}

/* ---- HEADS ---- */

/* Without this answer a room's last message could stay unknown here: ask until it comes. */
static void heads_failed(gateway_core_t *self, core_link_t *link) {
    link->pause_ms = link->pause_ms ? link->pause_ms * 2 : PAUSE_FIRST_MS;
    if (link->pause_ms > PAUSE_MAX_MS)
        link->pause_ms = PAUSE_MAX_MS;
    if (link->rounds_left == 0)
        link->rounds_left = 1;
    schedule_round(self, link, link->pause_ms);
}

static void on_heads(void *arg, err_t err, const envelope_t *reply) {
    core_room_request_t *request = arg;
    gateway_core_t *self = request->request.core;
    core_link_t *link = &self->links[request->request.broker];
    proto_head_seqs_t heads;
    core_failure_t failure;
    core_request_end(&request->request);
    bool ok = core_reply_ok(self, err, reply, MSG_HEAD_SEQS, &failure);
    if (ok && (proto_head_seqs_decode(reply->body, self->arena, &heads) ||
               heads.seqs.n != request->room_count)) {
        core_count(self, METRIC_BUS_MALFORMED, 0);
        ok = false;
    }
    if (ok) {
        link->pause_ms = 0;
        core_check_generation(self, heads.generation);
        for (size_t i = 0; i < request->room_count; i++)
            rooms_heard(self->rooms, request->rooms[i], heads.seqs.items[i]);
    } else if (err != ERR_CLOSED) {
        heads_failed(self, link);
    }
    core_room_request_end(request);
}

static void send_heads(gateway_core_t *self, core_link_t *link, room_t *const *rooms, size_t n) {
    str_t names[GATEWAY_HEADS_BATCH];
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        names[i] = room_name(rooms[i]);
    strbuf_clear(&self->body);
    proto_heads_encode(&(proto_heads_t){.rooms = {names, n}}, &self->body);
    envelope_t envelope = core_envelope(self, MSG_HEADS, names[0], NULL);
    core_room_request_t *request = core_room_request_new(self, rooms, n);
    if (core_request(self, &request->request,
                     &(core_asking_t){.broker = link->broker,
                                      .timeout_ms = GATEWAY_HISTORY_TIMEOUT_MS,
                                      .link_bound = true,
                                      .envelope = &envelope,
                                      .on_reply = on_heads}))
        return;
    heads_failed(self, link);
    core_room_request_end(request);
}

/* Asks how far the rooms of this broker have come meanwhile. */
static void compare_heads(gateway_core_t *self, core_link_t *link) {
    room_t *rooms[GATEWAY_HEADS_BATCH];
    size_t n = 0;
    ASSERT(link->rounds_left > 0);
    link->rounds_left--;
    if (link->rounds_left)
        schedule_round(self, link, GATEWAY_HEADS_AGAIN_MS);
    for (room_t *room = rooms_first(self->rooms); room; room = room->hh.next) {
        if (room->broker != link->broker || !room->members)
            continue;
        rooms[n++] = room;
        if (n == GATEWAY_HEADS_BATCH) {
            send_heads(self, link, rooms, n);
            n = 0;
        }
    }
    send_heads(self, link, rooms, n);
}

/* ---- up, down, time ---- */

void gateway_core_up(gateway_core_t *self, size_t broker) {
    core_link_t *link = &self->links[broker];
    link->up = true;
    link->rounds_left = ROUNDS;
    link->pause_ms = 0;
    rejoin_users(self, broker);
    for (room_t *room = rooms_first(self->rooms); room; room = room->hh.next) {
        if (room->broker == broker)
            core_link_rejoin(self, room);
    }
    presence_watch_again(self->presence, broker);
    compare_heads(self, link);
}

void gateway_core_down(gateway_core_t *self, size_t broker) {
    core_link_t *link = &self->links[broker];
    link->up = false;
    link->rounds_left = 0;
    deadline_remove(&self->link_deadlines, &link->next_round);
}

static bool has_unconfirmed(const room_t *room) {
    const member_t *member = NULL;
    DL_FOREACH(room->members, member) {
        if (member->unconfirmed)
            return true;
    }
    return false;
}

void core_link_tick(gateway_core_t *self, int64_t now_ms) {
    deadline_t *due = NULL;
    room_t *room = NULL;
    while ((due = deadline_pop_due(&self->link_deadlines, now_ms))) {
        core_link_t *link = DEADLINE_OWNER(due, core_link_t, next_round);
        if (link->users_stale)
            rejoin_users(self, link->broker);
        compare_heads(self, link);
    }
    while ((room = rooms_due(self->rooms, now_ms))) {
        bool up = self->links[room->broker].up;
        if (up && room->rejoins == 0 && has_unconfirmed(room))
            core_link_rejoin(self, room);
        else
            rooms_check(self->rooms, room);
    }
}

/* ---- what brokers deliver ---- */

static void count_delivery(gateway_core_t *self, int64_t committed_ms) {
    int64_t took_ms = self->ops->unix_ms(self->ctx) - committed_ms;
    metrics_observe(self->config.metrics, METRIC_DELIVER_SECONDS, 0,
                    took_ms > 0 ? (double)took_ms / 1000.0 : 0);
}

static err_t on_new_message(gateway_core_t *self, const envelope_t *envelope) {
    proto_new_message_t message;
    room_t *room = rooms_find(self->rooms, envelope->room);
    err_t err = proto_new_message_decode(envelope->body, self->arena, &message);
    if (err || !room)
        return err;
    room_message_t passed = {.seq = message.seq,
                             .sender = envelope->user,
                             .text = message.message,
                             .trace = envelope->trace};
    core_pass_message(self, room, &passed);
    if (passed.delivered && message.committed_ms)
        count_delivery(self, (int64_t)message.committed_ms);
    return OK;
}

static err_t on_typing_event(gateway_core_t *self, const envelope_t *envelope) {
    proto_typing_event_t typing;
    const room_t *room = rooms_find(self->rooms, envelope->room);
    err_t err = proto_typing_event_decode(envelope->body, self->arena, &typing);
    if (err || !room)
        return err;
    strbuf_clear(&self->text);
    replies_event_typing(&self->text, envelope->room, envelope->user);
    core_fan_out(
        self, room,
        &(core_fan_out_t){.event = typing.on ? STR("user_typing") : STR("user_stop_typing"),
                          .args = strbuf_str(&self->text),
                          .except = envelope->session,
                          .metric = OUT_TYPING,
                          .trace = envelope->trace,
                          .is_hint = typing.on});
    return OK;
}

static err_t on_read_event(gateway_core_t *self, const envelope_t *envelope) {
    proto_read_event_t read;
    const room_t *room = rooms_find(self->rooms, envelope->room);
    err_t err = proto_read_event_decode(envelope->body, self->arena, &read);
    if (err || !room)
        return err;
    strbuf_clear(&self->text);
    replies_event_read(&self->text, &(read_event_t){.conversation_id = envelope->room,
                                                    .user_id = envelope->user,
                                                    .seq = read.seq,
                                                    .read_at_ms = (int64_t)read.read_at_ms});
    core_fan_out(self, room,
                 &(core_fan_out_t){.event = STR("messages_read"),
                                   .args = strbuf_str(&self->text),
                                   .except = envelope->session,
                                   .read_ms = read.read_at_ms,
                                   .metric = OUT_READ,
                                   .trace = envelope->trace});
    return OK;
}

static err_t on_presence(gateway_core_t *self, const envelope_t *envelope) {
    proto_presence_t told;
    err_t err = proto_presence_decode(envelope->body, self->arena, &told);
    if (err)
        return err;
    presence_update(
        self->presence, envelope->user,
        (user_presence_t){.online = told.online, .last_seen_ms = (int64_t)told.last_seen_ms});
    core_join_finish_ready(self);
    return OK;
}

static void confirm(gateway_core_t *self, size_t broker, const envelope_t *request) {
    strbuf_clear(&self->body);
    proto_done_encode(&(proto_done_t){0}, &self->body);
    envelope_t done = {.flags = ENVELOPE_REPLY,
                       .type = MSG_DONE,
                       .request_id = request->request_id,
                       .trace = request->trace,
                       .room = request->room,
                       .body = strbuf_str(&self->body)};
    (void)!self->ops->post(self->ctx, broker, &done);
}

void gateway_core_deliver(gateway_core_t *self, size_t broker, const envelope_t *envelope) {
    err_t err = OK;
    switch (envelope->type) {
    case MSG_NEW_MESSAGE:
        err = on_new_message(self, envelope);
        break;
    case MSG_TYPING_EVENT:
        err = on_typing_event(self, envelope);
        break;
    case MSG_READ_EVENT:
        err = on_read_event(self, envelope);
        break;
    case MSG_PRESENCE:
        err = on_presence(self, envelope);
        break;
    case MSG_EXPEL:
        err = core_on_expel(self, envelope);
        break;
    case MSG_USER_EVENT:
        err = core_on_user_event(self, envelope);
        break;
    default: /* of a later version: not for us */
        break;
    }
    if (err)
        core_count(self, METRIC_BUS_MALFORMED, 0);
    if (envelope->request_id && !(envelope->flags & ENVELOPE_REPLY))
        confirm(self, broker, envelope);
}
