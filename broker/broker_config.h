/* The broker's settings. */
#pragma once

#include "broker/broker_core.h"
#include "common/config.h"

typedef struct {
    config_common_t common;
    char *endpoint; /* BROKER_ENDPOINT; NULL: the only entry of BROKERS */
    char *bind;     /* BROKER_BIND; NULL: the endpoint */
    uint64_t max_rooms;
    uint64_t max_memberships;
    uint64_t max_watches;
    uint64_t max_typing;
    int64_t typing_timeout_ms;
    int64_t presence_grace_ms;
    int64_t presence_settle_ms;
    uint64_t max_last_seen;
    uint64_t max_group_cache_bytes;
    uint64_t max_group_waiting;
    uint64_t max_group_waiting_bytes;
    uint64_t max_held_bytes;
    int64_t group_load_timeout_ms;
    uint64_t max_write_jobs;
    uint64_t max_write_job_bytes;
    uint64_t max_read_jobs;
    uint64_t max_read_job_bytes;
    uint64_t max_auth_jobs;
    uint64_t max_auth_job_bytes;
    uint64_t max_user_events;
    uint64_t max_user_event_bytes;
    int64_t job_deadline_ms;
    int64_t retry_after_ms;
} broker_config_t;

extern const config_schema_t broker_config_schema;

/* This broker's entry in BROKERS, and what it binds. Borrowed from the settings. */
const char *broker_config_endpoint(const broker_config_t *config);
const char *broker_config_bind(const broker_config_t *config);
/* The limits as the core takes them. */
broker_core_config_t broker_config_core(const broker_config_t *config, uint64_t epoch);
