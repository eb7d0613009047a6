/* Sessions that go on where they were, without anybody's memory of them: the pid says whose and
 * which, the offset what it had, the token whether it may, the database what is missing. Until all
 * of it is read the session has no socket; its joins wait, so that nothing live reaches it. What
 * can't be done within the limits becomes a new session.
 *
 * Everything here only notes what it learns; the flush at the end of the turn acts. */
#include <utlist.h>

#include "gateway/core_state.h"

/* Why it becomes a new session after all. */
typedef enum { GOING_ON = 0, FAILED, ABORTED } recovery_state_t;

struct recovery {
    core_request_t request; /* CHANGES */
    session_t *session;
    void *connect;
    recovery_state_t state;
    recovery_outcome_t outcome; /* once FAILED */
    size_t unanswered;          /* joins, and CHANGES */
    size_t messages, bytes;     /* of the answers */
    unsigned rounds;            /* CHANGES asked */
    bool stale;                 /* what CHANGES told isn't all any more … */
    bool stale_members;         /* … of who is in what */
    bool due;
    int64_t started_ms;
    deadline_t deadline;
    recovery_t *prev, *next;         /* in core->recoveries */
    recovery_t *due_prev, *due_next; /* in core->recoveries_due */
    char *changed;                   /* CHANGED, as it came; NULL: not yet */
    size_t changed_bytes;
    recovery_offset_t offset; /* of `texts` */
    size_t pid_bytes;
    char texts[]; /* pid, sid, offset's texts */
};

/* ---- may it? ---- */

static uint64_t digest_of(str_t sid) {
    uint64_t digest = siphash(sid);
    return digest ? digest : 1;
}

void gateway_core_left(gateway_core_t *self, const session_t *session) {
    self->left[self->left_next++ % GATEWAY_RECOVERY_LEFT_MAX] = digest_of(session_sid(session));
}

static bool has_left(const gateway_core_t *self, str_t sid) {
    uint64_t digest = digest_of(sid);
    for (size_t i = 0; i < GATEWAY_RECOVERY_LEFT_MAX; i++) {
        if (self->left[i] == digest)
            return true;
    }
    return false;
}

static bool is_generation(const gateway_core_t *self, str_t generation) {
    str_t known = str_from(self->generation);
    if (known.n > RECOVERY_GENERATION_MAX)
        known.n = RECOVERY_GENERATION_MAX;
    /* None: the gateway of then had not heard of any yet. */
    return !known.p || generation.n == 0 || str_eq(known, generation);
}

static bool is_pid_of(gateway_core_t *self, str_t user_id, strbuf_t *plain,
                      recovery_claim_t *claim) {
    int64_t now_ms = self->ops->unix_ms(self->ctx);
    const recovery_identity_t *identity = &claim->identity;
    return recovery_token_open(self->config.recovery, claim->pid, plain, &claim->identity) == OK &&
           identity->sid.n == SESSIONS_SID_BYTES && str_eq(identity->user_id, user_id) &&
           identity->issued_at_ms > now_ms - GATEWAY_RECOVERY_AGE_MS;
}

static recovery_outcome_t judge(gateway_core_t *self, str_t user_id, str_t offset, strbuf_t *plain,
                                recovery_claim_t *claim) {
    if (!is_pid_of(self, user_id, plain, claim))
        return RECOVERY_BAD_PID;
    if (has_left(self, claim->identity.sid))
        return RECOVERY_ENDED;
    err_t err = recovery_offset_parse(offset, &claim->offset);
    if (err)
        return err == ERR_LIMIT ? RECOVERY_TOO_MUCH : RECOVERY_BAD_OFFSET;
    return is_generation(self, claim->offset.generation) ? RECOVERY_DONE : RECOVERY_GENERATION;
}

bool core_recovery_check(gateway_core_t *self, str_t user_id, str_t offset, strbuf_t *plain,
                         recovery_claim_t *claim) {
    recovery_outcome_t outcome = judge(self, user_id, offset, plain, claim);
    if (outcome != RECOVERY_DONE)
        core_count(self, METRIC_RECOVERIES, outcome);
    return outcome == RECOVERY_DONE;
}

/* ---- what is learned ---- */

static void check_due(recovery_t *self) {
    gateway_core_t *core = self->request.core;
    if (self->due || (self->state == GOING_ON && self->unanswered > 0))
        return;
    self->due = true;
    DL_APPEND2(core->recoveries_due, self, due_prev, due_next);
}

static void fail(recovery_t *self, recovery_outcome_t outcome) {
    if (self->state == GOING_ON) {
        self->state = FAILED;
        self->outcome = outcome;
    }
    check_due(self);
}

void core_recovery_abort(recovery_t *self) {
    self->state = ABORTED;
    check_due(self);
}

