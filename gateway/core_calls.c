/* Client events and the requests that they make. */
#include "gateway/core_calls.h"

#include <inttypes.h>
#include <utlist.h>

/* ---- answers ---- */

static void count_answer(gateway_core_t *self, event_kind_t kind, code_t code) {
    metrics_t *metrics = self->config.metrics;
    metrics_increment(metrics, METRIC_ACKS, metrics_series(metrics, METRIC_ACKS, kind, code));
}

static void tell_step(gateway_core_t *self, const core_question_t *question, code_t code) {
    if (!trace_is_set(&question->ack->trace))
        return;
    self->ops->step(
        self->ctx, &(gateway_step_t){.name = "event_answered",
                                     .trace = question->ack->trace,
                                     .event = str_from(events_rule(question->kind)->name),
                                     .code = code,
                                     .session = question->session ? question->session->number : 0});
}

void core_answer(gateway_core_t *self, const core_question_t *question, str_t args) {
    count_answer(self, question->kind, CODE_OK);
    tell_step(self, question, CODE_OK);
    if (question->ack->socket)
        self->ops->ack(self->ctx, question->ack, args);
}

void core_fail(gateway_core_t *self, const core_question_t *question,
               const core_failure_t *failure) {
    count_answer(self, question->kind, failure->code);
    tell_step(self, question, failure->code);
    strbuf_clear(&self->text);
    if (question->ack->socket) {
        replies_error(&self->text, failure->code, failure->message, failure->retry_after_ms);
        self->ops->ack(self->ctx, question->ack, strbuf_str(&self->text));
    } else if (question->session) {
        replies_event_error(&self->text, question->name, failure->code, failure->message);
        core_count(self, METRIC_EVENTS_OUT, OUT_ERROR);
        core_emit(self, question->session, STR("error"), strbuf_str(&self->text));
    }
}

/* ---- calls ---- */

static call_t *add_call(gateway_core_t *self, session_t *session, event_kind_t kind,
                        const event_payload_t *payload) {
    size_t room_bytes = payload->conversation_id.n;
    call_t *call = xcalloc(1, sizeof(*call) + room_bytes + payload->client_id.n);
    call->request.core = self;
    call->session = session;
    call->kind = kind;
    call->started_ms = core_now(self);
    call->room = (str_t){call->texts, room_bytes};
    call->client_id = (str_t){call->texts + room_bytes, payload->client_id.n};
    if (room_bytes)
        memcpy(call->texts, payload->conversation_id.p, room_bytes);
    if (payload->client_id.n)
        memcpy(call->texts + room_bytes, payload->client_id.p, payload->client_id.n);
    DL_APPEND(session->calls, call);
    session->request_count++;
    self->request_count++;
    return call;
}

static void detach(call_t *call) {
    if (!call->session)
        return;
    DL_DELETE(call->session->calls, call);
    call->session->request_count--;
    call->request.core->request_count--;
    call->session = NULL;
}

static core_link_t *link_of(const call_t *call) {
    gateway_core_t *self = call->request.core;
    return &self->links[brokers_of_room(self->config.brokers, call->room)];
}

static void end_call(call_t *call) {
    core_request_cancel(&call->request);
    if (call->is_write)
        link_of(call)->writes--;
    detach(call);
    free(call);
}

static core_question_t question_of(call_t *call) {
    return (core_question_t){.session = call->session,
                             .kind = call->kind,
                             .name = str_from(events_rule(call->kind)->name),
                             .ack = &call->ack};
}

static void answer_call(call_t *call, str_t args) {
    core_question_t question = question_of(call);
    core_answer(call->request.core, &question, args);
}

static void fail_call(call_t *call, const core_failure_t *failure) {
    core_question_t question = question_of(call);
    core_fail(call->request.core, &question, failure);
}

void core_calls_abandon(gateway_core_t *self, session_t *session) {
    call_t *call = NULL, *next = NULL;
    DL_FOREACH_SAFE(session->calls, call, next) {
        bool lasting = call->kind == EVENT_SEND_MESSAGE || call->kind == EVENT_MARK_READ;
        self->ops->drop_ack(self->ctx, &call->ack);
        if (lasting)
            detach(call);
        else
            end_call(call);
    }
}

