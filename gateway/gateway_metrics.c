#include "gateway/gateway_metrics.h"

#include "gateway/events.h"
#include "gateway/gateway_core.h"
#include "gateway/socketio/engineio.h"
#include "proto/proto.h"

static const char *const event_names[] = {
#define X(NAME, name, required, optional, bare, rate, request) [EVENT_##NAME] = (name),
    CLIENT_EVENTS(X)
#undef X
        [EVENT_UNKNOWN] = "unknown",
    NULL};

static const char *const code_names[] = {
#define X(number, NAME, text) [CODE_##NAME] = (text),
    CODES(X)
#undef X
        NULL};

static const char *const close_names[] = {
#define X(NAME, name) [GATEWAY_CLOSE_##NAME] = (name),
    GATEWAY_CLOSE_REASONS(X)
#undef X
        NULL};

/* Must name what eio_close_t does; the unit test compares. */
static const char *const engine_close_names[] = {
    "transport_close", "client_close", "ping_timeout",   "parse_error",     "too_large",
    "poll_conflict",   "queue_limit",  "protocol_error", "connect_timeout", "client_left",
    "server_left",     "server_close", "overload",       "shutdown",        NULL};
_Static_assert(sizeof(engine_close_names) / sizeof(engine_close_names[0]) == EIO_CLOSE_REASONS + 1,
               "one name for each reason");

static const char *const connect_names[] = {[CONNECT_ACCEPTED] = "accepted",
                                            [CONNECT_UNAUTHORIZED] = "unauthorized",
                                            [CONNECT_EXPIRED] = "token_expired",
                                            [CONNECT_LIMITED] = "rate_limited",
                                            [CONNECT_UNAVAILABLE] = "unavailable",
                                            [CONNECT_GONE] = "gone",
                                            NULL};
static const char *const out_names[] = {[OUT_NEW_MESSAGE] = "new_message",
                                        [OUT_TYPING] = "typing",
                                        [OUT_READ] = "messages_read",
                                        [OUT_PRESENCE] = "presence",
                                        [OUT_CONVERSATION] = "conversation",
                                        [OUT_POSITION] = "position",
                                        [OUT_ERROR] = "error",
                                        NULL};
static const char *const busy_names[] = {[BUSY_BUS] = "bus",
                                         [BUSY_WRITES] = "writes",
                                         [BUSY_SOCKET] = "socket",
                                         [BUSY_ROOMS] = "rooms",
                                         [BUSY_MEMBERS] = "memberships",
                                         [BUSY_HINT] = "hint",
                                         NULL};
static const char *const recovery_names[] = {[RECOVERY_DONE] = "recovered",
                                             [RECOVERY_BAD_PID] = "bad_pid",
                                             [RECOVERY_BAD_OFFSET] = "bad_offset",
                                             [RECOVERY_ENDED] = "ended",
                                             [RECOVERY_GENERATION] = "generation_changed",
                                             [RECOVERY_TOO_MUCH] = "too_much",
                                             [RECOVERY_UNAVAILABLE] = "unavailable",
                                             [RECOVERY_GONE] = "gone",
                                             NULL};
static const char *const gap_names[] = {[GAP_HEALED] = "healed", [GAP_FAILED] = "failed", NULL};
static const char *const direction_names[] = {[DIRECTION_IN] = "in", [DIRECTION_OUT] = "out", NULL};
static const char *const transport_names[] = {
    [TRANSPORT_POLLING] = "polling", [TRANSPORT_WEBSOCKET] = "websocket", NULL};
static const char *const limit_names[] = {
    [LIMIT_ADDRESS] = "address", [LIMIT_USER] = "user", [LIMIT_HANDSHAKES] = "handshakes", NULL};

#define GAUGE(metric, text, about)                                                                 \
    [(metric)] = {.kind = METRICS_GAUGE, .name = "parley_gateway_" text, .help = (about)}
#define COUNTER(metric, text, about)                                                               \
    [(metric)] = {.kind = METRICS_COUNTER, .name = "parley_gateway_" text "_total", .help = (about)}
#define COUNTER_BY(metric, text, about, label, values)                                             \
    [(metric)] = {.kind = METRICS_COUNTER,                                                         \
                  .name = "parley_gateway_" text "_total",                                         \
                  .help = (about),                                                                 \
                  .labels = {{(label), (values)}}}
#define SECONDS(metric, text, about)                                                               \
    [(metric)] = {.kind = METRICS_HISTOGRAM,                                                       \
                  .name = "parley_gateway_" text "_seconds",                                       \
                  .help = (about),                                                                 \
                  .buckets = metrics_latency_buckets}