void core_recovery_changed(recovery_t *self, bool membership) {
    self->stale = true;
    self->stale_members |= membership;
}

void core_recovery_unasked(recovery_t *self) {
    ASSERT(self->unanswered > 0);
    self->unanswered--;
    check_due(self);
}

void core_recovery_refused(recovery_t *self, code_t code) {
    self->unanswered--;
    if (code == CODE_FORBIDDEN)
        core_recovery_changed(self, true); /* it was removed, perhaps since CHANGES was read */
    else
        fail(self, RECOVERY_UNAVAILABLE);
    check_due(self);
}

void core_recovery_joined(recovery_t *self, const proto_conversation_t *conversation,
                          size_t bytes) {
    size_t n = conversation->messages.n;
    self->unanswered--;
    self->messages += n + conversation->readers.n;
    self->bytes += bytes + (n + conversation->readers.n) * RECOVERY_OFFSET_MAX / 2;
    if (!is_generation(self->request.core, self->offset.generation))
        fail(self, RECOVERY_GENERATION);
    else if (conversation->reset || conversation->truncated ||
             self->messages > GATEWAY_RECOVERY_MESSAGES_MAX ||
             self->bytes > GATEWAY_RECOVERY_BYTES_MAX)
        fail(self, RECOVERY_TOO_MUCH);
    check_due(self);
}

static err_t take_changed(recovery_t *self, str_t body) {
    gateway_core_t *core = self->request.core;
    proto_changed_t changed;
    if (proto_changed_decode(body, core->arena, &changed) ||
        changed.events.n != changed.conversations.n || changed.events.n != changed.payloads.n ||
        changed.events.n != changed.at_ms.n)
        return ERR_INVALID;
    core_check_generation(core, changed.generation);
    if (!is_generation(core, self->offset.generation))
        fail(self, RECOVERY_GENERATION);
    if (changed.truncated)
        fail(self, RECOVERY_TOO_MUCH);
    free(self->changed);
    self->changed = xmalloc(body.n + 1);
    memcpy(self->changed, body.p, body.n);
    self->changed_bytes = body.n;
    return OK;
}

static void on_changed(void *arg, err_t err, const envelope_t *reply) {
    recovery_t *self = arg;
    core_failure_t failure;
    core_request_end(&self->request);
    self->unanswered--;
    if (!core_reply_ok(self->request.core, err, reply, MSG_CHANGED, &failure))
        fail(self, RECOVERY_UNAVAILABLE);
    else if (take_changed(self, reply->body)) {
        core_count(self->request.core, METRIC_BUS_MALFORMED, 0);
        fail(self, RECOVERY_UNAVAILABLE);
    }
    check_due(self);
}

/* ---- asking ---- */

static void ask_changes(recovery_t *self) {
    gateway_core_t *core = self->request.core;
    const user_t *user = self->session->user;
    self->rounds++;
    self->stale = self->stale_members = false;
    strbuf_clear(&core->body);
    proto_changes_encode(&(proto_changes_t){.since_ms = self->offset.changes_ms}, &core->body);
    envelope_t envelope =
        core_envelope(core, MSG_CHANGES, core_user_room(core, user_id_of(user)), self->session);
    self->unanswered++;
    if (core_request(
            core, &self->request,
            &(core_asking_t){.broker = brokers_of_room(core->config.brokers, envelope.room),
                             .timeout_ms = GATEWAY_RECOVERY_TIMEOUT_MS,
                             .envelope = &envelope,
                             .on_reply = on_changed}))
        return;
    self->unanswered--;
    fail(self, RECOVERY_UNAVAILABLE);
}

/* The client is here now: its other connections can only be dead ones. */
static void close_others(gateway_core_t *self, const session_t *session) {
    session_t *other = NULL;
    DL_FOREACH2(session->user->sessions, other, user_next) {
        if (other != session && memcmp(other->sid, session->sid, SESSIONS_SID_BYTES) == 0)
            core_close(self, other, GATEWAY_CLOSE_RECOVERED);
    }
}

static str_t copy_text(char **to, str_t text) {
    if (text.n)
        memcpy(*to, text.p, text.n);
    *to += text.n;
    return (str_t){*to - text.n, text.n};
}

static recovery_t *new_recovery(gateway_core_t *core, const recovery_claim_t *claim) {
    size_t n = claim->pid.n + claim->offset.generation.n;
    for (size_t i = 0; i < claim->offset.n; i++)
        n += claim->offset.rooms[i].name.n;
    recovery_t *self = xcalloc(1, sizeof(*self) + n);
    char *to = self->texts;
    self->request.core = core;
    self->pid_bytes = claim->pid.n;
    copy_text(&to, claim->pid);
    self->offset = claim->offset;
    self->offset.generation = copy_text(&to, claim->offset.generation);
    for (size_t i = 0; i < claim->offset.n; i++)
        self->offset.rooms[i].name = copy_text(&to, claim->offset.rooms[i].name);
    return self;
}

