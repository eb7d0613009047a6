/* What config_parse() accepts, written out, is accepted again with the same values; what it refuses
 * has an error line, and no error repeats a secret. The input: one value a line, in the table's
 * order. */
#include "common/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    config_common_t common;
    char *text;
    char *secret;
    uint64_t number;
    bool enabled;
    int64_t interval_ms;
    int64_t time_ms;
    int word;
    config_list_t list;
    config_endpoint_t listen;
} sample_config_t;

static const char *const words[] = {"one", "two", "three", NULL};

static const config_option_t options[] = {
    {CONFIG_FIELD(sample_config_t, text), .variable = "TEXT", .kind = CONFIG_STRING, .min = 1,
     .max = 40, .fallback = "text", .doc = "Text."},
    {CONFIG_FIELD(sample_config_t, secret), .variable = "SECRET", .kind = CONFIG_SECRET, .min = 20,
     .max = 40, .doc = "A secret."},
    {CONFIG_FIELD(sample_config_t, number), .variable = "NUMBER", .kind = CONFIG_U64, .min = 3,
     .max = UINT64_MAX, .fallback = "3", .doc = "A number."},
    {CONFIG_FIELD(sample_config_t, enabled), .variable = "ENABLED", .kind = CONFIG_BOOL,
     .fallback = "no", .doc = "A switch."},
    {CONFIG_FIELD(sample_config_t, interval_ms), .variable = "INTERVAL_MS", .kind = CONFIG_MS,
     .max = 1000000, .fallback = "0", .doc = "An interval."},
    {CONFIG_FIELD(sample_config_t, time_ms), .variable = "TIME_SECONDS", .kind = CONFIG_SECONDS,
     .max = 1000000, .fallback = "5", .doc = "A time."},
    {CONFIG_FIELD(sample_config_t, word), .variable = "WORD", .kind = CONFIG_WORD, .words = words,
     .fallback = "two", .doc = "A word."},
    {CONFIG_FIELD(sample_config_t, list), .variable = "LIST", .kind = CONFIG_LIST, .min = 0,
     .max = 5, .doc = "A list."},
    {CONFIG_FIELD(sample_config_t, listen), .variable = "LISTEN", .kind = CONFIG_ENDPOINT,
     .fallback = "[::1]:80", .doc = "An address."},
};

static const config_schema_t schema = {
    .service = "fuzz",
    .summary = "A table with every kind.",
    .admin_listen = "127.0.0.1:1",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .size = sizeof(sample_config_t),
};

static const char *const variables[] = {
    "INSTANCE",      "BROKERS", "BUS_KEYS", "BUS_PLAINTEXT", "ADMIN_LISTEN", "LOG_LEVEL",
    "DRAIN_SECONDS", "TEXT",    "SECRET",   "NUMBER",        "ENABLED",      "INTERVAL_MS",
    "TIME_SECONDS",  "WORD",    "LIST",     "LISTEN"};

#define VARIABLES (sizeof(variables) / sizeof(variables[0]))
#define SECRET_AT 8

typedef struct {
    char *values[VARIABLES]; /* NULL: unset */
} environment_t;

static const char *look_up(void *context, const char *variable) {
    const environment_t *environment = context;
    for (size_t i = 0; i < VARIABLES; i++) {
        if (strcmp(variables[i], variable) == 0)
            return environment->values[i];
    }
    return NULL;
}

/* One line for each variable; `with_names`: behind NAME=. */
static void read_lines(environment_t *environment, str_t text, bool with_names) {
    for (size_t i = 0; i < VARIABLES && text.n; i++) {
        const char *end = memchr(text.p, '\n', text.n);
        str_t line = {text.p, end ? (size_t)(end - text.p) : text.n};
        text = str_from_offset(text, line.n + 1);
        if (with_names)
            line = str_from_offset(line, strlen(variables[i]) + 1);
        environment->values[i] = str_dup(line);
    }
}

static void free_environment(environment_t *environment) {
    for (size_t i = 0; i < VARIABLES; i++)
        free(environment->values[i]);
}

/* The errors must not depend on what a secret is, only on its length. */
static void check_errors(environment_t *environment, const strbuf_t *errors) {
    sample_config_t config;
    strbuf_t others = {0};
    char *secret = environment->values[SECRET_AT];
    ASSERT(errors->n > 0 && errors->p[errors->n - 1] == '\n');
    if (!secret)
        return;
    memset(secret, 'x', strlen(secret));
    ASSERT(config_parse(&schema, look_up, environment, &config, &others) == ERR_INVALID);
    ASSERT(str_eq(strbuf_str(errors), strbuf_str(&others)));
    strbuf_fini(&others);
}

static void check_round_trip(const sample_config_t *config) {
    strbuf_t first = {0}, second = {0}, errors = {0};
    environment_t environment = {0};
    sample_config_t again;
    config_write_values(&schema, config, &first);
    read_lines(&environment, strbuf_str(&first), true);
    free(environment.values[SECRET_AT]); /* a secret isn't written */
    environment.values[SECRET_AT] = config->secret ? str_dup(str_from(config->secret)) : NULL;
    ASSERT(config_parse(&schema, look_up, &environment, &again, &errors) == OK);
    config_write_values(&schema, &again, &second);
    ASSERT(str_eq(strbuf_str(&first), strbuf_str(&second)));
    config_fini(&schema, &again);
    free_environment(&environment);
    strbuf_fini(&first);
    strbuf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    environment_t environment = {0};
    sample_config_t config;
    strbuf_t errors = {0};
    read_lines(&environment, (str_t){(const char *)data, size}, false);
    if (config_parse(&schema, look_up, &environment, &config, &errors)) {
        check_errors(&environment, &errors);
    } else {
        check_round_trip(&config);
        config_fini(&schema, &config);
    }
    free_environment(&environment);
    strbuf_fini(&errors);
    return 0;
}
