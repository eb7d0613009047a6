#include "broker/broker_config.h"

#define COUNT(field_, variable_, max_, fallback_, doc_)                                            \
    {                                                                                              \
        CONFIG_FIELD(broker_config_t, field_), .variable = (variable_), .kind = CONFIG_U64,        \
                                               .min = 1, .max = (max_), .fallback = (fallback_),   \
                                               .doc = (doc_)                                       \
    }
#define MILLISECONDS(field_, variable_, max_, fallback_, doc_)                                     \
    {                                                                                              \
        CONFIG_FIELD(broker_config_t, field_), .variable = (variable_), .kind = CONFIG_MS,         \
                                               .min = 1, .max = (max_), .fallback = (fallback_),   \
                                               .doc = (doc_)                                       \
    }

enum { MANY = 1000000000, HOUR_MS = 3600000 };

static const config_option_t options[] = {
    {CONFIG_FIELD(broker_config_t, endpoint), .variable = "BROKER_ENDPOINT", .kind = CONFIG_STRING,
     .min = 1, .max = 256, .check = config_is_bus_endpoint,
     .allowed = "tcp://host:port or ipc://path",
     .doc = "This broker's own entry in BROKERS. Unset: the only one."},
    {CONFIG_FIELD(broker_config_t, bind), .variable = "BROKER_BIND", .kind = CONFIG_STRING,
     .min = 1, .max = 256, .doc = "What it binds, as tcp://*:5700. Unset: BROKER_ENDPOINT."},
    COUNT(max_rooms, "ROOMS_MAX", MANY, "1000000", "Rooms with members or typing users."),
    COUNT(max_memberships, "MEMBERSHIPS_MAX", MANY, "500000",
          "Memberships (a socket in a room) of one gateway."),
    COUNT(max_watches, "WATCHES_MAX", MANY, "500000", "Users whose presence one gateway watches."),
    COUNT(max_typing, "TYPING_MAX", MANY, "100000", "Typing indicators at once."),
    MILLISECONDS(typing_timeout_ms, "TYPING_TIMEOUT_MS", HOUR_MS, "5000",
                 "A typing indicator ends this long after its last refresh."),
    MILLISECONDS(presence_grace_ms, "PRESENCE_GRACE_MS", HOUR_MS, "3000",
                 "A user is offline this long after the last socket went."),
    MILLISECONDS(
        presence_settle_ms, "PRESENCE_SETTLE_MS", HOUR_MS, "5000",
        "Gateways take at most this long to say what sockets they have: until then nobody is"
        " said to be offline."),
    COUNT(max_last_seen, "LAST_SEEN_MAX", MANY, "100000",
          "Users whose time last seen waits to be stored."),
    COUNT(max_group_cache_bytes, "GROUP_CACHE_BYTES_MAX", UINT64_MAX, "67108864",
          "Memory for the member lists of groups."),
    COUNT(max_group_waiting, "GROUP_WAITING_MAX", MANY, "2000",
          "Requests of one group that wait for its member list."),
    COUNT(max_group_waiting_bytes, "GROUP_WAITING_BYTES_MAX", UINT64_MAX, "16777216",
          "Memory for all requests that wait for member lists."),
    COUNT(max_held_bytes, "REJOIN_HELD_BYTES_MAX", UINT64_MAX, "67108864",
          "Memory for messages that wait for gateways whose members are being checked again."),
    MILLISECONDS(group_load_timeout_ms, "GROUP_LOAD_TIMEOUT_MS", HOUR_MS, "3000",
                 "How long requests wait for a group's member list."),
    COUNT(max_write_jobs, "WRITE_JOBS_MAX", MANY, "20000", "Write jobs, queued and in flight."),
    COUNT(max_write_job_bytes, "WRITE_JOB_BYTES_MAX", UINT64_MAX, "67108864",
          "Memory for write jobs."),
    COUNT(max_read_jobs, "READ_JOBS_MAX", MANY, "50000", "Read jobs, queued and in flight."),
    COUNT(max_read_job_bytes, "READ_JOB_BYTES_MAX", UINT64_MAX, "67108864",
          "Memory for read jobs."),
    COUNT(max_auth_jobs, "AUTH_JOBS_MAX", MANY, "50000",
          "Jobs for auth-workers, queued and in flight."),
    COUNT(max_auth_job_bytes, "AUTH_JOB_BYTES_MAX", UINT64_MAX, "67108864",
          "Memory for jobs for auth-workers."),
    COUNT(max_user_events, "USER_EVENTS_MAX", MANY, "4096",
          "Additions and removals that are kept for gateways which come back."),
    COUNT(max_user_event_bytes, "USER_EVENT_BYTES_MAX", UINT64_MAX, "33554432", "Memory for them."),
    MILLISECONDS(job_deadline_ms, "JOB_DEADLINE_MAX_MS", HOUR_MS, "600000",
                 "The longest that a job may wait, whatever its request says."),
    MILLISECONDS(retry_after_ms, "RETRY_AFTER_MS", HOUR_MS, "1000",
                 "When those who are told `unavailable` should try again."),
};

