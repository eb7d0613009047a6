/* The auth-worker's configuration. */
#pragma once

#include "common/config.h"

typedef enum { REGISTRATION_OPEN, REGISTRATION_CLOSED } registration_t;

typedef struct {
    config_common_t common;
    char *database_url;
    char *jwt_secret;
    char *jwt_secrets_file;
    config_list_t jwt_public_keys;
    char *jwks_file;
    char *jwt_issuer;
    char *jwt_audience;
    int64_t token_ttl_ms;
    int registration; /* registration_t */
    bool rate_limit;
    uint64_t login_attempts_per_account;
    uint64_t login_attempts_per_address;
    uint64_t registrations_per_address;
    uint64_t attempts_remembered;
    uint64_t password_memory_kib;
    uint64_t password_passes;
    uint64_t password_threads;
    uint64_t password_queue;
} auth_config_t;

extern const config_schema_t auth_config_schema;
