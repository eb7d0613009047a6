/* config: every kind of option, defaults, faults that name themselves, and the texts made of a
 * table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/config.h"
#include "common/log_line.h"

typedef struct {
    config_common_t common;
    char *title;
    char *secret;
    uint64_t count;
    bool enabled;
    int64_t interval_ms;
    int64_t ttl_ms;
    int colour;
    config_list_t origins;
    config_endpoint_t listen;
    char *optional;
} sample_config_t;

static const char *const colours[] = {"red", "green", NULL};

static const config_option_t options[] = {
    {CONFIG_FIELD(sample_config_t, title), .variable = "TITLE", .kind = CONFIG_STRING, .min = 2,
     .max = 5, .fallback = "abc", .doc = "A title."},
    {CONFIG_FIELD(sample_config_t, secret), .variable = "SECRET", .kind = CONFIG_SECRET, .min = 4,
     .max = 10, .required = true, .doc = "A key | a secret."},
    {CONFIG_FIELD(sample_config_t, count), .variable = "COUNT", .kind = CONFIG_U64, .min = 1,
     .max = 10, .fallback = "3", .doc = "A count."},
    {CONFIG_FIELD(sample_config_t, enabled), .variable = "ENABLED", .kind = CONFIG_BOOL,
     .fallback = "on", .doc = "A switch."},
    {CONFIG_FIELD(sample_config_t, interval_ms), .variable = "INTERVAL_MS", .kind = CONFIG_MS,
     .min = 100, .max = 60000, .fallback = "25000", .doc = "An interval."},
    {CONFIG_FIELD(sample_config_t, ttl_ms), .variable = "TTL_SECONDS", .kind = CONFIG_SECONDS,
     .min = 1, .max = 86400, .fallback = "3600", .doc = "A time."},
    {CONFIG_FIELD(sample_config_t, colour), .variable = "COLOUR", .kind = CONFIG_WORD,
     .words = colours, .fallback = "green", .doc = "A colour."},
    {CONFIG_FIELD(sample_config_t, origins), .variable = "ORIGINS", .kind = CONFIG_LIST, .min = 0,
     .max = 3, .doc = "Some origins."},
    {CONFIG_FIELD(sample_config_t, listen), .variable = "LISTEN", .kind = CONFIG_ENDPOINT,
     .fallback = "127.0.0.1:5010", .doc = "An address."},
    {CONFIG_FIELD(sample_config_t, optional), .variable = "OPTIONAL", .kind = CONFIG_STRING,
     .max = 5, .doc = "May be missing."},
};

static void check_sample(const void *config, strbuf_t *errors) {
    const sample_config_t *sample = config;
    if (sample->count == 7 && !sample->enabled)
        strbuf_append(errors, STR("COUNT: 7 needs ENABLED\n"));
}

static const config_schema_t schema = {
    .service = "sample",
    .summary = "A sample.",
    .admin_listen = "127.0.0.1:5999",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .size = sizeof(sample_config_t),
    .check = check_sample,
};

typedef struct {
    const char *const *pairs; /* name, value, …, NULL */
} environment_t;

static const char *look_up(void *context, const char *variable) {
    const environment_t *environment = context;
    for (size_t i = 0; environment->pairs[i]; i += 2) {
        if (strcmp(environment->pairs[i], variable) == 0)
            return environment->pairs[i + 1];
    }
    return NULL;
}

static err_t parse(const char *const *pairs, sample_config_t *config, strbuf_t *errors) {
    environment_t environment = {pairs};
    return config_parse(&schema, look_up, &environment, config, errors);
}

#define PARSE(config, errors, ...)                                                                 \
    parse((const char *const[]){"SECRET", "hush!", __VA_ARGS__, NULL}, config, errors)

