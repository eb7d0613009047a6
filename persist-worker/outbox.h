/* What the worker tells the brokers: answers to jobs, committed facts (kept and repeated until they
 * are confirmed), events for users. */
#pragma once

#include "common/bus_client.h"
#include "common/metrics.h"
#include "persist-worker/job.h"
#include "persist-worker/stats.h"

enum {
    OUTBOX_FACT_TIMEOUT_MS = 600000, /* how long a fact is repeated */
    OUTBOX_RETRY_AFTER_MS = 1000,    /* what a client is told with `unavailable` */
};

typedef struct outbox outbox_t;

/* `confirmed` is called when the last fact, or the last event for a broker, is confirmed. All are
 * borrowed. */
outbox_t *outbox_new(bus_client_t *bus, metrics_t *stats, void (*confirmed)(void *ctx), void *ctx);
/* After the bus is closed. */
void outbox_free(outbox_t **self);

/* Answers a job, unless the broker that gave it is gone. */
void outbox_reply(outbox_t *self, const job_t *job, uint16_t type, str_t body);
void outbox_done(outbox_t *self, const job_t *job);
void outbox_refuse(outbox_t *self, const job_t *job, code_t code, const char *message);

/* Tells the broker of the job's room; the body is STORED's, READ_MARKED's or MEMBERS_CHANGED's. */
void outbox_fact(outbox_t *self, const job_t *job, uint16_t type, str_t body);

typedef struct {
    str_t conversation;
    str_t payload; /* JSON object */
    int64_t at_ms; /* of an addition or removal, Unix */
    trace_t trace;
    int64_t version; /* the conversation's members_version then */
} outbox_told_t;

/* Tells the broker of the user's room. conversation_updated is a hint and sent once, the others
 * are kept until confirmed. All are dropped when half of what may wait for that broker does: the
 * rest is for facts; hints also when it is behind with reading. */
void outbox_event(outbox_t *self, stats_event_t event, str_t user, const outbox_told_t *told);

/* Facts and events not yet confirmed. */
size_t outbox_pending(const outbox_t *self);
/* Whether this worker may go: every fact is confirmed, and every event at least sent. A broker
 * confirms those late which some gateway may have to hear yet, and tells it without us. */
bool outbox_is_told(const outbox_t *self);
