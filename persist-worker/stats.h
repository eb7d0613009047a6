/* The worker's metrics. */
#pragma once

#include "common/metrics.h"

typedef enum {
    STATS_BATCH_ROWS,
    STATS_BATCH_SECONDS,
    STATS_WRITE_SECONDS,
    STATS_TRANSACTIONS,
    STATS_JOBS,
    STATS_QUEUE_JOBS,
    STATS_QUEUE_BYTES,
    STATS_QUEUE_JOBS_LIMIT,
    STATS_QUEUE_BYTES_LIMIT,
    STATS_REFUSED,
    STATS_RETRIES,
    STATS_DUPLICATES,
    STATS_READ_SECONDS,
    STATS_CONNECTS,
    STATS_DATABASE_UP,
    STATS_FACTS,
    STATS_FACTS_PENDING,
    STATS_FACTS_LOST,
    STATS_EVENTS,
    STATS_EVENTS_DROPPED,
    STATS_UPDATES_WAITING,
    STATS_UPDATES_DROPPED,
    STATS_KNOWN_USERS,
    STATS_COUNT
} stats_id_t;

/* Label values, in the order of their texts in stats.c. */
typedef enum { STATS_WRITE, STATS_READ } stats_class_t;
typedef enum { STATS_QUEUE_FULL, STATS_OVERDUE } stats_refusal_t;
typedef enum { STATS_OK, STATS_FAILED, STATS_LOST } stats_status_t;
typedef enum { STATS_AGAIN, STATS_SPLIT, STATS_AWAY, STATS_UNSURE } stats_retry_t;
typedef enum {
    STATS_JOIN,
    STATS_HISTORY,
    STATS_HEADS,
    STATS_LIST,
    STATS_CONVERSATION,
    STATS_USER,
    STATS_GROUP,
    STATS_CHANGES,
    STATS_UPDATES
} stats_read_t;
typedef enum { STATS_STORED, STATS_READ_MARKED, STATS_MEMBERS_CHANGED } stats_fact_t;
typedef enum { STATS_UPDATED, STATS_ADDED, STATS_REMOVED } stats_event_t;

metrics_t *stats_new(void);
