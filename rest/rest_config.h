/* The configuration of rest: its rows beside the common ones. */
#pragma once

#include "common/config.h"

typedef struct {
    config_common_t common;
    config_endpoint_t listen;
    config_list_t frontend_url;
    config_list_t trusted_proxies;
    char *web_root;
    bool rate_limit;
    uint64_t trace_rate;
    uint64_t user_rate;
    uint64_t address_rate;
    uint64_t connections_max;
    uint64_t connections_per_address_max;
    uint64_t requests_max;
    uint64_t body_bytes_max;
    uint64_t answer_bytes_max;
    uint64_t bus_bytes_max;
    int64_t request_timeout_ms;
    int64_t idle_timeout_ms;
} rest_config_t;

extern const config_schema_t rest_config_schema;
