#include "rest/rest_config.h"

#include "common/client_address.h"
#include "common/cors.h"
#include "common/trace_sampler.h"

static const config_option_t options[] = {
    {CONFIG_FIELD(rest_config_t, listen), .variable = "LISTEN", .kind = CONFIG_ENDPOINT,
     .fallback = "127.0.0.1:5020", .doc = "Where clients, or the edge in front, connect to."},
    {CONFIG_FIELD(rest_config_t, frontend_url), .variable = "FRONTEND_URL", .kind = CONFIG_LIST,
     .max = 64, .check = cors_is_configurable, .allowed = "http(s)://host[:port], or *",
     .doc = "Origins of web pages that may use the API, besides the one it is served from."},
    {CONFIG_FIELD(rest_config_t, trusted_proxies), .variable = "TRUSTED_PROXIES",
     .kind = CONFIG_LIST, .max = 64, .fallback = "127.0.0.0/8,::1",
     .check = client_network_is_valid, .allowed = "addresses or networks, as 10.0.0.0/8",
     .doc = "Proxies whose X-Forwarded-For is believed."},
    {CONFIG_FIELD(rest_config_t, web_root), .variable = "WEB_ROOT", .kind = CONFIG_STRING, .min = 1,
     .max = 4096, .doc = "Folder of the built web page; read once, at the start. Unset: no page."},
    {CONFIG_FIELD(rest_config_t, rate_limit), .variable = "RATE_LIMIT", .kind = CONFIG_BOOL,
     .fallback = "on", .doc = "off: no limits on requests and connections of one user or address."},
    {CONFIG_FIELD(rest_config_t, trace_rate), .variable = "TRACE_RATE", .kind = CONFIG_U64,
     .max = TRACE_RATE_MAX, .fallback = "1",
     .doc = "Traces a second whose every step is logged, and as many that callers ask for by "
            "traceparent; ten times as many at once."},
    {CONFIG_FIELD(rest_config_t, user_rate), .variable = "HTTP_USER_RATE", .kind = CONFIG_U64,
     .min = 1, .max = 100000, .fallback = "50",
     .doc = "Requests a second of one user; twice as many at once."},
    {CONFIG_FIELD(rest_config_t, address_rate), .variable = "HTTP_ADDRESS_RATE", .kind = CONFIG_U64,
     .min = 1, .max = 100000, .fallback = "200",
     .doc = "API requests a second from one address; twice as many at once."},
    {CONFIG_FIELD(rest_config_t, connections_max), .variable = "HTTP_CONNECTIONS_MAX",
     .kind = CONFIG_U64, .min = 1, .max = 100000, .fallback = "4000",
     .doc = "Connections at once; near it, those that were waited for longest are closed."},
    {CONFIG_FIELD(rest_config_t, connections_per_address_max),
     .variable = "HTTP_CONNECTIONS_PER_ADDRESS_MAX", .kind = CONFIG_U64, .min = 1, .max = 100000,
     .fallback = "100", .doc = "Connections at once from one address that is no trusted proxy."},
    {CONFIG_FIELD(rest_config_t, requests_max), .variable = "HTTP_REQUESTS_MAX", .kind = CONFIG_U64,
     .min = 1, .max = 100000, .fallback = "2000",
     .doc = "Requests that wait for other services at once; further ones get 503."},
    {CONFIG_FIELD(rest_config_t, body_bytes_max), .variable = "HTTP_BODY_BYTES_MAX",
     .kind = CONFIG_U64, .min = 131072, .max = 1ull << 32, .fallback = "67108864",
     .doc = "Bytes of all request bodies in memory; further ones get 503."},
    {CONFIG_FIELD(rest_config_t, answer_bytes_max), .variable = "HTTP_ANSWER_BYTES_MAX",
     .kind = CONFIG_U64, .min = 65536, .max = 1ull << 36, .fallback = "268435456",
     .doc = "Bytes of all answers that clients have not taken; none may have more than is left."},
    {CONFIG_FIELD(rest_config_t, bus_bytes_max), .variable = "BUS_PENDING_BYTES_MAX",
     .kind = CONFIG_U64, .min = 1048576, .max = 1ull << 32, .fallback = "67108864",
     .doc = "Bytes of unanswered requests to each broker; further ones get 503."},
    {CONFIG_FIELD(rest_config_t, request_timeout_ms), .variable = "HTTP_REQUEST_TIMEOUT_SECONDS",
     .kind = CONFIG_SECONDS, .min = 1, .max = 600, .fallback = "20",
     .doc = "A request must have come whole within this time."},
    {CONFIG_FIELD(rest_config_t, idle_timeout_ms), .variable = "HTTP_IDLE_TIMEOUT_SECONDS",
     .kind = CONFIG_SECONDS, .min = 1, .max = 600, .fallback = "60",
     .doc = "How long a connection is kept for its next request."},
};

const config_schema_t rest_config_schema = {
    .service = "rest",
    .summary = "Serves Parley's HTTP API and the web page.",
    .admin_listen = "127.0.0.1:5021",
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .size = sizeof(rest_config_t),
};