/* ---- what brokers answer ---- */

static void answer_stored(call_t *call, str_t message) {
    gateway_core_t *self = call->request.core;
    metrics_observe(self->config.metrics, METRIC_SEND_SECONDS, 0,
                    (double)(core_now(self) - call->started_ms) / 1000.0);
    strbuf_clear(&self->text);
    replies_message(&self->text, message);
    answer_call(call, strbuf_str(&self->text));
}

static member_t *member_of(const call_t *call) {
    const rooms_t *rooms = call->request.core->rooms;
    return call->session ? rooms_member_of(rooms, call->room, call->session->number) : NULL;
}

static err_t on_stored(call_t *call, const envelope_t *reply) {
    gateway_core_t *self = call->request.core;
    proto_stored_t stored;
    err_t err = proto_stored_decode(reply->body, self->arena, &stored);
    if (err)
        return err;
    answer_stored(call, stored.message);
    member_t *member = member_of(call);
    if (member)
        rooms_own(self->rooms, member, stored.seq);
    return OK;
}

static err_t on_read_marked(call_t *call, const envelope_t *reply) {
    gateway_core_t *self = call->request.core;
    proto_read_marked_t marked;
    err_t err = proto_read_marked_decode(reply->body, self->arena, &marked);
    if (err)
        return err;
    strbuf_clear(&self->text);
    replies_read_marked(&self->text, marked.seq, (int64_t)marked.read_at_ms);
    answer_call(call, strbuf_str(&self->text));
    member_t *member = member_of(call);
    if (member && marked.read_at_ms > member->read_ms)
        member->read_ms = marked.read_at_ms;
    return OK;
}

static err_t on_refreshed(call_t *call, const envelope_t *reply) {
    gateway_core_t *self = call->request.core;
    core_failure_t failure = core_connect_refreshed(self, call->session, reply);
    if (failure.code != CODE_OK) {
        fail_call(call, &failure);
        return OK;
    }
    strbuf_clear(&self->text);
    replies_token(&self->text, call->session->expires_at_ms);
    answer_call(call, strbuf_str(&self->text));
    return OK;
}

static err_t on_done(call_t *call, const envelope_t *reply) {
    gateway_core_t *self = call->request.core;
    (void)reply;
    strbuf_clear(&self->text);
    replies_done(&self->text);
    answer_call(call, strbuf_str(&self->text));
    return OK;
}

static void on_reply_of(void *arg, err_t err, const envelope_t *reply, uint16_t type,
                        err_t (*handle)(call_t *, const envelope_t *)) {
    call_t *call = arg;
    gateway_core_t *self = call->request.core;
    core_failure_t failure;
    core_request_end(&call->request);
    if (!core_reply_ok(self, err, reply, type, &failure)) {
        fail_call(call, &failure);
    } else if (handle(call, reply)) {
        core_count(self, METRIC_BUS_MALFORMED, 0);
        failure = core_failure(CODE_INTERNAL, NULL);
        fail_call(call, &failure);
    }
    end_call(call);
}

static void reply_to_send(void *arg, err_t err, const envelope_t *reply) {
    on_reply_of(arg, err, reply, MSG_STORED, on_stored);
}

static void reply_to_mark_read(void *arg, err_t err, const envelope_t *reply) {
    on_reply_of(arg, err, reply, MSG_READ_MARKED, on_read_marked);
}

static void reply_to_typing(void *arg, err_t err, const envelope_t *reply) {
    on_reply_of(arg, err, reply, MSG_DONE, on_done);
}

static void reply_to_refresh(void *arg, err_t err, const envelope_t *reply) {
    on_reply_of(arg, err, reply, MSG_IDENTITY, on_refreshed);
}

/* ---- a message that comes before the answer of the SEND that it is ---- */

static bool is_send_of(const call_t *call, str_t room, str_t client_id) {
    return call->kind == EVENT_SEND_MESSAGE && str_eq(call->room, room) &&
           (!client_id.p || str_eq(call->client_id, client_id));
}

static bool has_send(const session_t *session, str_t room) {
    const call_t *call = NULL;
    DL_FOREACH(session->calls, call) {
        if (is_send_of(call, room, (str_t){0}))
            return true;
    }
    return false;
}

