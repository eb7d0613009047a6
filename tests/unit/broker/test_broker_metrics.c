#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/broker_metrics.h"

static void send(void *ctx, void *link, const envelope_t *envelope) {
    (void)ctx;
    (void)link;
    (void)envelope;
}

static void job_ended(void *ctx, job_class_t class, job_outcome_t outcome, int64_t took_ms) {
    (void)ctx;
    (void)class;
    (void)outcome;
    (void)took_ms;
}

static void refused(void *ctx, void *link, const envelope_t *envelope, const char *what) {
    (void)ctx;
    (void)link;
    (void)envelope;
    (void)what;
}

static bool is_behind(void *ctx, void *link) {
    (void)ctx;
    (void)link;
    return false;
}

static void gauges_show_the_core_and_the_bus(void **state) {
    (void)state;
    static const char *const lines[] = {
        "\nparley_broker_peers{role=\"gateway\"} 1\n",
        "\nparley_broker_peers{role=\"persist-worker\"} 0\n",
        "\nparley_broker_rooms 1\n",
        "\nparley_broker_memberships 1\n",
        "\nparley_broker_users_online 1\n",
        "\nparley_broker_jobs{class=\"write\",state=\"queued\"} 5\n",
        "\nparley_broker_jobs{class=\"write\",state=\"in_flight\"} 0\n",
        "\nparley_broker_jobs_max{class=\"write\"} 5\n",
        "\nparley_broker_job_bytes_max{class=\"auth\"} 30\n",
        "\nparley_broker_requests_refused_total{code=\"forbidden\"} 1\n",
        "\nparley_broker_bus_envelopes_total{direction=\"sent\"} 3\n",
        "\nparley_broker_bus_envelopes_total{direction=\"received\"} 4\n",
        "\nparley_broker_requests_refused_total{code=\"unavailable\"} 1\n",
        "\nparley_broker_unavailable_total{reason=\"write_jobs\"} 1\n",
        "\nparley_broker_unavailable_total{reason=\"hint\"} 0\n",
        "\nparley_broker_hints_shed_total 0\n",
        "\nparley_broker_presence_owed 0\n",
        "\nparley_broker_rejoin_held_bytes 0\n",
        "\nparley_broker_bus_unread_bytes{role=\"gateway\"} 7\n",
        "\nparley_broker_bus_unread_bytes{role=\"rest\"} 8\n",
        "\nparley_broker_bus_resyncs_total 5\n",
        "\nparley_broker_bus_dropped_total 6\n",
    };
    const broker_core_ops_t ops = {
        .send = send, .job_ended = job_ended, .refused = refused, .is_behind = is_behind};
    const broker_core_config_t config = {
        .rooms = {9, 9},
        .jobs = {.classes = {{5, 10000}, {5, 20}, {5, 30}}, .max_deadline_ms = 1000}};
    const broker_bus_figures_t bus = {
        .stats = {.sent = 3, .received = 4, .resyncs = 5, .dropped = 6}, .unread_bytes = {7, 8}};
    broker_core_t *core = broker_core_new(&config, &ops, NULL, 0, 0);
    broker_core_peer_t up = {.role = ROLE_GATEWAY};
    peer_t *gateway = broker_core_peer_up(core, &up, 0);
    envelope_t envelope = {
        .type = MSG_SUBSCRIBE, .room = STR("user_1"), .user = STR("1"), .session = 5};
    broker_core_deliver(core, gateway, &envelope, 0);
    envelope.type = MSG_SEND;
    envelope.room = STR("conv_1_2");
    broker_core_deliver(core, gateway, &envelope, 0);
    envelope.user = STR("3");
    broker_core_deliver(core, gateway, &envelope, 0);
    envelope.user = STR("1");
    for (uint64_t i = 0; i < 5; i++)
        broker_core_deliver(core, gateway, &envelope, 0);

    metrics_t *metrics = broker_metrics_new(&config);
    strbuf_t text = {0};
    broker_metrics_collect(metrics, core, &bus);
    metrics_write(metrics, &text);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (!strstr(strbuf_cstr(&text), lines[i]))
            fail_msg("no%sin\n%s", lines[i], strbuf_cstr(&text));
    }
    strbuf_fini(&text);
    metrics_free(&metrics);
    broker_core_free(&core);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gauges_show_the_core_and_the_bus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
