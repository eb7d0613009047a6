#include "persist-worker/stats.h"

#include "proto/proto.h"

static const char *const classes[] = {"write", "read", NULL};
static const char *const refusals[] = {"queue_full", "deadline", NULL};
static const char *const statuses[] = {"committed", "refused", "lost", NULL};
static const char *const retries[] = {"again", "split", "away", "unsure", NULL};
static const char *const reads[] = {"join", "history", "heads",   "list",    "conversation",
                                    "user", "group",   "changes", "updates", NULL};
static const char *const facts[] = {"stored", "read_marked", "members_changed", NULL};
static const char *const events[] = {"conversation_updated", "conversation_added",
                                     "conversation_removed", NULL};
#define X(number, NAME, text) text,
static const char *const codes[] = {CODES(X) NULL};
#undef X
static const double row_buckets[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 0};

static const metrics_def_t defs[STATS_COUNT] = {
    [STATS_BATCH_ROWS] = {METRICS_HISTOGRAM, "parley_persist_batch_rows",
                          "Messages, read marks and users written by one transaction.",
                          .buckets = row_buckets},
    [STATS_BATCH_SECONDS] = {METRICS_HISTOGRAM, "parley_persist_batch_seconds",
                             "Time of a writing transaction, with its commit.",
                             .buckets = metrics_latency_buckets},
    [STATS_WRITE_SECONDS] = {METRICS_HISTOGRAM, "parley_persist_write_seconds",
                             "From a write's arrival to its commit, waiting included.",
                             .buckets = metrics_latency_buckets},
    [STATS_TRANSACTIONS] = {METRICS_COUNTER, "parley_persist_transactions_total",
                            "Transactions by outcome.",
                            .labels = {{"class", classes}, {"outcome", statuses}}},
    [STATS_JOBS] = {METRICS_COUNTER, "parley_persist_jobs_total", "Jobs answered, by code.",
                    .labels = {{"class", classes}, {"code", codes}}},
    [STATS_QUEUE_JOBS] = {METRICS_GAUGE, "parley_persist_queue_jobs",
                          "Jobs that wait or are being written.", .labels = {{"class", classes}}},
    [STATS_QUEUE_BYTES] = {METRICS_GAUGE, "parley_persist_queue_bytes", "Their memory.",
                           .labels = {{"class", classes}}},
    [STATS_QUEUE_JOBS_LIMIT] = {METRICS_GAUGE, "parley_persist_queue_jobs_limit",
                                "Bound of parley_persist_queue_jobs.",
                                .labels = {{"class", classes}}},
    [STATS_QUEUE_BYTES_LIMIT] = {METRICS_GAUGE, "parley_persist_queue_bytes_limit",
                                 "Bound of parley_persist_queue_bytes.",
                                 .labels = {{"class", classes}}},
    [STATS_REFUSED] = {METRICS_COUNTER, "parley_persist_refused_total",
                       "Jobs answered unavailable without being tried.",
                       .labels = {{"class", classes}, {"reason", refusals}}},
    [STATS_RETRIES] = {METRICS_COUNTER, "parley_persist_batch_retries_total",
                       "Batches that failed and were tried again, by what was done.",
                       .labels = {{"reason", retries}}},
    [STATS_DUPLICATES] = {METRICS_COUNTER, "parley_persist_duplicates_total",
                          "Messages that had been stored before."},
    [STATS_READ_SECONDS] = {METRICS_HISTOGRAM, "parley_persist_read_seconds",
                            "Time of reads in the database.", .labels = {{"kind", reads}},
                            .buckets = metrics_latency_buckets},
    [STATS_CONNECTS] = {METRICS_COUNTER, "parley_persist_database_connects_total",
                        "Connections made to PostgreSQL.", .labels = {{"class", classes}}},
    [STATS_DATABASE_UP] = {METRICS_GAUGE, "parley_persist_database_connections",
                           "Connections to PostgreSQL that are open.",
                           .labels = {{"class", classes}}},
    [STATS_FACTS] = {METRICS_COUNTER, "parley_persist_facts_total",
                     "Committed facts told to brokers.", .labels = {{"kind", facts}}},
    [STATS_FACTS_PENDING] = {METRICS_GAUGE, "parley_persist_facts_pending",
                             "Facts and events that no broker has confirmed yet."},
    [STATS_FACTS_LOST] = {METRICS_COUNTER, "parley_persist_facts_lost_total",
                          "Facts and events given up: over the bound, or too long unconfirmed."},
    [STATS_EVENTS] = {METRICS_COUNTER, "parley_persist_user_events_total",
                      "Events sent to users' rooms.", .labels = {{"event", events}}},
    [STATS_EVENTS_DROPPED] = {METRICS_COUNTER, "parley_persist_user_events_dropped_total",
                              "Events not sent, as their broker is behind or half of what may "
                              "wait for it does.",
                              .labels = {{"event", events}}},
    [STATS_UPDATES_WAITING] = {METRICS_GAUGE, "parley_persist_updates_waiting",
                               "Conversations whose conversation_updated is being gathered."},
    [STATS_UPDATES_DROPPED] = {METRICS_COUNTER, "parley_persist_updates_dropped_total",
                               "conversation_updated hints dropped because too many waited."},
    [STATS_KNOWN_USERS] = {METRICS_GAUGE, "parley_persist_known_users",
                           "Users remembered to be stored."},
};

metrics_t *stats_new(void) {
    return metrics_new(defs, STATS_COUNT);
}