static bool claim_by_client_id(member_t *member, str_t client_id, str_t message) {
    call_t *call = NULL, *next = NULL;
    bool claimed = false;
    DL_FOREACH_SAFE(member->session->calls, call, next) {
        if (!is_send_of(call, room_name(member->room), client_id))
            continue;
        core_count(call->request.core, METRIC_MESSAGES_CLAIMED, 0);
        answer_stored(call, message);
        end_call(call);
        claimed = true;
    }
    return claimed;
}

bool core_calls_claim(void *ctx, member_t *member, const room_message_t *message) {
    (void)ctx;
    static const json_limits_t limits = {
        .max_bytes = SIZE_MAX, .max_depth = JSON_DEPTH_DEFAULT, .max_values = JSON_VALUES_DEFAULT};
    str_t own_id = user_id_of(member->session->user);
    str_t sender = {0}, client_id = {0};
    json_doc_t *doc = NULL;
    bool may_be_own = message->sender.n == 0 || str_eq(message->sender, own_id);
    if (!may_be_own || !has_send(member->session, room_name(member->room)) ||
        json_doc_new(message->text, &limits, &doc))
        return false;
    const json_value_t *root = json_doc_root(doc);
    bool own = json_get_string(root, "senderId", 1, SIZE_MAX, &sender) == JSON_FIELD_OK &&
               json_get_string(root, "clientId", 1, SIZE_MAX, &client_id) == JSON_FIELD_OK &&
               str_eq(sender, own_id);
    bool claimed = own && claim_by_client_id(member, client_id, message->text);
    json_doc_free(&doc);
    return claimed;
}

/* ---- events ---- */

/* Makes the call's request with self->body; fails the call when the bus takes no more. */
static void ask(call_t *call, uint32_t timeout_ms, dialer_reply_fn on_reply) {
    gateway_core_t *self = call->request.core;
    envelope_t envelope =
        core_envelope(self, events_rule(call->kind)->request, call->room, call->session);
    envelope.trace = call->ack.trace;
    core_asking_t asking = {.broker = brokers_of_room(self->config.brokers, call->room),
                            .timeout_ms = timeout_ms,
                            .envelope = &envelope,
                            .on_reply = on_reply};
    if (core_request(self, &call->request, &asking))
        return;
    core_failure_t failure = core_busy(self, BUSY_BUS);
    fail_call(call, &failure);
    end_call(call);
}

/* A write waits for its turn among no more than max_writes: how many wait is how long they do. */
static void ask_write(call_t *call, dialer_reply_fn on_reply) {
    gateway_core_t *self = call->request.core;
    if (link_of(call)->writes >= self->config.max_writes) {
        core_failure_t failure = core_busy(self, BUSY_WRITES);
        fail_call(call, &failure);
        end_call(call);
        return;
    }
    call->is_write = true;
    link_of(call)->writes++;
    ask(call, GATEWAY_WRITE_TIMEOUT_MS, on_reply);
}

static void send_message(call_t *call, const event_payload_t *payload) {
    gateway_core_t *self = call->request.core;
    const user_t *user = call->session->user;
    proto_send_t send = {
        .text = payload->text,
        .client_id = payload->client_id,
        .reply_to = payload->reply_to,
        .name = str_from(user->name),
        .role = str_from(user->role),
        .socket_id = session_sid(call->session),
    };
    strbuf_clear(&self->body);
    proto_send_encode(&send, &self->body);
    ask_write(call, reply_to_send);
}

/* The start of typing is a hint, and left out before any message is: once half of what may wait
 * for the broker, or of this socket's events, does. */
static bool is_left_out(const call_t *call) {
    const gateway_core_t *self = call->request.core;
    if (call->kind != EVENT_TYPING)
        return false;
    return call->session->request_count > self->config.max_requests_per_session / 2 ||
           link_of(call)->writes > self->config.max_writes / 2 ||
           self->ops->is_busy(self->ctx, brokers_of_room(self->config.brokers, call->room));
}