static void test_defaults(void **state) {
    (void)state;
    sample_config_t config;
    strbuf_t errors = {0};
    assert_int_equal(PARSE(&config, &errors, "TITLE", ""), OK);
    assert_int_equal(errors.n, 0);
    assert_string_equal(config.common.instance, "sample-1");
    assert_int_equal(config.common.brokers.n, 1);
    assert_string_equal(config.common.brokers.items[0], "tcp://127.0.0.1:5700");
    assert_string_equal(config.common.admin_listen.host, "127.0.0.1");
    assert_int_equal(config.common.admin_listen.port, 5999);
    assert_int_equal(config.common.log_level, LOG_LEVEL_INFO);
    assert_int_equal(config.common.drain_ms, 10000);
    assert_string_equal(config.title, "abc");
    assert_string_equal(config.secret, "hush!");
    assert_int_equal(config.count, 3);
    assert_true(config.enabled);
    assert_int_equal(config.interval_ms, 25000);
    assert_int_equal(config.ttl_ms, 3600000);
    assert_int_equal(config.colour, 1);
    assert_int_equal(config.origins.n, 0);
    assert_string_equal(config.listen.host, "127.0.0.1");
    assert_int_equal(config.listen.port, 5010);
    assert_null(config.optional);
    config_fini(&schema, &config);
    assert_null(config.secret);
}

static void test_values(void **state) {
    (void)state;
    sample_config_t config;
    strbuf_t errors = {0}, values = {0};
    assert_int_equal(PARSE(&config, &errors, "TITLE", "hello", "COUNT", "10", "ENABLED", "no",
                           "INTERVAL_MS", "100", "TTL_SECONDS", "1", "COLOUR", "red", "ORIGINS",
                           "http://a, http://b ,c", "LISTEN", "[::1]:0", "BROKERS",
                           "tcp://broker-1:5700,ipc:///run/b", "BUS_KEYS", "/run/keys", "LOG_LEVEL",
                           "debug", "INSTANCE", "sample-x9", "ADMIN_LISTEN", "localhost:65535"),
                     OK);
    config_write_values(&schema, &config, &values);
    assert_string_equal(strbuf_cstr(&values), "INSTANCE=sample-x9\n"
                                              "BROKERS=tcp://broker-1:5700,ipc:///run/b\n"
                                              "BUS_KEYS=/run/keys\n"
                                              "BUS_PLAINTEXT=off\n"
                                              "ADMIN_LISTEN=localhost:65535\n"
                                              "LOG_LEVEL=debug\n"
                                              "DRAIN_SECONDS=10\n"
                                              "TITLE=hello\n"
                                              "SECRET=(set)\n"
                                              "COUNT=10\n"
                                              "ENABLED=off\n"
                                              "INTERVAL_MS=100\n"
                                              "TTL_SECONDS=1\n"
                                              "COLOUR=red\n"
                                              "ORIGINS=http://a,http://b,c\n"
                                              "LISTEN=[::1]:0\n"
                                              "OPTIONAL=\n");
    strbuf_fini(&values);
    config_fini(&schema, &config);
}

