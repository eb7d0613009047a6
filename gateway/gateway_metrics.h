/* The gateway's metrics: ids are rows of the table in gateway_metrics.c. */
#pragma once

#include "common/metrics.h"

typedef enum {
    METRIC_SESSIONS,
    METRIC_USERS,
    METRIC_ROOMS,
    METRIC_MEMBERSHIPS,
    METRIC_WATCHES,
    METRIC_INTERESTS,
    METRIC_JOIN_WAITING_BYTES,
    METRIC_CONNECTING,
    METRIC_REQUESTS_PENDING,
    METRIC_WRITES_PENDING,
    METRIC_CONNECTS,
    METRIC_RECOVERIES,
    METRIC_RECOVERED_EVENTS,
    METRIC_RECOVERY_SECONDS,
    METRIC_EVENTS_IN,
    METRIC_EVENTS_OUT,
    METRIC_ACKS,
    METRIC_UNAVAILABLE,
    METRIC_HINTS_SHED,
    METRIC_SEND_SECONDS,
    METRIC_JOIN_SECONDS,
    METRIC_DELIVER_SECONDS,
    METRIC_CLOSES,
    METRIC_RATE_LIMITED,
    METRIC_CONNECTIONS_LIMITED,
    METRIC_GAPS,
    METRIC_MESSAGES_CLAIMED,
    METRIC_EXPELLED,
    METRIC_BUS_MALFORMED,
    METRIC_ENGINE_SESSIONS,
    METRIC_ENGINE_SESSIONS_LIMIT,
    METRIC_ENGINE_QUEUED_BYTES,
    METRIC_ENGINE_INPUT_BYTES,
    METRIC_ENGINE_REFUSED_INPUT,
    METRIC_ENGINE_EVICTED,
    METRIC_ENGINE_BYTES,
    METRIC_ENGINE_PACKETS,
    METRIC_ENGINE_HANDSHAKES,
    METRIC_ENGINE_REFUSED,
    METRIC_ENGINE_UPGRADES,
    METRIC_ENGINE_CLOSES,
    METRIC_TCP_CONNECTIONS,
    METRIC_TCP_EVICTED,
    METRIC_COUNT,
} metric_t;

/* Series of METRIC_CONNECTS. */
typedef enum {
    CONNECT_ACCEPTED,
    CONNECT_UNAUTHORIZED,
    CONNECT_EXPIRED,
    CONNECT_LIMITED,
    CONNECT_UNAVAILABLE,
    CONNECT_GONE
} connect_outcome_t;
/* Series of METRIC_RECOVERIES. */
typedef enum {
    RECOVERY_DONE,
    RECOVERY_BAD_PID,
    RECOVERY_BAD_OFFSET,
    RECOVERY_ENDED,
    RECOVERY_GENERATION,
    RECOVERY_TOO_MUCH,
    RECOVERY_UNAVAILABLE,
    RECOVERY_GONE
} recovery_outcome_t;
/* Series of METRIC_EVENTS_OUT. */
typedef enum {
    OUT_NEW_MESSAGE,
    OUT_TYPING,
    OUT_READ,
    OUT_PRESENCE,
    OUT_CONVERSATION,
    OUT_POSITION,
    OUT_ERROR
} event_out_t;
/* Series of METRIC_UNAVAILABLE: which bound was reached. */
typedef enum {
    BUSY_BUS,     /* requests that wait for a broker */
    BUSY_WRITES,  /* messages and read marks that do */
    BUSY_SOCKET,  /* events of one socket that wait for an answer */
    BUSY_ROOMS,   /* conversations joined here */
    BUSY_MEMBERS, /* sockets times their conversations */
    BUSY_HINT,    /* typing, while half of what may wait does */
    BUSY_REASONS
} busy_reason_t;
/* Series of METRIC_GAPS. */
typedef enum { GAP_HEALED, GAP_FAILED } gap_outcome_t;
/* Series of METRIC_ENGINE_BYTES and METRIC_ENGINE_PACKETS. */
typedef enum { DIRECTION_IN, DIRECTION_OUT } direction_t;
/* Series of METRIC_ENGINE_SESSIONS. */
typedef enum { TRANSPORT_POLLING, TRANSPORT_WEBSOCKET } transport_t;
/* Series of METRIC_CONNECTIONS_LIMITED. */
typedef enum { LIMIT_ADDRESS, LIMIT_USER, LIMIT_HANDSHAKES } connection_limit_t;

extern const metrics_def_t gateway_metric_defs[METRIC_COUNT];
