/* The gateway's settings. */
#pragma once

#include "common/config.h"
#include "gateway/gateway_core.h"

typedef struct {
    config_common_t common;
    config_endpoint_t listen;
    config_list_t frontend_url;
    config_list_t trusted_proxies;
    bool rate_limit;
    uint64_t trace_rate;
    uint64_t send_rate, send_burst;
    uint64_t typing_rate, typing_burst;
    uint64_t request_rate, request_burst;
    uint64_t user_rate_factor;
    uint64_t handshake_rate, handshake_burst;
    uint64_t max_connections;
    uint64_t max_connections_per_user;
    uint64_t max_connections_per_address;
    uint64_t max_payload;
    uint64_t max_outbound_bytes;
    uint64_t max_total_outbound_bytes;
    uint64_t max_total_inbound_bytes;
    uint64_t max_rooms;
    uint64_t max_rooms_per_socket;
    uint64_t max_memberships;
    uint64_t max_interests;
    uint64_t max_join_bytes;
    uint64_t max_requests_per_socket;
    uint64_t max_writes;
    uint64_t max_bus_bytes;
    uint64_t max_bus_requests;
    int64_t ping_interval_ms;
    int64_t ping_timeout_ms;
    int64_t connect_timeout_ms;
    int64_t request_timeout_ms;
    bool recovery;
    char *recovery_key;        /* NULL: unset */
    char *recovery_key_before; /* NULL: unset */
} gateway_config_t;

extern const config_schema_t gateway_config_schema;

/* How often one address may open a connection or ask to be let in. */
ratelimit_rate_t gateway_config_handshakes(const gateway_config_t *config);
/* What the core needs of it; brokers, incarnation and metrics are the caller's to add. */
gateway_core_config_t gateway_config_core(const gateway_config_t *config);
