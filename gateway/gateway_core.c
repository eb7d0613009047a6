#include "gateway/gateway_core.h"

#include <utlist.h>

#include "common/ids.h"
#include "gateway/core_state.h"

gateway_core_t *gateway_core_new(const gateway_core_config_t *config, const gateway_ops_t *ops,
                                 void *ctx) {
    gateway_core_t *self = xcalloc(1, sizeof(*self));
    size_t brokers = brokers_count(config->brokers);
    ASSERT(brokers > 0 && brokers <= BROKERS_MAX);
    self->config = *config;
    self->ops = ops;
    self->ctx = ctx;
    self->sessions = sessions_new(&config->sessions);
    self->rooms = rooms_new(config->max_rooms, &core_rooms_ops, self);
    self->presence = presence_new(brokers, config->max_interests, &core_presence_ops, self);
    for (size_t i = 0; i < brokers; i++)
        self->links[i] = (core_link_t){.core = self, .broker = i};
    self->arena = proto_arena_new();
    self->join_arena = proto_arena_new();
    return self;
}

/* ---- an end without effects ---- */

static int64_t silent_time(void *ctx) {
    (void)ctx;
    return 0;
}

static void silent_ack(void *ctx, gateway_ack_t *ack, str_t args) {
    (void)ctx;
    (void)args;
    *ack = (gateway_ack_t){0};
}

static void silent_drop_ack(void *ctx, gateway_ack_t *ack) {
    (void)ctx;
    *ack = (gateway_ack_t){0};
}

static void silent_close_connect(void *ctx, void *connect) {
    (void)ctx;
    (void)connect;
}

static uint64_t silent_request(void *ctx, size_t broker, const link_request_t *request) {
    (void)ctx;
    (void)broker;
    (void)request;
    return 0;
}

static void silent_cancel(void *ctx, size_t broker, uint64_t request_id) {
    (void)ctx;
    (void)broker;
    (void)request_id;
}

static err_t silent_post(void *ctx, size_t broker, const envelope_t *envelope) {
    (void)ctx;
    (void)broker;
    (void)envelope;
    return ERR_CLOSED;
}

static void silent_step(void *ctx, const gateway_step_t *step) {
    (void)ctx;
    (void)step;
}

/* What the end of sessions can call. */
static const gateway_ops_t silent_ops = {
    .now_ms = silent_time,
    .unix_ms = silent_time,
    .ack = silent_ack,
    .drop_ack = silent_drop_ack,
    .close_connect = silent_close_connect,
    .step = silent_step,
    .request = silent_request,
    .cancel = silent_cancel,
    .post = silent_post,
};

/* A request that is left: its answer will not come. Those that hold rooms let go of them. */
static void forget_requests(gateway_core_t *self) {
    while (self->room_requests)
        core_room_request_end(self->room_requests);
    while (self->requests) {
        core_request_t *request = self->requests;
        DL_DELETE(self->requests, request);
        free(request);
    }
}

void gateway_core_free(gateway_core_t **self_in) {
    gateway_core_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    self->ops = &silent_ops;
    core_connect_refuse_all(self);
    while (sessions_first(self->sessions))
        gateway_core_disconnect(self, sessions_first(self->sessions));
    forget_requests(self);
    rooms_free(&self->rooms);
    presence_free(&self->presence);
    sessions_free(&self->sessions);
    deadline_heap_fini(&self->session_deadlines);
    deadline_heap_fini(&self->link_deadlines);
    deadline_heap_fini(&self->join_deadlines);
    deadline_heap_fini(&self->recovery_deadlines);
    proto_arena_free(&self->arena);
    proto_arena_free(&self->join_arena);
    strbuf_fini(&self->body);
    strbuf_fini(&self->text);
    strbuf_fini(&self->participants);
    strbuf_fini(&self->name);
    strbuf_fini(&self->offset);
    free(self->generation);
    free(self->ready);
    free(self);
}

/* ---- what the parts share ---- */

