/* Tokens, new sessions and their end. */
#include <utlist.h>

#include "common/ids.h"
#include "gateway/core_state.h"

/* A client whose token is being checked. */
struct core_connect {
    core_request_t request;
    void *connect;
    address_t *address;
    trace_context_t context;
    core_connect_t *prev, *next; /* in core->connects */
};

/* A USER_SEEN on its way. The user may go meanwhile. */
typedef struct {
    core_request_t request;
    uint8_t id_bytes;
    char id[IDS_USER_MAX];
} user_seen_t;

/* ---- refusing ---- */

static void refuse(gateway_core_t *self, void *connect, code_t code) {
    const char *message = code == CODE_RATE_LIMITED ? "Too many connections" : "Unauthorized";
    strbuf_clear(&self->text);
    replies_connect_error(&self->text, code);
    core_count(self, METRIC_CONNECTS,
               code == CODE_RATE_LIMITED    ? CONNECT_LIMITED
               : code == CODE_TOKEN_EXPIRED ? CONNECT_EXPIRED
                                            : CONNECT_UNAUTHORIZED);
    self->ops->refuse(self->ctx, connect, str_from(message), strbuf_str(&self->text));
}

/* The client tries again by itself. */
static void turn_away(gateway_core_t *self, void *connect) {
    core_count(self, METRIC_CONNECTS, CONNECT_UNAVAILABLE);
    self->ops->close_connect(self->ctx, connect);
}

static void end_connect(core_connect_t *connect) {
    gateway_core_t *self = connect->request.core;
    core_request_cancel(&connect->request);
    sessions_give_back_address(self->sessions, &connect->address);
    DL_DELETE(self->connects, connect);
    self->connect_count--;
    free(connect);
}

void core_connect_refuse_all(gateway_core_t *self) {
    core_connect_t *connect = NULL, *next = NULL;
    DL_FOREACH_SAFE(self->connects, connect, next) {
        turn_away(self, connect->connect);
        end_connect(connect);
    }
}

/* ---- USER_SEEN ---- */

static void send_user_seen(gateway_core_t *self, user_t *user);

static void on_user_seen(void *arg, err_t err, const envelope_t *reply) {
    user_seen_t *seen = arg;
    gateway_core_t *self = seen->request.core;
    core_failure_t failure;
    core_request_end(&seen->request);
    bool done = core_reply_ok(self, err, reply, MSG_DONE, &failure);
    user_t *user = sessions_find_user(self->sessions, (str_t){seen->id, seen->id_bytes});
    free(seen);
    if (!user)
        return;
    user->seen_pending = false;
    /* One that failed is repeated only with the user's next session: the request itself was
     * repeated as long as its time lasted, and joining and sending make the user known too. */
    if (done && user->seen_stale)
        send_user_seen(self, user);
}

static void send_user_seen(gateway_core_t *self, user_t *user) {
    user_seen_t *seen = xcalloc(1, sizeof(*seen));
    proto_user_seen_t body = {.name = str_from(user->name), .role = str_from(user->role)};
    seen->id_bytes = user->id_bytes;
    memcpy(seen->id, user->id, user->id_bytes);
    strbuf_clear(&self->body);
    proto_user_seen_encode(&body, &self->body);
    envelope_t envelope =
        core_envelope(self, MSG_USER_SEEN, core_user_room(self, user_id_of(user)), NULL);
    envelope.user = user_id_of(user);
    user->seen_stale = false;
    user->seen_pending = core_request(self, &seen->request,
                                      &(core_asking_t){.broker = user->broker,
                                                       .timeout_ms = GATEWAY_USER_SEEN_TIMEOUT_MS,
                                                       .envelope = &envelope,
                                                       .on_reply = on_user_seen});
    if (!user->seen_pending) {
        user->seen_stale = true;
        free(seen);
    }
}

static void user_seen(gateway_core_t *self, user_t *user, bool changed) {
    user->seen_stale |= changed;
    if (user->seen_stale && !user->seen_pending)
        send_user_seen(self, user);
}

/* ---- letting in ---- */

static bool decode_identity(gateway_core_t *self, const envelope_t *reply,
                            proto_identity_t *identity_out) {
    if (proto_identity_decode(reply->body, self->arena, identity_out) == OK &&
        ids_is_user(identity_out->user_id))
        return true;
    core_count(self, METRIC_BUS_MALFORMED, 0);
    return false;
}

/* When the token's time is over on the monotonic clock. */
static void set_expiry(gateway_core_t *self, session_t *session, int64_t expires_at_ms) {
    int64_t left_ms = expires_at_ms - self->ops->unix_ms(self->ctx);
    int64_t now_ms = core_now(self);
    session->expires_at_ms = expires_at_ms;
    if (self->draining || session->closing)
        return;
    deadline_add(&self->session_deadlines, &session->deadline,
                 left_ms < INT64_MAX - now_ms ? now_ms + left_ms : INT64_MAX);
}

static void open_session(gateway_core_t *self, session_t *session, bool changed) {
    user_t *user = session->user;
    str_t room = core_user_room(self, user_id_of(user));
    user->broker = brokers_of_room(self->config.brokers, room);
    strbuf_clear(&self->body);
    proto_subscribe_encode(&(proto_subscribe_t){0}, &self->body);
    envelope_t envelope = core_envelope(self, MSG_SUBSCRIBE, room, session);
    /* Without a link nothing is lost: all sessions are sent when it comes up. */
    (void)!self->ops->post(self->ctx, user->broker, &envelope);
    user_seen(self, user, changed);
}

