/* Passing on to members, reading what they missed, and the presence of participants. */
#include <utlist.h>

#include "common/ids.h"
#include "gateway/core_state.h"

/* ---- requests about rooms ---- */

core_room_request_t *core_room_request_new(gateway_core_t *self, room_t *const *rooms, size_t n) {
    core_room_request_t *request = xcalloc(1, sizeof(*request) + n * sizeof(room_t *));
    request->request.core = self;
    request->room_count = n;
    for (size_t i = 0; i < n; i++) {
        request->rooms[i] = rooms[i];
        rooms_hold(rooms[i]);
    }
    DL_APPEND(self->room_requests, request);
    return request;
}

void core_room_request_end(core_room_request_t *request) {
    gateway_core_t *self = request->request.core;
    core_request_end(&request->request);
    DL_DELETE(self->room_requests, request);
    for (size_t i = 0; i < request->room_count; i++)
        rooms_release(self->rooms, request->rooms[i]);
    free(request);
}

/* ---- delivering to members ---- */

static void deliver(void *ctx, member_t *member, room_message_t *message) {
    gateway_core_t *self = ctx;
    if (!message->cache)
        message->cache = self->ops->packet_new(self->ctx, STR("new_message"), message->text);
    core_count(self, METRIC_EVENTS_OUT, OUT_NEW_MESSAGE);
    message->delivered++;
    core_send_lasting(self, member->session, message->cache);
}

void core_pass_message(gateway_core_t *self, room_t *room, room_message_t *message) {
    rooms_message(self->rooms, room, message);
    if (message->cache)
        self->ops->packet_unref(self->ctx, message->cache);
    if (trace_is_set(&message->trace))
        self->ops->step(self->ctx, &(gateway_step_t){.name = "event_delivered",
                                                     .trace = message->trace,
                                                     .event = STR("new_message"),
                                                     .room = room_name(room),
                                                     .seq = message->seq,
                                                     .sockets = message->delivered});
}

/* Whether this member is to be told of a mark set at that time; it counts as told then. */
static bool takes_mark(member_t *member, uint64_t read_ms) {
    if (member->recovered && read_ms <= member->read_ms)
        return false; /* it was replayed */
    member->recovered = false;
    if (read_ms > member->read_ms)
        member->read_ms = read_ms;
    return true;
}

void core_fan_out(gateway_core_t *self, const room_t *room, const core_fan_out_t *what) {
    void *packet = NULL;
    size_t delivered = 0;
    member_t *member = NULL;
    DL_FOREACH(room->members, member) {
        if (!member_is_live(member) || member->session->number == what->except ||
            (what->read_ms && !takes_mark(member, what->read_ms)))
            continue;
        if (what->is_hint && self->ops->is_crowded(self->ctx, member->session->socket)) {
            core_count(self, METRIC_HINTS_SHED, 0);
            continue;
        }
        if (!packet)
            packet = self->ops->packet_new(self->ctx, what->event, what->args);
        core_count(self, METRIC_EVENTS_OUT, what->metric);
        if (what->read_ms)
            core_send_lasting(self, member->session, packet);
        else
            self->ops->send(self->ctx, member->session->socket, packet, (str_t){0});
        delivered++;
    }
    if (packet)
        self->ops->packet_unref(self->ctx, packet);
    if (trace_is_set(&what->trace))
        self->ops->step(self->ctx, &(gateway_step_t){.name = "event_delivered",
                                                     .trace = what->trace,
                                                     .event = what->event,
                                                     .room = room_name(room),
                                                     .sockets = delivered});
}

void core_emit_removed(gateway_core_t *self, session_t *session, const room_t *room) {
    if (session->recovery) {
        core_recovery_changed(session->recovery, true);
        return;
    }
    strbuf_clear(&self->text);
    replies_event_removed(&self->text, room_name(room));
    core_count(self, METRIC_EVENTS_OUT, OUT_CONVERSATION);
    core_emit_lasting(self, session, STR("conversation_removed"), strbuf_str(&self->text));
    session->removed_from = siphash(room_name(room));
}

/* ---- gaps ---- */

static void on_history(void *arg, err_t err, const envelope_t *reply) {
    core_room_request_t *request = arg;
    gateway_core_t *self = request->request.core;
    room_t *room = request->rooms[0];
    proto_messages_t messages;
    core_failure_t failure;
    core_request_end(&request->request);
    bool ok = core_reply_ok(self, err, reply, MSG_MESSAGES, &failure);
    if (ok && (proto_messages_decode(reply->body, self->arena, &messages) ||
               messages.messages.n != messages.seqs.n)) {
        core_count(self, METRIC_BUS_MALFORMED, 0);
        ok = false;
    }
    core_count(self, METRIC_GAPS, ok ? GAP_HEALED : GAP_FAILED);
    if (ok) {
        for (size_t i = 0; i < messages.seqs.n; i++)
            core_pass_message(self, room,
                              &(room_message_t){.seq = messages.seqs.items[i],
                                                .text = messages.messages.items[i]});
        rooms_fetched(self->rooms, room, messages.head_seq);
    } else {
        rooms_fetch_failed(self->rooms, room);
    }
    core_room_request_end(request);
}

