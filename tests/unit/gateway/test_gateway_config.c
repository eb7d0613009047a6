/* gateway_config: defaults that hold, and what follows from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/gateway_config.h"

/* The environment: NAME=value, one at a time. */
static const char *look_up(void *context, const char *variable) {
    const char *setting = *(const char **)context;
    size_t n = strlen(variable);
    bool is_it = setting && strncmp(setting, variable, n) == 0 && setting[n] == '=';
    return is_it ? setting + n + 1 : NULL;
}

static err_t parse(const char *setting, gateway_config_t *config) {
    strbuf_t errors = {0};
    err_t err = config_parse(&gateway_config_schema, look_up, &setting, config, &errors);
    assert_int_equal(err != OK, errors.n > 0);
    strbuf_fini(&errors);
    return err;
}

static void test_defaults(void **state) {
    (void)state;
    gateway_config_t config;
    assert_int_equal(parse(NULL, &config), OK);
    gateway_core_config_t core = gateway_config_core(&config);
    assert_true(core.rates.on);
    assert_int_equal(core.rates.socket[RATE_SEND].count, 20);
    assert_int_equal(core.rates.socket[RATE_SEND].burst, 60);
    assert_int_equal(core.rates.user[RATE_SEND].burst, 180);
    assert_int_equal(core.sessions.max_per_user, 50);
    assert_int_equal(core.sessions.max_per_address, 2000);
    assert_int_equal(gateway_config_handshakes(&config).burst, 4000);
    assert_int_equal(config.ping_interval_ms, 25000);
    config_fini(&gateway_config_schema, &config);
}

static void test_off_lifts_connection_limits_too(void **state) {
    (void)state;
    gateway_config_t config;
    assert_int_equal(parse("RATE_LIMIT=off", &config), OK);
    gateway_core_config_t core = gateway_config_core(&config);
    assert_false(core.rates.on);
    assert_int_equal(core.sessions.max_per_user, 0);
    assert_int_equal(core.sessions.max_per_address, 0);
    assert_true(config.max_connections > 0);
    config_fini(&gateway_config_schema, &config);
}

static void test_bad_values(void **state) {
    (void)state;
    static const char *const bad[] = {"RATE_LIMIT=maybe",
                                      "RATE_SENDS=0",
                                      "TRUSTED_PROXIES=proxy",
                                      "FRONTEND_URL=example.org",
                                      "MAX_PAYLOAD=1",
                                      "PING_TIMEOUT_MS=-1",
                                      "RATE_SENDS_BURST=1000001",
                                      "LISTEN=5010:x",
                                      "MAX_TOTAL_INBOUND_BYTES=1999999",
                                      "MAX_TOTAL_OUTBOUND_BYTES=8388607"};
    gateway_config_t config;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse(bad[i], &config), ERR_INVALID);
}

/* The largest rate times the largest factor still fits a bucket. */
static void test_rates_do_not_overflow(void **state) {
    (void)state;
    gateway_config_t config;
    assert_int_equal(parse(NULL, &config), OK);
    config.send_burst = 1000000;
    config.user_rate_factor = 1000;
    assert_int_equal(gateway_config_core(&config).rates.user[RATE_SEND].burst, 1000000000);
    config_fini(&gateway_config_schema, &config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_off_lifts_connection_limits_too),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_rates_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
