#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/broker_config.h"

/* NAME, value, NAME, value, …, NULL */
static const char *lookup(void *context, const char *variable) {
    for (const char **at = context; *at; at += 2) {
        if (strcmp(at[0], variable) == 0)
            return at[1];
    }
    return NULL;
}

static void defaults_bind_the_only_broker_of_the_list(void **state) {
    (void)state;
    const char *environment[] = {NULL};
    broker_config_t config;
    strbuf_t errors = {0};
    assert_int_equal(config_parse(&broker_config_schema, lookup, environment, &config, &errors),
                     OK);
    assert_string_equal(broker_config_endpoint(&config), "tcp://127.0.0.1:5700");
    assert_string_equal(broker_config_bind(&config), "tcp://127.0.0.1:5700");
    broker_core_config_t core = broker_config_core(&config, 9);
    assert_int_equal(core.epoch, 9);
    assert_int_equal(core.typing.timeout_ms, 5000);
    assert_int_equal(core.presence.grace_ms, 3000);
    assert_int_equal(core.presence.settle_ms, 5000);
    assert_int_equal(core.jobs.classes[JOB_WRITE].max_jobs, 20000);
    assert_int_equal(core.retry_after_ms, 1000);
    config_fini(&broker_config_schema, &config);
    strbuf_fini(&errors);
}

/* Every variable has a value of its own. */
static const char *const every_limit[] = {"BROKERS",
                                          "tcp://b1:1,tcp://b2:1",
                                          "BUS_KEYS",
                                          "/run/keys",
                                          "BROKER_ENDPOINT",
                                          "tcp://b2:1",
                                          "BROKER_BIND",
                                          "tcp://*:1",
                                          "ROOMS_MAX",
                                          "1",
                                          "MEMBERSHIPS_MAX",
                                          "2",
                                          "WATCHES_MAX",
                                          "3",
                                          "TYPING_MAX",
                                          "4",
                                          "TYPING_TIMEOUT_MS",
                                          "5",
                                          "PRESENCE_GRACE_MS",
                                          "6",
                                          "PRESENCE_SETTLE_MS",
                                          "7",
                                          "LAST_SEEN_MAX",
                                          "8",
                                          "GROUP_CACHE_BYTES_MAX",
                                          "9",
                                          "GROUP_WAITING_MAX",
                                          "10",
                                          "GROUP_WAITING_BYTES_MAX",
                                          "11",
                                          "GROUP_LOAD_TIMEOUT_MS",
                                          "12",
                                          "WRITE_JOBS_MAX",
                                          "13",
                                          "WRITE_JOB_BYTES_MAX",
                                          "14",
                                          "READ_JOBS_MAX",
                                          "15",
                                          "READ_JOB_BYTES_MAX",
                                          "16",
                                          "AUTH_JOBS_MAX",
                                          "17",
                                          "AUTH_JOB_BYTES_MAX",
                                          "18",
                                          "JOB_DEADLINE_MAX_MS",
                                          "19",
                                          "RETRY_AFTER_MS",
                                          "20",
                                          "REJOIN_HELD_BYTES_MAX",
                                          "21",
                                          "USER_EVENTS_MAX",
                                          "22",
                                          "USER_EVENT_BYTES_MAX",
                                          "23",
                                          NULL};

static void every_limit_reaches_the_core(void **state) {
    (void)state;
    const broker_core_config_t expected = {
        .epoch = 1,
        .rooms = {1, 2},
        .typing = {4, 5},
        .presence = {6, 7, 3, 8},
        .rights = {9, 10, 11},
        .jobs = {.classes = {{13, 14}, {15, 16}, {17, 18}}, .max_deadline_ms = 19},
        .user_events = {22, 23, 7, USER_EVENTS_KEEP_MS},
        .group_load_timeout_ms = 12,
        .retry_after_ms = 20,
        .max_held_bytes = 21};
    broker_config_t config;
    strbuf_t errors = {0};
    assert_int_equal(
        config_parse(&broker_config_schema, lookup, (void *)every_limit, &config, &errors), OK);
    assert_string_equal(broker_config_endpoint(&config), "tcp://b2:1");
    assert_string_equal(broker_config_bind(&config), "tcp://*:1");
    broker_core_config_t core = broker_config_core(&config, 1);
    assert_memory_equal(&core, &expected, sizeof(core));
    config_fini(&broker_config_schema, &config);
    strbuf_fini(&errors);
}

static void endpoint_must_be_in_the_list(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"ipc://b1,ipc://b2", "", "BROKER_ENDPOINT must be set, as BROKERS has several"},
        {"ipc://b1", "ipc://b2", "BROKER_ENDPOINT=ipc://b2 is not in BROKERS"},
        {"ipc://b1", "nonsense", "BROKER_ENDPOINT"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *environment[] = {"BROKERS", rows[i][0], "BROKER_ENDPOINT", rows[i][1], NULL};
        broker_config_t config;
        strbuf_t errors = {0};
        assert_int_equal(config_parse(&broker_config_schema, lookup, environment, &config, &errors),
                         ERR_INVALID);
        assert_non_null(strstr(strbuf_cstr(&errors), rows[i][2]));
        strbuf_fini(&errors);
    }
}

static void without_keys_it_binds_to_this_machine_alone(void **state) {
    (void)state;
    const char *environment[] = {"BROKER_BIND", "tcp://*:5700", NULL, NULL, NULL};
    broker_config_t config;
    strbuf_t errors = {0};
    assert_int_equal(config_parse(&broker_config_schema, lookup, environment, &config, &errors),
                     ERR_INVALID);
    assert_non_null(strstr(strbuf_cstr(&errors), "BROKER_BIND: links at tcp://*:5700 would leave"));
    environment[2] = "BUS_KEYS";
    environment[3] = "/run/keys";
    assert_int_equal(config_parse(&broker_config_schema, lookup, environment, &config, &errors),
                     OK);
    config_fini(&broker_config_schema, &config);
    strbuf_fini(&errors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_bind_the_only_broker_of_the_list),
        cmocka_unit_test(every_limit_reaches_the_core),
        cmocka_unit_test(endpoint_must_be_in_the_list),
        cmocka_unit_test(without_keys_it_binds_to_this_machine_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
