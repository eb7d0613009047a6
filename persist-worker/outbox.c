#include "persist-worker/outbox.h"

#include "common/ids.h"
#include "common/log.h"

/* What is told and not yet confirmed. */
typedef struct {
    outbox_t *outbox;
    size_t n;
} unconfirmed_t;

struct outbox {
    bus_client_t *bus;
    metrics_t *stats;
    void (*confirmed)(void *ctx);
    void *ctx;
    unconfirmed_t facts;
    unconfirmed_t events[BROKERS_MAX];
    strbuf_t body;
    strbuf_t room;
};

outbox_t *outbox_new(bus_client_t *bus, metrics_t *stats, void (*confirmed)(void *ctx), void *ctx) {
    outbox_t *self = xcalloc(1, sizeof(*self));
    self->bus = bus;
    self->stats = stats;
    self->confirmed = confirmed;
    self->ctx = ctx;
    self->facts.outbox = self;
    for (size_t i = 0; i < BROKERS_MAX; i++)
        self->events[i].outbox = self;
    return self;
}

void outbox_free(outbox_t **self) {
    if (*self) {
        strbuf_fini(&(*self)->body);
        strbuf_fini(&(*self)->room);
    }
    free(*self);
    *self = NULL;
}

/* ---- answers ---- */

static void answer(outbox_t *self, const job_t *job, uint16_t type, code_t code, str_t body) {
    stats_class_t kind = job_is_write(job->envelope.type) ? STATS_WRITE : STATS_READ;
    metrics_increment(self->stats, STATS_JOBS,
                      metrics_series(self->stats, STATS_JOBS, kind, (size_t)code));
    /* Another life of the broker counts its jobs anew: to it, this id would mean another job. */
    if (bus_client_epoch(self->bus, job->broker) != job->epoch)
        return;
    err_t err = bus_client_reply(self->bus, job->broker, &job->envelope, type, code, body);
    if (err)
        log_debug("answer_not_sent", log_err(err));
}

void outbox_reply(outbox_t *self, const job_t *job, uint16_t type, str_t body) {
    answer(self, job, type, CODE_OK, body);
}

void outbox_done(outbox_t *self, const job_t *job) {
    strbuf_clear(&self->body);
    proto_done_encode(&(proto_done_t){0}, &self->body);
    answer(self, job, MSG_DONE, CODE_OK, strbuf_str(&self->body));
}

void outbox_refuse(outbox_t *self, const job_t *job, code_t code, const char *message) {
    proto_error_t error = {.message = str_from(message)};
    if (code == CODE_UNAVAILABLE)
        error.retry_after_ms = OUTBOX_RETRY_AFTER_MS;
    strbuf_clear(&self->body);
    proto_error_encode(&error, &self->body);
    answer(self, job, MSG_ERROR, code, strbuf_str(&self->body));
}

/* ---- what is repeated until it is confirmed ---- */

static void lose(outbox_t *self, const char *why) {
    metrics_increment(self->stats, STATS_FACTS_LOST, 0);
    log_refused("fact_given_up", log_text("reason", why));
}

static void on_confirmed(void *arg, err_t err, const envelope_t *reply) {
    unconfirmed_t *kind = arg;
    outbox_t *self = kind->outbox;
    (void)reply; /* whatever it says, the broker has it */
    kind->n--;
    if (err)
        lose(self, err_name(err));
    if (kind->n == 0)
        self->confirmed(self->ctx);
}

static void keep(outbox_t *self, const envelope_t *envelope, unconfirmed_t *kind) {
    link_request_t request = {.envelope = envelope,
                              .timeout_ms = OUTBOX_FACT_TIMEOUT_MS,
                              .on_reply = on_confirmed,
                              .arg = kind};
    if (bus_client_request(self->bus, &request).id)
        kind->n++;
    else
        lose(self, "too many bytes wait");
}

void outbox_fact(outbox_t *self, const job_t *job, uint16_t type, str_t body) {
    stats_fact_t kind = type == MSG_STORED        ? STATS_STORED
                        : type == MSG_READ_MARKED ? STATS_READ_MARKED
                                                  : STATS_MEMBERS_CHANGED;
    envelope_t envelope = job->envelope;
    envelope.type = type;
    envelope.body = body;
    metrics_increment(self->stats, STATS_FACTS, kind);
    metrics_increment(self->stats, STATS_JOBS,
                      metrics_series(self->stats, STATS_JOBS, STATS_WRITE, CODE_OK));
    keep(self, &envelope, &self->facts);
}

void outbox_event(outbox_t *self, stats_event_t event, str_t user, const outbox_told_t *told) {
    static const char *const names[] = {[STATS_UPDATED] = "conversation_updated",
                                        [STATS_ADDED] = "conversation_added",
                                        [STATS_REMOVED] = "conversation_removed"};
    proto_user_event_t message = {.event = str_from(names[event]),
                                  .conversation_id = told->conversation,
                                  .payload = told->payload,
                                  .at_ms = (uint64_t)told->at_ms,
                                  .version = (uint64_t)told->version};
    strbuf_clear(&self->body);
    strbuf_clear(&self->room);
    proto_user_event_encode(&message, &self->body);
    ids_append_user_room(&self->room, user);
    envelope_t envelope = {.type = MSG_USER_EVENT,
                           .room = strbuf_str(&self->room),
                           .user = user,
                           .trace = told->trace,
                           .body = strbuf_str(&self->body)};
    size_t broker = brokers_of_room(bus_client_brokers(self->bus), envelope.room);
    if (bus_client_is_crowded(self->bus, broker) ||
        (event == STATS_UPDATED && bus_client_is_behind(self->bus, broker))) {
        metrics_increment(self->stats, STATS_EVENTS_DROPPED, event);
        return;
    }
    metrics_increment(self->stats, STATS_EVENTS, event);
    if (event != STATS_UPDATED)
        keep(self, &envelope, &self->events[broker]);
    else if (bus_client_send(self->bus, &envelope) != OK)
        log_debug("hint_not_sent");
}

size_t outbox_pending(const outbox_t *self) {
    size_t n = self->facts.n;
    for (size_t i = 0; i < BROKERS_MAX; i++)
        n += self->events[i].n;
    return n;
}

bool outbox_is_told(const outbox_t *self) {
    size_t count = brokers_count(bus_client_brokers(self->bus));
    for (size_t i = 0; i < count; i++) {
        if (self->events[i].n > 0 && !bus_client_is_up(self->bus, i))
            return false;
    }
    return self->facts.n == 0;
}
