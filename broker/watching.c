/* Presence towards gateways, and its last state towards the database. */
#include "broker/broker_internal.h"

enum {
    LAST_SEEN_BATCH = 1000, /* users in one LAST_SEEN; its bound in messages.def */
    LAST_SEEN_EVERY_MS = 1000,
    LAST_SEEN_DEADLINE_MS = 30000,
};

void core_on_watch(broker_core_t *self, peer_t *peer, const envelope_t *envelope, int64_t now_ms) {
    proto_watch_t watch;
    if (proto_watch_decode(envelope->body, self->arena, &watch) != OK ||
        !core_are_users(&watch.users)) {
        core_refuse(self, peer, envelope, "malformed WATCH");
        return;
    }
    uint64_t online[LAST_SEEN_BATCH], last_seen_ms[LAST_SEEN_BATCH];
    ASSERT(watch.users.n <= LAST_SEEN_BATCH);
    for (size_t i = 0; i < watch.users.n; i++) {
        presence_state_t state;
        if (presence_watch(self->presence, peer, watch.users.items[i], now_ms, &state) != OK) {
            core_answer_busy(self, peer, envelope, BUSY_WATCHES);
            return;
        }
        online[i] = state.online;
        last_seen_ms[i] = (uint64_t)state.last_seen_ms;
    }
    proto_presences_t presences = {.users = watch.users,
                                   .online = {online, watch.users.n},
                                   .last_seen_ms = {last_seen_ms, watch.users.n}};
    strbuf_clear(&self->body);
    proto_presences_encode(&presences, &self->body);
    core_answer(self, peer, envelope, MSG_PRESENCES, strbuf_str(&self->body));
}

void core_on_unwatch(broker_core_t *self, peer_t *peer, const envelope_t *envelope) {
    proto_unwatch_t unwatch;
    if (proto_unwatch_decode(envelope->body, self->arena, &unwatch) != OK) {
        core_refuse(self, peer, envelope, "malformed UNWATCH");
        return;
    }
    for (size_t i = 0; i < unwatch.users.n; i++)
        presence_unwatch(self->presence, peer, unwatch.users.items[i]);
    core_answer_done(self, peer, envelope);
}

bool core_presence_changed(void *ctx, peer_t *watcher, const user_t *user, presence_state_t state) {
    broker_core_t *self = ctx;
    if (!watcher->is_down &&
        (core_sheds_hints(self) || self->ops->is_behind(self->ctx, watcher->link)))
        return false;
    proto_presence_t presence = {.online = state.online,
                                 .last_seen_ms = (uint64_t)state.last_seen_ms};
    strbuf_clear(&self->body);
    proto_presence_encode(&presence, &self->body);
    envelope_t envelope = {
        .type = MSG_PRESENCE, .user = user_id(user), .body = strbuf_str(&self->body)};
    core_send(self, watcher, &envelope);
    return true;
}

/* ---- times last seen ---- */

/* The ids are copied, as a user's record may go when its time is taken. */
typedef struct {
    size_t n;
    str_t users[LAST_SEEN_BATCH];
    uint64_t at_ms[LAST_SEEN_BATCH];
    char ids[LAST_SEEN_BATCH][ENVELOPE_USER_BYTES];
} last_seen_batch_t;

static void take(void *ctx, str_t user, int64_t last_seen_ms) {
    last_seen_batch_t *batch = ctx;
    memcpy(batch->ids[batch->n], user.p, user.n);
    batch->users[batch->n] = (str_t){batch->ids[batch->n], user.n};
    batch->at_ms[batch->n++] = (uint64_t)last_seen_ms;
}

void core_store_last_seen(broker_core_t *self, int64_t now_ms) {
    if (now_ms < self->last_seen_due_ms || self->last_seen_job ||
        presence_unwritten(self->presence) == 0)
        return;
    last_seen_batch_t *batch = xcalloc(1, sizeof(*batch));
    presence_take_unwritten(self->presence, LAST_SEEN_BATCH, take, batch);
    proto_last_seen_t last_seen = {.users = {batch->users, batch->n},
                                   .at_ms = {batch->at_ms, batch->n}};
    strbuf_clear(&self->body);
    proto_last_seen_encode(&last_seen, &self->body);
    envelope_t request = {.type = MSG_LAST_SEEN,
                          .deadline_ms = LAST_SEEN_DEADLINE_MS,
                          .body = strbuf_str(&self->body)};
    self->last_seen_job = jobs_add(self->jobs, JOB_WRITE, NULL, &request, now_ms);
    self->stats.last_seen_lost += self->last_seen_job == 0;
    self->last_seen_due_ms = now_ms + LAST_SEEN_EVERY_MS;
    free(batch);
}
