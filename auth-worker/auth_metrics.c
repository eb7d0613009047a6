#include "auth-worker/auth_metrics.h"

#include "auth-worker/tokens.h"
#include "proto/proto.h"

static const char *const requests[] = {"register", "login", "refresh", NULL};
static const char *const loads[] = {"ok", "failed", NULL};
#define X(number, NAME, text) text,
static const char *const codes[] = {CODES(X) NULL};
#undef X

static const metrics_def_t defs[METRIC_COUNT] = {
    [METRIC_VERIFICATIONS] = {METRICS_COUNTER,
                              "parley_auth_verifications_total",
                              "Tokens checked, by outcome.",
                              {{"result", tokens_result_names}}},
    [METRIC_REQUESTS] = {METRICS_COUNTER,
                         "parley_auth_requests_total",
                         "Requests to register, log in or refresh, by the answer's code.",
                         {{"request", requests}, {"code", codes}}},
    [METRIC_PASSWORD_SECONDS] = {METRICS_HISTOGRAM, "parley_auth_password_seconds",
                                 "Time to hash or compare one password, without waiting.",
                                 .buckets = metrics_latency_buckets},
    [METRIC_PASSWORD_PENDING] = {METRICS_GAUGE, "parley_auth_passwords_pending",
                                 "Passwords waiting for a thread or on one."},
    [METRIC_ACCOUNTS_PENDING] = {METRICS_GAUGE, "parley_auth_accounts_pending",
                                 "Requests to register or log in that are under way."},
    [METRIC_DATABASE_UP] = {METRICS_GAUGE, "parley_auth_database_up",
                            "1 while both connections to PostgreSQL are there."},
    [METRIC_DATABASE_PENDING] = {METRICS_GAUGE, "parley_auth_statements_pending",
                                 "Statements waiting for PostgreSQL or under way."},
    [METRIC_STATEMENT_SECONDS] = {METRICS_HISTOGRAM, "parley_auth_statement_seconds",
                                  "Time of statements in the database, without waiting.",
                                  .buckets = metrics_latency_buckets},
    [METRIC_ATTEMPTS_REMEMBERED] = {METRICS_GAUGE, "parley_auth_attempts_remembered",
                                    "Users and addresses whose attempts are being counted."},
    [METRIC_KEYS] = {METRICS_GAUGE, "parley_auth_keys", "Keys that tokens are checked with."},
    [METRIC_KEY_LOADS] = {METRICS_COUNTER,
                          "parley_auth_key_loads_total",
                          "Times the keys were read, by outcome.",
                          {{"result", loads}}},
    [METRIC_BAD_ENVELOPES] = {METRICS_COUNTER, "parley_auth_bad_envelopes_total",
                              "Envelopes from brokers that were refused."},
};

metrics_t *auth_metrics_new(void) {
    return metrics_new(defs, METRIC_COUNT);
}
