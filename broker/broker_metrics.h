/* The broker's metrics. */
#pragma once

#include "broker/broker_core.h"
#include "common/bus_stranger.h"
#include "common/link_listener.h"
#include "common/metrics.h"

typedef enum {
    METRIC_PEERS, /* by role, in the order of peers_role_names */
    METRIC_ROOMS,
    METRIC_MEMBERSHIPS,
    METRIC_JOBS,      /* by job_class_t and broker_job_place_t */
    METRIC_JOBS_MAX,  /* by job_class_t */
    METRIC_JOB_BYTES, /* by job_class_t */
    METRIC_JOB_BYTES_MAX,
    METRIC_JOBS_ENDED, /* by job_class_t and job_outcome_t */
    METRIC_JOB_SECONDS,
    METRIC_JOBS_REQUEUED,
    METRIC_FANOUTS,
    METRIC_FANOUT_ENVELOPES,
    METRIC_FACTS,
    METRIC_REQUESTS_REFUSED, /* by broker_refusal_t */
    METRIC_UNAVAILABLE,      /* by broker_busy_t */
    METRIC_HINTS_SHED,
    METRIC_REJOINS_REFUSED,
    METRIC_USERS_ONLINE,
    METRIC_WATCHES,
    METRIC_PRESENCE_OWED,
    METRIC_TYPING,
    METRIC_GROUPS,
    METRIC_GROUP_CACHE_BYTES,
    METRIC_GROUP_WAITING,
    METRIC_GROUP_WAITING_BYTES,
    METRIC_REJOIN_HELD_BYTES,
    METRIC_LAST_SEEN_WAITING,
    METRIC_LAST_SEEN_LOST,
    METRIC_USER_EVENTS,
    METRIC_USER_EVENTS_UNKEPT,
    METRIC_BUS_ENVELOPES,    /* 0 sent, 1 received */
    METRIC_BUS_UNREAD_BYTES, /* by role, in the order of peers_role_names */
    METRIC_BUS_RESYNCS,
    METRIC_BUS_DROPPED,
    METRIC_BUS_REFUSED, /* 0 frames, 1 envelopes */
    METRIC_BUS_SEND_FAILED,
    METRIC_BUS_STRANGERS, /* by bus_stranger_t */
    METRIC_COUNT,
} broker_metric_t;

typedef enum { JOB_PLACE_QUEUED, JOB_PLACE_IN_FLIGHT } broker_job_place_t;
typedef enum { REFUSAL_FORBIDDEN, REFUSAL_INVALID, REFUSAL_UNAVAILABLE } broker_refusal_t;
typedef enum { BUS_REFUSED_FRAME, BUS_REFUSED_ENVELOPE } broker_bus_refused_t;

/* "silent", "protocol", "key"; NULL at the end. */
extern const char *const broker_stranger_names[BUS_STRANGER_KINDS + 1];

/* The caller frees it. */
metrics_t *broker_metrics_new(const broker_core_config_t *config);

/* What the bus knows; by role in the order of peers_role_names. */
typedef struct {
    link_stats_t stats;
    size_t unread_bytes[PEER_ROLES];
} broker_bus_figures_t;

/* Brings every gauge and every count that is kept elsewhere up to date. */
void broker_metrics_collect(metrics_t *self, const broker_core_t *core,
                            const broker_bus_figures_t *bus);