static void let_in(core_connect_t *connect, const proto_identity_t *identity) {
    gateway_core_t *self = connect->request.core;
    sessions_identity_t who = {identity->user_id, identity->name, identity->role};
    bool changed = false;
    if ((int64_t)identity->expires_at_ms <= self->ops->unix_ms(self->ctx)) {
        refuse(self, connect->connect, CODE_TOKEN_EXPIRED);
        return;
    }
    session_t *session = sessions_add(self->sessions, &who, &connect->address, &changed);
    if (!session) {
        core_count(self, METRIC_CONNECTIONS_LIMITED, LIMIT_USER);
        refuse(self, connect->connect, CODE_RATE_LIMITED);
        return;
    }
    session->context = connect->context;
    session->socket = self->ops->accept(self->ctx, connect->connect, session);
    if (!session->socket) {
        core_count(self, METRIC_CONNECTS, CONNECT_GONE);
        sessions_remove(self->sessions, session);
        return;
    }
    core_count(self, METRIC_CONNECTS, CONNECT_ACCEPTED);
    set_expiry(self, session, (int64_t)identity->expires_at_ms);
    open_session(self, session, changed);
}

static void on_verified(void *arg, err_t err, const envelope_t *reply) {
    core_connect_t *connect = arg;
    gateway_core_t *self = connect->request.core;
    core_failure_t failure;
    proto_identity_t identity;
    core_request_end(&connect->request);
    if (!core_reply_ok(self, err, reply, MSG_IDENTITY, &failure)) {
        if (failure.code == CODE_UNAUTHORIZED || failure.code == CODE_TOKEN_EXPIRED)
            refuse(self, connect->connect, failure.code);
        else
            turn_away(self, connect->connect);
    } else if (!decode_identity(self, reply, &identity)) {
        turn_away(self, connect->connect);
    } else {
        let_in(connect, &identity);
    }
    end_connect(connect);
}

bool core_connect_verify(gateway_core_t *self, core_request_t *request,
                         const core_verification_t *verification) {
    strbuf_clear(&self->body);
    proto_auth_verify_encode(&(proto_auth_verify_t){.token = verification->token}, &self->body);
    envelope_t envelope = core_envelope(self, MSG_AUTH_VERIFY, (str_t){0}, NULL);
    envelope.trace = verification->trace;
    return core_request(self, request,
                        &(core_asking_t){.broker = core_any_broker(self),
                                         .timeout_ms = GATEWAY_AUTH_TIMEOUT_MS,
                                         .envelope = &envelope,
                                         .on_reply = verification->on_reply});
}

void gateway_core_connect(gateway_core_t *self, void *connect_in, str_t token, str_t address_in,
                          const trace_context_t *context) {
    if (self->draining) {
        turn_away(self, connect_in);
        return;
    }
    if (token.n == 0 || token.n > EVENTS_TOKEN_MAX) {
        refuse(self, connect_in, CODE_UNAUTHORIZED);
        return;
    }
    address_t *address = sessions_take_address(self->sessions, address_in);
    if (!address) {
        core_count(self, METRIC_CONNECTIONS_LIMITED, LIMIT_ADDRESS);
        refuse(self, connect_in, CODE_RATE_LIMITED);
        return;
    }
    core_connect_t *connect = xcalloc(1, sizeof(*connect));
    connect->connect = connect_in;
    connect->address = address;
    connect->context = *context;
    DL_APPEND(self->connects, connect);
    self->connect_count++;
    connect->request.core = self;
    core_verification_t verification = {token, context->trace, on_verified};
    if (!core_connect_verify(self, &connect->request, &verification)) {
        turn_away(self, connect_in);
        end_connect(connect);
    }
}

/* ---- a newer token ---- */

core_failure_t core_connect_refreshed(gateway_core_t *self, session_t *session,
                                      const envelope_t *reply) {
    proto_identity_t identity;
    if (!decode_identity(self, reply, &identity))
        return core_failure(CODE_INTERNAL, NULL);
    if (!str_eq(identity.user_id, user_id_of(session->user)))
        return core_failure(CODE_FORBIDDEN, "the token is another user's");
    if ((int64_t)identity.expires_at_ms <= self->ops->unix_ms(self->ctx))
        return core_failure(CODE_TOKEN_EXPIRED, NULL);
    if ((int64_t)identity.expires_at_ms > session->expires_at_ms)
        set_expiry(self, session, (int64_t)identity.expires_at_ms);
    sessions_identity_t who = {identity.user_id, identity.name, identity.role};
    user_seen(self, session->user, sessions_rename(session->user, &who));
    return (core_failure_t){.code = CODE_OK};
}

/* ---- the end ---- */

void gateway_core_disconnect(gateway_core_t *self, session_t *session) {
    user_t *user = session->user;
    session->closing = true;
    while (session->members)
        core_leave(self, session->members, NULL);
    core_calls_abandon(self, session);
    deadline_remove(&self->session_deadlines, &session->deadline);
    strbuf_clear(&self->body);
    proto_leave_encode(&(proto_leave_t){0}, &self->body);
    envelope_t envelope =
        core_envelope(self, MSG_LEAVE, core_user_room(self, user_id_of(user)), session);
    (void)!self->ops->post(self->ctx, user->broker, &envelope);
    ASSERT(session->request_count == 0);
    sessions_remove(self->sessions, session);
}
