/* The worker's configuration. */
#pragma once

#include "common/config.h"

typedef struct {
    config_common_t common;
    char *database_url;
    uint64_t read_connections;
    uint64_t batch_rows;
    uint64_t batch_bytes;
    uint64_t write_credit;
    uint64_t read_credit;
    uint64_t queue_bytes;
    uint64_t result_bytes;
    uint64_t results_max;
    uint64_t known_users;
    int64_t statement_timeout_ms;
    int64_t lock_timeout_ms;
} persist_config_t;

extern const config_schema_t persist_config_schema;