void core_emit(gateway_core_t *self, session_t *session, str_t event, str_t args) {
    void *packet = self->ops->packet_new(self->ctx, event, args);
    self->ops->send(self->ctx, session->socket, packet, (str_t){0});
    self->ops->packet_unref(self->ctx, packet);
}

void core_send_lasting(gateway_core_t *self, session_t *session, void *packet) {
    self->ops->send(self->ctx, session->socket, packet, core_offset(self, session));
}

void core_emit_lasting(gateway_core_t *self, session_t *session, str_t event, str_t args) {
    void *packet = self->ops->packet_new(self->ctx, event, args);
    core_send_lasting(self, session, packet);
    self->ops->packet_unref(self->ctx, packet);
}

void core_close(gateway_core_t *self, session_t *session, gateway_close_t reason) {
    if (session->closing)
        return;
    session->closing = true;
    deadline_remove(&self->session_deadlines, &session->deadline);
    core_count(self, METRIC_CLOSES, reason);
    if (session->recovery)
        core_recovery_abort(session->recovery);
    else
        self->ops->close(self->ctx, session->socket, reason);
}

str_t core_user_room(gateway_core_t *self, str_t user_id) {
    strbuf_clear(&self->name);
    ids_append_user_room(&self->name, user_id);
    return strbuf_str(&self->name);
}

envelope_t core_envelope(const gateway_core_t *self, uint16_t type, str_t room,
                         const session_t *session) {
    envelope_t envelope = {.type = type, .room = room, .body = strbuf_str(&self->body)};
    if (session) {
        envelope.user = user_id_of(session->user);
        envelope.session = session->number;
        envelope.trace = session->context.trace;
    }
    return envelope;
}

size_t core_any_broker(const gateway_core_t *self) {
    for (size_t i = 0; i < brokers_count(self->config.brokers); i++) {
        if (self->links[i].up)
            return i;
    }
    return 0;
}

bool core_request(gateway_core_t *self, core_request_t *request, const core_asking_t *asking) {
    link_request_t link_request = {
        .envelope = asking->envelope,
        .timeout_ms = asking->timeout_ms,
        .link_bound = asking->link_bound,
        .on_reply = asking->on_reply,
        .arg = request,
    };
    request->core = self;
    request->broker = asking->broker;
    request->id = self->ops->request(self->ctx, asking->broker, &link_request);
    if (!request->id)
        return false;
    DL_APPEND(self->requests, request);
    return true;
}

void core_request_end(core_request_t *request) {
    if (!request->id)
        return;
    request->id = 0;
    DL_DELETE(request->core->requests, request);
}

void core_request_cancel(core_request_t *request) {
    if (request->id)
        request->core->ops->cancel(request->core->ctx, request->broker, request->id);
    core_request_end(request);
}

core_failure_t core_failure(code_t code, const char *message) {
    return (core_failure_t){
        .code = code,
        .message = str_from(message ? message : replies_default_message(code)),
        .retry_after_ms = code == CODE_UNAVAILABLE ? GATEWAY_RETRY_AFTER_MS : 0,
    };
}

core_failure_t core_busy(gateway_core_t *self, busy_reason_t reason) {
    static const char *const messages[BUSY_REASONS] = {
        [BUSY_SOCKET] = "too many events wait for an answer",
        [BUSY_ROOMS] = "this server has too many conversations",
        [BUSY_MEMBERS] = "this server has too many conversations",
    };
    core_count(self, METRIC_UNAVAILABLE, reason);
    return core_failure(CODE_UNAVAILABLE, messages[reason]);
}

bool core_reply_ok(gateway_core_t *self, err_t err, const envelope_t *reply, uint16_t type,
                   core_failure_t *failure_out) {
    proto_error_t error;
    if (!err && reply->type == type)
        return true;
    *failure_out = core_failure(err ? CODE_UNAVAILABLE : CODE_INTERNAL, NULL);
    if (err || reply->type != MSG_ERROR)
        return false;
    code_t code =
        reply->code > CODE_OK && reply->code < CODE_COUNT ? (code_t)reply->code : CODE_INTERNAL;
    *failure_out = core_failure(code, NULL);
    if (proto_error_decode(reply->body, self->arena, &error)) {
        core_count(self, METRIC_BUS_MALFORMED, 0);
        return false;
    }
    if (error.message.n)
        failure_out->message = error.message;
    if (error.retry_after_ms)
        failure_out->retry_after_ms = error.retry_after_ms;
    return false;
}

