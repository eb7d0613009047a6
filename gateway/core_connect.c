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
    str_t pid, offset;           /* of the session to go on with, in `texts` */
    char texts[];
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
void core_connect_turn_away(gateway_core_t *self, void *connect) {
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
        core_connect_turn_away(self, connect->connect);
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

/* ---- ids ---- */

static const char sid_characters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void new_sid(gateway_core_t *self, session_t *session) {
    unsigned char bytes[SESSIONS_SID_BYTES];
    self->ops->random(self->ctx, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        session->sid[i] = sid_characters[bytes[i] & 63];
}

/* The pid of the session, in self->text until that changes; empty without recovery. */
static str_t new_pid(gateway_core_t *self, const session_t *session) {
    unsigned char nonce[RECOVERY_NONCE_BYTES];
    strbuf_clear(&self->text);
    if (!self->config.recovery)
        return (str_t){0};
    self->ops->random(self->ctx, nonce, sizeof(nonce));
    recovery_identity_t identity = {.sid = session_sid(session),
                                    .user_id = user_id_of(session->user),
                                    .issued_at_ms = self->ops->unix_ms(self->ctx)};
    recovery_token_seal(self->config.recovery, nonce, &identity, &self->text);
    return strbuf_str(&self->text);
}

/* ---- letting in ---- */

bool core_connect_accept(gateway_core_t *self, session_t *session, void *connect) {
    new_sid(self, session);
    session->socket = self->ops->accept(self->ctx, connect, session);
    if (!session->socket) {
        core_count(self, METRIC_CONNECTS, CONNECT_GONE);
        return false;
    }
    core_count(self, METRIC_CONNECTS, CONNECT_ACCEPTED);
    int64_t now_ms = self->ops->unix_ms(self->ctx);
    session->changes_ms =
        now_ms > GATEWAY_CHANGES_MARGIN_MS ? (uint64_t)(now_ms - GATEWAY_CHANGES_MARGIN_MS) : 0;
    self->ops->reply(self->ctx, session->socket, new_pid(self, session));
    core_position_due(self, session);
    return true;
}

static bool wants_recovery(const core_connect_t *connect, str_t user_id, strbuf_t *plain,
                           recovery_claim_t *claim_out) {
    gateway_core_t *self = connect->request.core;
    claim_out->pid = connect->pid;
    return self->config.recovery && connect->pid.n &&
           core_recovery_check(self, user_id, connect->offset, plain, claim_out);
}

static void let_in(core_connect_t *connect, const proto_identity_t *identity) {
    gateway_core_t *self = connect->request.core;
    sessions_identity_t who = {identity->user_id, identity->name, identity->role};
    recovery_claim_t claim;
    strbuf_t plain = {0};
    bool changed = false;
    session_t *session = sessions_add(self->sessions, &who, &connect->address, &changed);
    if (!session) {
        core_count(self, METRIC_CONNECTIONS_LIMITED, LIMIT_USER);
        refuse(self, connect->connect, CODE_RATE_LIMITED);
        return;
    }
    session->context = connect->context;
    if (wants_recovery(connect, identity->user_id, &plain, &claim)) {
        set_expiry(self, session, (int64_t)identity->expires_at_ms);
        open_session(self, session, changed); /* nothing is missed behind what is read then */
        core_recovery_start(self, session, connect->connect, &claim);
    } else if (core_connect_accept(self, session, connect->connect)) {
        set_expiry(self, session, (int64_t)identity->expires_at_ms);
        open_session(self, session, changed);
    } else {
        sessions_remove(self->sessions, session);
    }
    strbuf_fini(&plain);
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
            core_connect_turn_away(self, connect->connect);
    } else if (!decode_identity(self, reply, &identity)) {
        core_connect_turn_away(self, connect->connect);
    } else if ((int64_t)identity.expires_at_ms <= self->ops->unix_ms(self->ctx)) {
        refuse(self, connect->connect, CODE_TOKEN_EXPIRED);
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

/* What is too long to be ours isn't kept. */
static str_t keep(str_t text, size_t max, char **to) {
    if (text.n == 0 || text.n > max)
        return (str_t){0};
    memcpy(*to, text.p, text.n);
    *to += text.n;
    return (str_t){*to - text.n, text.n};
}

static core_connect_t *add_connect(gateway_core_t *self, void *connect_in,
                                   const gateway_hello_t *hello) {
    core_connect_t *connect =
        xcalloc(1, sizeof(*connect) + (hello->pid.n <= RECOVERY_PID_MAX ? hello->pid.n : 0) +
                       (hello->offset.n <= RECOVERY_OFFSET_MAX ? hello->offset.n : 0));
    char *to = connect->texts;
    connect->connect = connect_in;
    connect->pid = keep(hello->pid, RECOVERY_PID_MAX, &to);
    connect->offset = keep(hello->offset, RECOVERY_OFFSET_MAX, &to);
    connect->request.core = self;
    DL_APPEND(self->connects, connect);
    self->connect_count++;
    return connect;
}

void gateway_core_connect(gateway_core_t *self, void *connect_in, const gateway_hello_t *hello) {
    if (self->draining) {
        core_connect_turn_away(self, connect_in);
        return;
    }
    if (hello->token.n == 0 || hello->token.n > EVENTS_TOKEN_MAX) {
        refuse(self, connect_in, CODE_UNAUTHORIZED);
        return;
    }
    address_t *address = sessions_take_address(self->sessions, hello->address);
    if (!address) {
        core_count(self, METRIC_CONNECTIONS_LIMITED, LIMIT_ADDRESS);
        refuse(self, connect_in, CODE_RATE_LIMITED);
        return;
    }
    core_connect_t *connect = add_connect(self, connect_in, hello);
    connect->address = address;
    connect->context = hello->context;
    core_verification_t verification = {hello->token, hello->context.trace, on_verified};
    if (!core_connect_verify(self, &connect->request, &verification)) {
        core_connect_turn_away(self, connect_in);
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
    if (session->recovery)
        core_recovery_drop(session->recovery);
    while (session->members)
        core_leave(self, session->members, NULL);
    core_calls_abandon(self, session);
    deadline_remove(&self->session_deadlines, &session->deadline);
    core_position_forget(self, session);
    strbuf_clear(&self->body);
    proto_leave_encode(&(proto_leave_t){0}, &self->body);
    envelope_t envelope =
        core_envelope(self, MSG_LEAVE, core_user_room(self, user_id_of(user)), session);
    (void)!self->ops->post(self->ctx, user->broker, &envelope);
    ASSERT(session->request_count == 0);
    sessions_remove(self->sessions, session);
}