static void test_faults(void **state) {
    (void)state;
    static const struct {
        const char *variable, *value, *error;
    } cases[] = {
        {"TITLE", "a", "TITLE: \"a\" is not allowed; it takes 2 to 5 bytes\n"},
        {"TITLE", "abcdef", "TITLE: \"abcdef\" is not allowed; it takes 2 to 5 bytes\n"},
        {"COUNT", "0", "COUNT: \"0\" is not allowed; it takes a whole number from 1 to 10\n"},
        {"COUNT", "11", "COUNT: \"11\" is not allowed; it takes a whole number from 1 to 10\n"},
        {"COUNT", "-1", "COUNT: \"-1\" is not allowed; it takes a whole number from 1 to 10\n"},
        {"COUNT", "1e1", "COUNT: \"1e1\" is not allowed; it takes a whole number from 1 to 10\n"},
        {"ENABLED", "maybe", "ENABLED: \"maybe\" is not allowed; it takes on or off\n"},
        {"INTERVAL_MS", "99",
         "INTERVAL_MS: \"99\" is not allowed; it takes 100 to 60000 milliseconds\n"},
        {"TTL_SECONDS", "86401",
         "TTL_SECONDS: \"86401\" is not allowed; it takes 1 to 86400 seconds\n"},
        {"COLOUR", "Red", "COLOUR: \"Red\" is not allowed; it takes one of red, green\n"},
        {"ORIGINS", "a,b,c,d",
         "ORIGINS: \"a,b,c,d\" is not allowed; it takes 0 to 3 entries with commas between\n"},
        {"INSTANCE", "Sample_1",
         "INSTANCE: \"Sample_1\" is not allowed; it takes 1 to 32 bytes: a-z, 0-9 and -\n"},
        {"LOG_LEVEL", "loud",
         "LOG_LEVEL: \"loud\" is not allowed; it takes one of debug, info, warn, error\n"},
        {"BROKERS", "ipc://a,tcp://[::1]:2,ipc://a", "BROKERS: ipc://a is there twice\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sample_config_t config;
        strbuf_t errors = {0};
        assert_int_equal(PARSE(&config, &errors, cases[i].variable, cases[i].value), ERR_INVALID);
        assert_string_equal(strbuf_cstr(&errors), cases[i].error);
        assert_null(config.secret);
        strbuf_fini(&errors);
    }
}

static void test_endpoints(void **state) {
    (void)state;
    static const char *const bad[] = {"5010",    ":5010",  "host:", "host:65536", "host:-1",
                                      "host:1a", "[]:1",   "a b:1", "::1:80",     "\x10:80",
                                      "[::1]",   "[::1:1", "a/b:1", "h:1:2",      "@:80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sample_config_t config;
        strbuf_t errors = {0};
        assert_int_equal(PARSE(&config, &errors, "LISTEN", bad[i]), ERR_INVALID);
        strbuf_fini(&errors);
    }
    assert_true(config_is_bus_endpoint(STR("tcp://127.0.0.1:5700")));
    assert_true(config_is_bus_endpoint(STR("tcp://[::1]:5700")));
    assert_true(config_is_bus_endpoint(STR("ipc:///run/parley/broker")));
    assert_false(config_is_bus_endpoint(STR("ipc://")));
    assert_false(config_is_bus_endpoint(STR("tcp://127.0.0.1:0")));
    assert_false(config_is_bus_endpoint(STR("tcp://127.0.0.1")));
    assert_false(config_is_bus_endpoint(STR("127.0.0.1:5700")));
    assert_false(config_is_bus_endpoint(STR("udp://127.0.0.1:5700")));
    char longest[120];
    snprintf(longest, sizeof(longest), "ipc://%0100d", 0);
    assert_false(config_is_bus_endpoint(str_from(longest)));
    longest[105] = '\0';
    assert_true(config_is_bus_endpoint(str_from(longest)));
}

static void test_lists(void **state) {
    (void)state;
    static const char *const bad[] = {",", "a,", ",a", "a,,b", " ", "a, ,b"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sample_config_t config;
        strbuf_t errors = {0};
        assert_int_equal(PARSE(&config, &errors, "ORIGINS", bad[i]), ERR_INVALID);
        strbuf_fini(&errors);
    }
    assert_false(config_is_instance(STR("")));
    assert_true(config_is_instance(STR("0123456789abcdefghijklmnopqrst-v")));
    assert_false(config_is_instance(STR("0123456789abcdefghijklmnopqrst-vw")));
}

/* A secret is never repeated, and every fault is told at once. */
static void test_secret_and_several_faults(void **state) {
    (void)state;
    sample_config_t config;
    strbuf_t errors = {0};
    const char *const pairs[] = {"SECRET", "abc", "COUNT", "x", NULL};
    assert_int_equal(parse(pairs, &config, &errors), ERR_INVALID);
    assert_string_equal(strbuf_cstr(&errors),
                        "SECRET: its value is not allowed; it takes 4 to 10 bytes\n"
                        "COUNT: \"x\" is not allowed; it takes a whole number from 1 to 10\n");
    strbuf_clear(&errors);
    const char *const none[] = {NULL};
    assert_int_equal(parse(none, &config, &errors), ERR_INVALID);
    assert_string_equal(strbuf_cstr(&errors), "SECRET: must be set: A key | a secret.\n");
    strbuf_clear(&errors);
    assert_int_equal(PARSE(&config, &errors, "COUNT", "7", "ENABLED", "off"), ERR_INVALID);
    assert_string_equal(strbuf_cstr(&errors), "COUNT: 7 needs ENABLED\n");
    strbuf_fini(&errors);
}

/* Without keys nothing may leave the machine. */
static void test_encryption(void **state) {
    (void)state;
    static const char *const local[] = {"ipc:///run/b", "tcp://localhost:1", "tcp://127.0.0.1:1",
                                        "tcp://127.9.8.7:1", "tcp://[::1]:1"};
    static const char *const remote[] = {
        "tcp://broker:1",       "tcp://10.0.0.1:1",  "tcp://0.0.0.0:1",     "tcp://[::]:1",
        "tcp://127.evil.com:1", "tcp://128.0.0.1:1", "tcp://localhost.a:1", "tcp://127.0.0.1.2:1"};
    sample_config_t config;
    strbuf_t errors = {0};
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        assert_int_equal(PARSE(&config, &errors, "BROKERS", local[i]), OK);
        config_fini(&schema, &config);
    }
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
        strbuf_clear(&errors);
        assert_int_equal(PARSE(&config, &errors, "BROKERS", remote[i]), ERR_INVALID);
        assert_non_null(strstr(strbuf_cstr(&errors), "would leave this machine unencrypted; set "
                                                     "BUS_KEYS"));
        assert_int_equal(PARSE(&config, &errors, "BROKERS", remote[i], "BUS_KEYS", "/k"), OK);
        config_fini(&schema, &config);
        assert_int_equal(PARSE(&config, &errors, "BROKERS", remote[i], "BUS_PLAINTEXT", "on"), OK);
        config_fini(&schema, &config);
    }
    strbuf_clear(&errors);
    config_check_encrypted(&(config_common_t){0}, "BIND", "tcp://*:5700", &errors);
    assert_true(str_starts_with(strbuf_str(&errors), STR("BIND: links at tcp://*:5700 would")));
    strbuf_fini(&errors);
}