static void type(call_t *call) {
    gateway_core_t *self = call->request.core;
    if (is_left_out(call)) {
        core_failure_t failure = core_busy(self, BUSY_HINT);
        fail_call(call, &failure);
        end_call(call);
        return;
    }
    proto_typing_t typing = {.on = call->kind == EVENT_TYPING};
    strbuf_clear(&self->body);
    proto_typing_encode(&typing, &self->body);
    ask(call, GATEWAY_TYPING_TIMEOUT_MS, reply_to_typing);
}

static void mark_read(call_t *call, const event_payload_t *payload) {
    gateway_core_t *self = call->request.core;
    proto_mark_read_t mark = {.seq = payload->seq};
    if (payload->present & FIELD_SEQ)
        mark.present = UINT64_C(1) << 1;
    strbuf_clear(&self->body);
    proto_mark_read_encode(&mark, &self->body);
    ask_write(call, reply_to_mark_read);
}

static void refresh_token(call_t *call, const event_payload_t *payload) {
    core_verification_t verification = {payload->token, call->ack.trace, reply_to_refresh};
    if (core_connect_verify(call->request.core, &call->request, &verification))
        return;
    core_failure_t failure = core_busy(call->request.core, BUSY_BUS);
    fail_call(call, &failure);
    end_call(call);
}

/* For a message without a clientId: one that no other can have. Valid until the next call. */
static str_t make_client_id(gateway_core_t *self) {
    snprintf(self->client_id, sizeof(self->client_id), "%016" PRIx64 "-%" PRIx64,
             self->config.incarnation, ++self->last_client_id);
    return str_from(self->client_id);
}

static void dispatch(gateway_core_t *self, session_t *session, event_kind_t kind,
                     event_payload_t *payload, gateway_ack_t *ack) {
    if (kind == EVENT_JOIN_CONVERSATION) {
        core_join_event(self, session, payload, ack);
        return;
    }
    if (kind == EVENT_LEAVE_CONVERSATION) {
        core_leave_event(self, session, payload, ack);
        return;
    }
    if (kind == EVENT_SEND_MESSAGE && !(payload->present & FIELD_CLIENT_ID))
        payload->client_id = make_client_id(self);
    call_t *call = add_call(self, session, kind, payload);
    call->ack = *ack;
    *ack = (gateway_ack_t){0};
    if (kind == EVENT_SEND_MESSAGE)
        send_message(call, payload);
    else if (kind == EVENT_MARK_READ)
        mark_read(call, payload);
    else if (kind == EVENT_REFRESH_TOKEN)
        refresh_token(call, payload);
    else
        type(call);
}

/* Whether the event may be looked into at all. */
static bool may_ask(gateway_core_t *self, session_t *session, event_kind_t kind,
                    core_failure_t *failure_out) {
    int64_t retry_after_ms = 0;
    if (!rates_take(&self->config.rates, &session->rates, &session->user->rates,
                    events_rule(kind)->rate, core_now(self), &retry_after_ms)) {
        core_count(self, METRIC_RATE_LIMITED, kind);
        *failure_out = core_failure(CODE_RATE_LIMITED, NULL);
        failure_out->retry_after_ms = (uint64_t)retry_after_ms;
        return false;
    }
    if (session->request_count >= self->config.max_requests_per_session) {
        *failure_out = core_busy(self, BUSY_SOCKET);
        return false;
    }
    return true;
}

void gateway_core_event(gateway_core_t *self, session_t *session, const gateway_event_t *event) {
    event_kind_t kind = events_kind(event->name);
    gateway_ack_t ack = event->ack;
    core_question_t question = {.session = session, .kind = kind, .name = event->name, .ack = &ack};
    core_failure_t failure;
    event_payload_t payload;
    event_fault_t fault;
    core_count(self, METRIC_EVENTS_IN, kind);
    if (session->closing) {
        self->ops->drop_ack(self->ctx, &ack);
    } else if (!may_ask(self, session, kind, &failure)) {
        core_fail(self, &question, &failure);
    } else if (events_decode(kind, event->array, &payload, &fault)) {
        failure = core_failure(CODE_INVALID_PAYLOAD, fault.text);
        core_fail(self, &question, &failure);
    } else {
        dispatch(self, session, kind, &payload, &ack);
        events_payload_fini(&payload);
    }
}
