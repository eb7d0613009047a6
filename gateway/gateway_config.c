#include "gateway/gateway_config.h"

#include "common/client_address.h"
#include "common/cors.h"
#include "common/trace_sampler.h"

enum {
    RATE_MAX = 1000000, /* times the factor it still fits a bucket */
    HOUR_MS = 3600000,
    RECOVERY_SECRET_MIN_BYTES = 32,
    RECOVERY_SECRET_MAX_BYTES = 512,
    LARGEST_ANSWER_BYTES = 3 << 20, /* a join's: a page of messages, and the participants */
};

#define COUNT(field_, variable_, max_, fallback_, doc_)                                            \
    {                                                                                              \
        CONFIG_FIELD(gateway_config_t, field_), .variable = (variable_), .kind = CONFIG_U64,       \
                                                .min = 1, .max = (max_), .fallback = (fallback_),  \
                                                .doc = (doc_)                                      \
    }
#define MILLISECONDS(field_, variable_, fallback_, doc_)                                           \
    {                                                                                              \
        CONFIG_FIELD(gateway_config_t, field_), .variable = (variable_), .kind = CONFIG_MS,        \
                                                .min = 1, .max = HOUR_MS, .fallback = (fallback_), \
                                                .doc = (doc_)                                      \
    }

static const config_option_t options[] = {
    {CONFIG_FIELD(gateway_config_t, listen), .variable = "LISTEN", .kind = CONFIG_ENDPOINT,
     .fallback = "127.0.0.1:5010", .doc = "Where clients, or the edge in front, connect to."},
    {CONFIG_FIELD(gateway_config_t, frontend_url), .variable = "FRONTEND_URL", .kind = CONFIG_LIST,
     .max = 64, .check = cors_is_configurable, .allowed = "http(s)://host[:port], or *",
     .doc = "Origins of web pages that may connect, besides the gateway's own host."},
    {CONFIG_FIELD(gateway_config_t, trusted_proxies), .variable = "TRUSTED_PROXIES",
     .kind = CONFIG_LIST, .max = 64, .fallback = "127.0.0.0/8,::1",
     .check = client_network_is_valid, .allowed = "addresses or networks, as 10.0.0.0/8",
     .doc = "Proxies whose X-Forwarded-For is believed."},
    {CONFIG_FIELD(gateway_config_t, rate_limit), .variable = "RATE_LIMIT", .kind = CONFIG_BOOL,
     .fallback = "on",
     .doc = "off: no limit on events, and none on connections of one user or address."},
    {CONFIG_FIELD(gateway_config_t, trace_rate), .variable = "TRACE_RATE", .kind = CONFIG_U64,
     .max = TRACE_RATE_MAX, .fallback = "1",
     .doc = "Traces a second whose every step is logged, and as many that callers ask for by "
            "traceparent; ten times as many at once."},
    COUNT(send_rate, "RATE_SENDS", RATE_MAX, "20", "Messages a second that one socket may send."),
    COUNT(send_burst, "RATE_SENDS_BURST", RATE_MAX, "60", "… and how many at once."),
    COUNT(typing_rate, "RATE_TYPING", RATE_MAX, "20",
          "Typing events a second that one socket may send."),
    COUNT(typing_burst, "RATE_TYPING_BURST", RATE_MAX, "60", "… and how many at once."),
    COUNT(request_rate, "RATE_REQUESTS", RATE_MAX, "50",
          "Other events a second that one socket may send."),
    COUNT(request_burst, "RATE_REQUESTS_BURST", RATE_MAX, "500",
          "… and how many at once: a client joins its conversations when it connects."),
    COUNT(user_rate_factor, "RATE_USER_FACTOR", 1000, "3",
          "All sockets of a user together may do that many times what one may."),
    COUNT(handshake_rate, "RATE_HANDSHAKES", RATE_MAX, "200",
          "Connections and logins a second from one address."),
    COUNT(handshake_burst, "RATE_HANDSHAKES_BURST", RATE_MAX, "4000", "… and how many at once."),
    COUNT(max_connections, "MAX_CONNECTIONS", 1000000, "19000",
          "Clients at once; further ones get 503. Each needs an open file."),
    COUNT(max_connections_per_user, "MAX_CONNECTIONS_PER_USER", 1000000, "50",
          "Sockets of one user at once."),
    COUNT(max_connections_per_address, "MAX_CONNECTIONS_PER_ADDRESS", 1000000, "2000",
          "Sockets from one IPv4 address or IPv6 /64 network at once."),
    {CONFIG_FIELD(gateway_config_t, max_payload), .variable = "MAX_PAYLOAD", .kind = CONFIG_U64,
     .min = 1024, .max = 64 << 20, .fallback = "1000000",
     .doc = "Bytes of one packet or POST from a client."},
    {CONFIG_FIELD(gateway_config_t, max_outbound_bytes), .variable = "MAX_OUTBOUND_BYTES",
     .kind = CONFIG_U64, .min = LARGEST_ANSWER_BYTES, .max = 1 << 30, .fallback = "4194304",
     .doc = "Bytes that may wait for one client; one that reads too slowly is disconnected."},
    {CONFIG_FIELD(gateway_config_t, max_total_outbound_bytes),
     .variable = "MAX_TOTAL_OUTBOUND_BYTES", .kind = CONFIG_U64, .min = LARGEST_ANSWER_BYTES,
     .max = UINT64_MAX, .fallback = "536870912",
     .doc =
         "Bytes that may wait for all clients together; nobody may have more of it than is left."},
    {CONFIG_FIELD(gateway_config_t, max_total_inbound_bytes), .variable = "MAX_TOTAL_INBOUND_BYTES",
     .kind = CONFIG_U64, .min = 1024, .max = UINT64_MAX, .fallback = "268435456",
     .doc = "Bytes of unfinished packets and POSTs of all clients together, likewise."},
    COUNT(max_rooms, "MAX_ROOMS", 1000000000, "1000000", "Conversations joined on this gateway."),
    COUNT(max_rooms_per_socket, "MAX_ROOMS_PER_SOCKET", 1000000, "1000",
          "Conversations that one socket may have joined."),
    COUNT(max_memberships, "MAX_MEMBERSHIPS", 1000000000, "500000",
          "Sockets times the conversations they joined; the broker's bound is MEMBERSHIPS_MAX."),
    COUNT(max_interests, "MAX_INTERESTS", 1000000000, "2000000",
          "Conversations times their participants; over it, further ones are shown as offline."),
    {CONFIG_FIELD(gateway_config_t, max_join_bytes), .variable = "MAX_JOIN_BYTES",
     .kind = CONFIG_U64, .min = 1024, .max = UINT64_MAX, .fallback = "67108864",
     .doc = "Bytes of answers to joins that wait for presence; over it they go without."},
    COUNT(max_requests_per_socket, "MAX_REQUESTS_PER_SOCKET", 1000000, "1000",
          "Events of one socket that may wait for their answers."),
    COUNT(max_writes, "MAX_WAITING_WRITES", 10000000, "10000",
          "Messages and read marks that may wait for one broker: with the machine's speed they say "
          "how long a sender waits before it is told to try again."),
    {CONFIG_FIELD(gateway_config_t, max_bus_bytes), .variable = "MAX_BUS_BYTES", .kind = CONFIG_U64,
     .min = 1 << 20, .max = UINT64_MAX, .fallback = "134217728",
     .doc = "Bytes of requests to one broker that may wait for their answers."},
    COUNT(max_bus_requests, "MAX_BUS_REQUESTS", 10000000, "200000", "… and how many of them."),
    MILLISECONDS(ping_interval_ms, "PING_INTERVAL_MS", "25000", "Pause between heartbeats."),
    MILLISECONDS(ping_timeout_ms, "PING_TIMEOUT_MS", "20000",
                 "A client that doesn't answer a heartbeat for this long is gone."),
    MILLISECONDS(connect_timeout_ms, "CONNECT_TIMEOUT_MS", "45000",
                 "A connection that doesn't present a token for this long is closed."),
    MILLISECONDS(request_timeout_ms, "REQUEST_TIMEOUT_MS", "30000",
                 "An HTTP request must have come whole within this time."),
    {CONFIG_FIELD(gateway_config_t, recovery), .variable = "RECOVERY", .kind = CONFIG_BOOL,
     .fallback = "on",
     .doc = "off: clients that come back always get a new session (no connection state recovery)."},
    {CONFIG_FIELD(gateway_config_t, recovery_key), .variable = "RECOVERY_KEY",
     .kind = CONFIG_SECRET, .min = RECOVERY_SECRET_MIN_BYTES, .max = RECOVERY_SECRET_MAX_BYTES,
     .doc =
         "Secret that all gateways share, so that each recovers the others' sessions; unset: each "
         "its own, as long as it lives. 32 random bytes or more are safe."},
    {CONFIG_FIELD(gateway_config_t, recovery_key_before), .variable = "RECOVERY_KEY_BEFORE",
     .kind = CONFIG_SECRET, .min = RECOVERY_SECRET_MIN_BYTES, .max = RECOVERY_SECRET_MAX_BYTES,
     .doc = "The one before: sessions sealed with it are recovered too, while keys are changed."},
};