const metrics_def_t gateway_metric_defs[METRIC_COUNT] = {
    GAUGE(METRIC_SESSIONS, "sessions", "Sockets with a valid token."),
    GAUGE(METRIC_USERS, "users", "Users with at least one socket here."),
    GAUGE(METRIC_ROOMS, "rooms", "Conversations joined by somebody here."),
    GAUGE(METRIC_MEMBERSHIPS, "memberships", "Sockets times the conversations they joined."),
    GAUGE(METRIC_WATCHES, "watches", "Users whose presence is followed."),
    GAUGE(METRIC_INTERESTS, "interests",
          "Conversations times their participants who are followed."),
    GAUGE(METRIC_JOIN_WAITING_BYTES, "join_waiting_bytes",
          "Answers to joins that wait for the participants' presence."),
    GAUGE(METRIC_CONNECTING, "connecting", "Clients whose token is being checked."),
    GAUGE(METRIC_REQUESTS_PENDING, "requests_pending", "Client events not answered yet."),
    GAUGE(METRIC_WRITES_PENDING, "writes_pending",
          "Messages and read marks that wait for the broker that has most of them."),
    COUNTER_BY(METRIC_CONNECTS, "connects", "Clients that asked to be let in, by outcome.",
               "outcome", connect_names),
    COUNTER_BY(METRIC_RECOVERIES, "recoveries", "Clients that showed a session to go on with.",
               "outcome", recovery_names),
    COUNTER(METRIC_RECOVERED_EVENTS, "recovered_events",
            "Events replayed to those who missed them."),
    SECONDS(METRIC_RECOVERY_SECONDS, "recovery", "From a valid token to the recovered session."),
    COUNTER_BY(METRIC_EVENTS_IN, "events_in", "Events of clients.", "event", event_names),
    COUNTER_BY(METRIC_EVENTS_OUT, "events_out", "Events to clients, one for each socket.", "event",
               out_names),
    [METRIC_ACKS] = {.kind = METRICS_COUNTER,
                     .name = "parley_gateway_answers_total",
                     .help = "Client events answered, by outcome.",
                     .labels = {{"event", event_names}, {"code", code_names}}},
    COUNTER_BY(METRIC_UNAVAILABLE, "unavailable",
               "Client events answered unavailable here, by the bound that was reached.", "reason",
               busy_names),
    COUNTER(METRIC_HINTS_SHED, "hints_shed",
            "Typing events left out for clients that don't read fast enough."),
    SECONDS(METRIC_SEND_SECONDS, "send", "From send_message to its ok acknowledgement."),
    SECONDS(METRIC_JOIN_SECONDS, "join", "From join_conversation to its ok acknowledgement."),
    SECONDS(METRIC_DELIVER_SECONDS, "deliver",
            "From a message's commit to its going out to members here; by two machines' clocks."),
    COUNTER_BY(METRIC_CLOSES, "closes", "Transports that the gateway closed.", "reason",
               close_names),
    COUNTER_BY(METRIC_RATE_LIMITED, "rate_limited", "Events over a rate limit.", "event",
               event_names),
    COUNTER_BY(METRIC_CONNECTIONS_LIMITED, "connections_limited",
               "Connections over a limit, by the limit.", "limit", limit_names),
    COUNTER_BY(METRIC_GAPS, "gap_fetches", "Reads of what members had missed.", "outcome",
               gap_names),
    COUNTER(METRIC_MESSAGES_CLAIMED, "messages_claimed",
            "Sends answered by their message, which came before the answer."),
    COUNTER(METRIC_EXPELLED, "expelled", "Memberships that ended because the rights did."),
    COUNTER(METRIC_BUS_MALFORMED, "bus_malformed", "Messages of brokers that break the schema."),
    [METRIC_ENGINE_SESSIONS] = {.kind = METRICS_GAUGE,
                                .name = "parley_gateway_connections",
                                .help = "Open Engine.IO sessions.",
                                .labels = {{"transport", transport_names}}},
    GAUGE(METRIC_ENGINE_SESSIONS_LIMIT, "connections_limit",
          "Bound of parley_gateway_connections."),
    GAUGE(METRIC_ENGINE_QUEUED_BYTES, "queued_bytes", "Waiting to be written to clients."),
    GAUGE(METRIC_ENGINE_INPUT_BYTES, "input_bytes", "Of packets and POSTs that are not whole yet."),
    COUNTER(METRIC_ENGINE_REFUSED_INPUT, "input_refused",
            "Packets and POSTs given up, as too much came in at once."),
    COUNTER(METRIC_ENGINE_EVICTED, "sessions_evicted",
            "Sessions without a token closed to make room for others."),
    COUNTER_BY(METRIC_ENGINE_BYTES, "bytes", "Bytes of packets.", "direction", direction_names),
    COUNTER_BY(METRIC_ENGINE_PACKETS, "packets", "Engine.IO packets.", "direction",
               direction_names),
    COUNTER(METRIC_ENGINE_HANDSHAKES, "handshakes", "Engine.IO sessions opened."),
    COUNTER(METRIC_ENGINE_REFUSED, "requests_refused", "HTTP requests answered with an error."),
    COUNTER(METRIC_ENGINE_UPGRADES, "upgrades", "Sessions that went from polling to WebSocket."),
    COUNTER_BY(METRIC_ENGINE_CLOSES, "connection_closes", "Engine.IO sessions ended.", "reason",
               engine_close_names),
    GAUGE(METRIC_TCP_CONNECTIONS, "tcp_connections", "Open TCP connections of clients."),
    COUNTER(METRIC_TCP_EVICTED, "tcp_connections_evicted",
            "TCP connections closed, or turned away, as there were too many."),
};