static void test_help(void **state) {
    (void)state;
    strbuf_t text = {0};
    config_write_help(&schema, &text);
    assert_non_null(strstr(strbuf_cstr(&text), "parley-sample: A sample.\n"));
    assert_non_null(strstr(text.p, "\n  INSTANCE\n      This instance's name"));
    assert_non_null(strstr(text.p, "Default: sample-1\n"));
    assert_non_null(strstr(text.p,
                           "\n  COUNT\n      A count.\n      Takes a whole number from 1 to "
                           "10.\n      Default: 3\n"));
    assert_non_null(strstr(text.p, "Default: none, must be set\n"));
    strbuf_clear(&text);
    config_write_markdown(&schema, &text);
    assert_non_null(strstr(strbuf_cstr(&text), "## parley-sample\n\nA sample.\n\n| Variable |"));
    assert_non_null(strstr(text.p, "| `SECRET` | A key \\| a secret. | 4 to 10 bytes | none, must "
                                   "be set |\n"));
    assert_non_null(strstr(text.p, "| `ORIGINS` | Some origins. | 0 to 3 entries with commas "
                                   "between | unset |\n"));
    strbuf_fini(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_values),
        cmocka_unit_test(test_faults),     cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_lists),      cmocka_unit_test(test_secret_and_several_faults),
        cmocka_unit_test(test_encryption), cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