static void fetch(void *ctx, room_t *room, uint64_t after) {
    gateway_core_t *self = ctx;
    core_room_request_t *request = core_room_request_new(self, &room, 1);
    proto_history_t history = {
        .present = UINT64_C(1) << 2, .after = after, .limit = GATEWAY_HISTORY_BATCH, .trusted = 1};
    strbuf_clear(&self->body);
    proto_history_encode(&history, &self->body);
    envelope_t envelope = core_envelope(self, MSG_HISTORY, room_name(room), NULL);
    if (core_request(self, &request->request,
                     &(core_asking_t){.broker = room->broker,
                                      .timeout_ms = GATEWAY_HISTORY_TIMEOUT_MS,
                                      .link_bound = true,
                                      .envelope = &envelope,
                                      .on_reply = on_history}))
        return;
    rooms_fetch_failed(self->rooms, room);
    core_room_request_end(request);
}

static void overflow(void *ctx, member_t *member) {
    core_close(ctx, member->session, GATEWAY_CLOSE_LAGGING);
}

static int64_t now_ms_of(void *ctx) {
    return core_now(ctx);
}

const rooms_ops_t core_rooms_ops = {
    .deliver = deliver,
    .claim = core_calls_claim,
    .fetch = fetch,
    .overflow = overflow,
    .now_ms = now_ms_of,
};

/* ---- presence ---- */

static size_t broker_of_user(void *ctx, str_t user) {
    gateway_core_t *self = ctx;
    return brokers_of_room(self->config.brokers, core_user_room(self, user));
}

static void on_presences(void *arg, err_t err, const envelope_t *reply) {
    core_room_request_t *request = arg;
    gateway_core_t *self = request->request.core;
    core_failure_t failure;
    proto_presences_t told;
    core_room_request_end(request);
    if (!core_reply_ok(self, err, reply, MSG_PRESENCES, &failure))
        return;
    if (proto_presences_decode(reply->body, self->arena, &told) || told.online.n != told.users.n ||
        told.last_seen_ms.n != told.users.n) {
        core_count(self, METRIC_BUS_MALFORMED, 0);
        return;
    }
    for (size_t i = 0; i < told.users.n; i++)
        presence_update(self->presence, told.users.items[i],
                        (user_presence_t){.online = told.online.items[i],
                                          .last_seen_ms = (int64_t)told.last_seen_ms.items[i]});
    core_join_finish_ready(self);
}

static void watch(void *ctx, size_t broker, const proto_texts_t *users) {
    gateway_core_t *self = ctx;
    if (!self->links[broker].up)
        return; /* everybody is asked for when it comes up */
    core_room_request_t *request = core_room_request_new(self, NULL, 0);
    strbuf_clear(&self->body);
    proto_watch_encode(&(proto_watch_t){.users = *users}, &self->body);
    envelope_t envelope =
        core_envelope(self, MSG_WATCH, core_user_room(self, users->items[0]), NULL);
    if (!core_request(self, &request->request,
                      &(core_asking_t){.broker = broker,
                                       .timeout_ms = GATEWAY_WATCH_TIMEOUT_MS,
                                       .link_bound = true,
                                       .envelope = &envelope,
                                       .on_reply = on_presences}))
        core_room_request_end(request);
}

static void unwatch(void *ctx, size_t broker, const proto_texts_t *users) {
    gateway_core_t *self = ctx;
    strbuf_clear(&self->body);
    proto_unwatch_encode(&(proto_unwatch_t){.users = *users}, &self->body);
    envelope_t envelope =
        core_envelope(self, MSG_UNWATCH, core_user_room(self, users->items[0]), NULL);
    (void)!self->ops->post(self->ctx, broker, &envelope);
}

/* Each socket is told once, however many conversations it shares with the user. */
static void presence_changed(void *ctx, const watch_t *watched) {
    gateway_core_t *self = ctx;
    const interest_t *interest = NULL;
    const member_t *member = NULL;
    void *packet = NULL;
    uint64_t told = ++self->last_told;
    strbuf_clear(&self->text);
    replies_event_presence(&self->text, watch_id(watched), watched->state.online,
                           watched->state.last_seen_ms);
    DL_FOREACH(watched->interests, interest) {
        DL_FOREACH(interest->room->members, member) {
            session_t *session = member->session;
            if (!member_is_live(member) || session->told == told ||
                str_eq(user_id_of(session->user), watch_id(watched)))
                continue;
            session->told = told;
            if (!packet)
                packet = self->ops->packet_new(self->ctx, STR("presence"), strbuf_str(&self->text));
            core_count(self, METRIC_EVENTS_OUT, OUT_PRESENCE);
            self->ops->send(self->ctx, session->socket, packet, (str_t){0});
        }
    }
    if (packet)
        self->ops->packet_unref(self->ctx, packet);
}

void core_presence_tell_all(gateway_core_t *self, session_t *session) {
    const member_t *member = NULL;
    uint64_t told = ++self->last_told;
    DL_FOREACH2(session->members, member, session_next) {
        for (size_t i = 0; i < member->room->interest_count; i++) {
            watch_t *watched = member->room->interests[i].watch;
            if (!watched->known || watched->told == told ||
                str_eq(user_id_of(session->user), watch_id(watched)))
                continue;
            watched->told = told;
            strbuf_clear(&self->text);
            replies_event_presence(&self->text, watch_id(watched), watched->state.online,
                                   watched->state.last_seen_ms);
            core_count(self, METRIC_EVENTS_OUT, OUT_PRESENCE);
            core_emit(self, session, STR("presence"), strbuf_str(&self->text));
        }
    }
}

const presence_ops_t core_presence_ops = {
    .broker_of_user = broker_of_user,
    .watch = watch,
    .unwatch = unwatch,
    .changed = presence_changed,
    .known = core_join_presence_known,
};