/* Nobody may have more of a total than is left: half of it, if alone. */
static void check(const void *config, strbuf_t *errors) {
    const gateway_config_t *gateway = config;
    if (gateway->max_total_outbound_bytes / 2 < gateway->max_outbound_bytes)
        strbuf_append(errors, STR("MAX_TOTAL_OUTBOUND_BYTES must be at least twice "
                                  "MAX_OUTBOUND_BYTES\n"));
    if (gateway->max_total_inbound_bytes / 2 < gateway->max_payload)
        strbuf_append(errors, STR("MAX_TOTAL_INBOUND_BYTES must be at least twice MAX_PAYLOAD\n"));
}

const config_schema_t gateway_config_schema = {
    .service = "gateway",
    .summary = "Speaks Socket.IO with clients.",
    .admin_listen = "127.0.0.1:5011",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .size = sizeof(gateway_config_t),
    .check = check,
};

static ratelimit_rate_t per_second(uint64_t count, uint64_t burst, uint64_t factor) {
    return (ratelimit_rate_t){
        .burst = (uint32_t)(burst * factor), .count = (uint32_t)(count * factor), .per_ms = 1000};
}

ratelimit_rate_t gateway_config_handshakes(const gateway_config_t *config) {
    return per_second(config->handshake_rate, config->handshake_burst, 1);
}

gateway_core_config_t gateway_config_core(const gateway_config_t *config) {
    gateway_core_config_t core = {
        .rates.on = config->rate_limit,
        .max_rooms = config->max_rooms,
        .max_rooms_per_session = config->max_rooms_per_socket,
        .max_members = config->max_memberships,
        .max_interests = config->max_interests,
        .max_waiting_bytes = config->max_join_bytes,
        .max_writes = config->max_writes,
        .max_requests_per_session = config->max_requests_per_socket,
    };
    uint64_t factors[] = {1, config->user_rate_factor};
    for (size_t i = 0; i < 2; i++) {
        ratelimit_rate_t *rates = i ? core.rates.user : core.rates.socket;
        rates[RATE_SEND] = per_second(config->send_rate, config->send_burst, factors[i]);
        rates[RATE_TYPING] = per_second(config->typing_rate, config->typing_burst, factors[i]);
        rates[RATE_REQUEST] = per_second(config->request_rate, config->request_burst, factors[i]);
    }
    if (config->rate_limit)
        core.sessions = (sessions_limits_t){.max_per_user = config->max_connections_per_user,
                                            .max_per_address = config->max_connections_per_address};
    return core;
}