static bool has_entry(const config_list_t *brokers, const char *endpoint) {
    for (size_t i = 0; i < brokers->n; i++) {
        if (strcmp(brokers->items[i], endpoint) == 0)
            return true;
    }
    return false;
}

static void check(const void *config, strbuf_t *errors) {
    const broker_config_t *broker = config;
    const config_list_t *brokers = &broker->common.brokers;
    if (broker->endpoint && !has_entry(brokers, broker->endpoint))
        strbuf_printf(errors, "BROKER_ENDPOINT=%s is not in BROKERS\n", broker->endpoint);
    if (!broker->endpoint && brokers->n > 1)
        strbuf_append(errors, STR("BROKER_ENDPOINT must be set, as BROKERS has several entries\n"));
    if (broker->bind)
        config_check_encrypted(&broker->common, "BROKER_BIND", broker->bind, errors);
}

const config_schema_t broker_config_schema = {
    .service = "broker",
    .summary = "Owns rooms, presence and typing, and hands work to the workers.",
    .admin_listen = "127.0.0.1:5701",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .size = sizeof(broker_config_t),
    .check = check,
};

const char *broker_config_endpoint(const broker_config_t *config) {
    return config->endpoint ? config->endpoint : config->common.brokers.items[0];
}

const char *broker_config_bind(const broker_config_t *config) {
    return config->bind ? config->bind : broker_config_endpoint(config);
}

broker_core_config_t broker_config_core(const broker_config_t *config, uint64_t epoch) {
    return (broker_core_config_t){
        .epoch = epoch,
        .rooms = {.max_rooms = config->max_rooms,
                  .max_memberships_per_gateway = config->max_memberships},
        .typing = {.max_entries = config->max_typing, .timeout_ms = config->typing_timeout_ms},
        .presence = {.grace_ms = config->presence_grace_ms,
                     .settle_ms = config->presence_settle_ms,
                     .max_watches_per_gateway = config->max_watches,
                     .max_unwritten = config->max_last_seen},
        .rights = {.max_cache_bytes = config->max_group_cache_bytes,
                   .max_waiting_per_room = config->max_group_waiting,
                   .max_waiting_bytes = config->max_group_waiting_bytes},
        .jobs = {.classes = {[JOB_WRITE] = {config->max_write_jobs, config->max_write_job_bytes},
                             [JOB_READ] = {config->max_read_jobs, config->max_read_job_bytes},
                             [JOB_AUTH] = {config->max_auth_jobs, config->max_auth_job_bytes}},
                 .max_deadline_ms = config->job_deadline_ms},
        .user_events = {.max_events = config->max_user_events,
                        .max_bytes = config->max_user_event_bytes,
                        .settle_ms = config->presence_settle_ms,
                        .keep_ms = USER_EVENTS_KEEP_MS},
        .group_load_timeout_ms = (uint32_t)config->group_load_timeout_ms,
        .retry_after_ms = (uint32_t)config->retry_after_ms,
        .max_held_bytes = config->max_held_bytes,
    };
}