void core_check_generation(gateway_core_t *self, str_t generation) {
    if (self->generation && str_eq(str_from(self->generation), generation))
        return;
    bool changed = self->generation != NULL;
    free(self->generation);
    self->generation = str_dup(generation);
    if (!changed)
        return;
    rooms_forget_heard(self->rooms);
    gateway_core_close_all(self, GATEWAY_CLOSE_GENERATION_CHANGED);
}

/* ---- time ---- */

static bool ready_to_close(const session_t *session) {
    return session->request_count == 0;
}

/* Tokens that have ended; once draining, sessions whose turn it is. */
static void close_due(gateway_core_t *self, int64_t now_ms) {
    deadline_t *due = NULL;
    while ((due = deadline_pop_due(&self->session_deadlines, now_ms))) {
        session_t *session = DEADLINE_OWNER(due, session_t, deadline);
        if (!self->draining)
            core_close(self, session, GATEWAY_CLOSE_TOKEN_EXPIRED);
        else if (ready_to_close(session))
            core_close(self, session, GATEWAY_CLOSE_DRAINING);
        else
            deadline_add(&self->session_deadlines, &session->deadline, now_ms + 1);
    }
}

void gateway_core_tick(gateway_core_t *self) {
    int64_t now_ms = core_now(self);
    close_due(self, now_ms);
    core_join_tick(self, now_ms);
    core_recovery_tick(self, now_ms);
    core_link_tick(self, now_ms);
}

void gateway_core_flush(gateway_core_t *self) {
    core_recovery_flush(self);
    core_join_flush(self);
    core_position_flush(self);
}

/* Where in the window a session is closed: spread evenly, and unlike its number. */
static int64_t drain_offset_ms(const session_t *session, int64_t over_ms) {
    uint64_t hash = siphash((str_t){(const char *)&session->number, sizeof(session->number)});
    return over_ms > 0 ? (int64_t)(hash % (uint64_t)over_ms) : 0;
}

void gateway_core_drain(gateway_core_t *self, int64_t over_ms) {
    int64_t now_ms = core_now(self);
    self->draining = true;
    core_connect_refuse_all(self);
    for (session_t *session = sessions_first(self->sessions); session; session = session->next) {
        if (!session->closing)
            deadline_add(&self->session_deadlines, &session->deadline,
                         now_ms + drain_offset_ms(session, over_ms));
    }
}

bool gateway_core_is_empty(const gateway_core_t *self) {
    return sessions_count(self->sessions) == 0 && self->connect_count == 0;
}

void gateway_core_close_all(gateway_core_t *self, gateway_close_t reason) {
    core_connect_refuse_all(self);
    for (session_t *session = sessions_first(self->sessions); session; session = session->next)
        core_close(self, session, reason);
}

static size_t most_writes(const gateway_core_t *self) {
    size_t most = 0;
    for (size_t i = 0; i < brokers_count(self->config.brokers); i++)
        most = self->links[i].writes > most ? self->links[i].writes : most;
    return most;
}

gateway_figures_t gateway_core_figures(const gateway_core_t *self) {
    return (gateway_figures_t){
        .sessions = sessions_count(self->sessions),
        .users = sessions_user_count(self->sessions),
        .rooms = rooms_count(self->rooms),
        .members = rooms_member_count(self->rooms),
        .watches = presence_count(self->presence),
        .interests = presence_interests(self->presence),
        .waiting_bytes = self->waiting_bytes,
        .connects = self->connect_count,
        .requests = self->request_count,
        .writes = most_writes(self),
    };
}