void core_recovery_start(gateway_core_t *core, session_t *session, void *connect,
                         const recovery_claim_t *claim) {
    recovery_t *self = new_recovery(core, claim);
    self->session = session;
    self->connect = connect;
    self->started_ms = core_now(core);
    session->recovery = self;
    memcpy(session->sid, claim->identity.sid.p, SESSIONS_SID_BYTES);
    DL_APPEND(core->recoveries, self);
    core->connect_count++;
    deadline_add(&core->recovery_deadlines, &self->deadline,
                 self->started_ms + GATEWAY_RECOVERY_TIMEOUT_MS);
    close_others(core, session);
    ask_changes(self);
    for (size_t i = 0; i < self->offset.n && self->state == GOING_ON; i++) {
        self->unanswered++;
        if (core_join_recover(core, session, &self->offset.rooms[i]))
            continue;
        self->unanswered--;
        fail(self, RECOVERY_TOO_MUCH);
    }
}

/* ---- the end ---- */

static void end(recovery_t *self) {
    gateway_core_t *core = self->request.core;
    core_request_cancel(&self->request);
    deadline_remove(&core->recovery_deadlines, &self->deadline);
    DL_DELETE(core->recoveries, self);
    if (self->due)
        DL_DELETE2(core->recoveries_due, self, due_prev, due_next);
    core->connect_count--;
    self->session->recovery = NULL;
    free(self->changed);
    free(self);
}

static void leave_all(gateway_core_t *core, session_t *session) {
    while (session->members)
        core_leave(core, session->members, NULL);
}

void core_recovery_drop(recovery_t *self) {
    gateway_core_t *core = self->request.core;
    core_connect_turn_away(core, self->connect);
    self->state = ABORTED;
    leave_all(core, self->session);
    end(self);
}

/* The client gets a new session. */
static void begin_anew(recovery_t *self) {
    gateway_core_t *core = self->request.core;
    session_t *session = self->session;
    void *connect = self->connect;
    core_count(core, METRIC_RECOVERIES, self->outcome);
    leave_all(core, session);
    end(self);
    if (!core_connect_accept(core, session, connect))
        gateway_core_disconnect(core, session);
}

static void restore(recovery_t *self) {
    gateway_core_t *core = self->request.core;
    session_t *session = self->session;
    proto_changed_t changed;
    str_t body = {self->changed, self->changed_bytes};
    ASSERT(proto_changed_decode(body, core->arena, &changed) == OK);
    session->socket = core->ops->accept(core->ctx, self->connect, session);
    if (!session->socket) {
        core_count(core, METRIC_RECOVERIES, RECOVERY_GONE);
        core_count(core, METRIC_CONNECTS, CONNECT_GONE);
        leave_all(core, session);
        end(self);
        gateway_core_disconnect(core, session);
        return;
    }
    core_count(core, METRIC_CONNECTS, CONNECT_ACCEPTED);
    core_count(core, METRIC_RECOVERIES, RECOVERY_DONE);
    metrics_observe(core->config.metrics, METRIC_RECOVERY_SECONDS, 0,
                    (double)(core_now(core) - self->started_ms) / 1000.0);
    core_replay(core, session, &self->offset, &changed);
    core->ops->reply(core->ctx, session->socket, (str_t){self->texts, self->pid_bytes});
    end(self);
    core_position_due(core, session);
}

/* Reads the changes again if that is needed; true: nothing is left to wait for. */
static bool is_complete(recovery_t *self) {
    if (!self->stale)
        return true;
    if (self->rounds >= GATEWAY_RECOVERY_ROUNDS_MAX) {
        if (self->stale_members)
            fail(self, RECOVERY_TOO_MUCH);
        return true; /* of updates one may be lost */
    }
    ask_changes(self);
    return self->state != GOING_ON;
}

void core_recovery_flush(gateway_core_t *core) {
    while (core->recoveries_due) {
        recovery_t *self = core->recoveries_due;
        self->due = false;
        DL_DELETE2(core->recoveries_due, self, due_prev, due_next);
        if (self->state == GOING_ON && !is_complete(self))
            continue;
        if (self->state == ABORTED)
            gateway_core_disconnect(core, self->session);
        else if (self->state == FAILED)
            begin_anew(self);
        else
            restore(self);
    }
}

void core_recovery_tick(gateway_core_t *core, int64_t now_ms) {
    deadline_t *due = NULL;
    while ((due = deadline_pop_due(&core->recovery_deadlines, now_ms)))
        fail(DEADLINE_OWNER(due, recovery_t, deadline), RECOVERY_UNAVAILABLE);
}
