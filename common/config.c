#include "common/config.h"

#include <arpa/inet.h>

#include "common/config_option.h"
#include "common/log_line.h"

#define HOST_MAX 253   /* RFC 1035 */
#define BROKERS_MAX 64 /* entries */
#define DRAIN_SECONDS_MAX 600
#define PATH_MAX_BYTES 4000  /* of a directory, file names not counted */
#define QUOTED_VALUE_MAX 100 /* bytes of a bad value that its error text repeats */

static const config_option_t common_options[] = {
    {CONFIG_FIELD(config_common_t, instance), .variable = "INSTANCE", .kind = CONFIG_STRING,
     .min = 1, .max = 32, .check = config_is_instance, .allowed = "a-z, 0-9 and -",
     .doc = "This instance's name; no two running instances of a service share one."},
    {CONFIG_FIELD(config_common_t, brokers), .variable = "BROKERS", .kind = CONFIG_LIST, .min = 1,
     .max = BROKERS_MAX, .fallback = "tcp://127.0.0.1:5700", .check = config_is_bus_endpoint,
     .allowed = "tcp://host:port or ipc://path, each once",
     .doc = "Every broker's endpoint: the same list, in the same order, for every service."},
    {CONFIG_FIELD(config_common_t, bus_keys), .variable = "BUS_KEYS", .kind = CONFIG_STRING,
     .min = 1, .max = PATH_MAX_BYTES,
     .doc = "Directory of the keys that encrypt and authenticate the links between services, as "
            "parley-keygen makes them. Unset: no encryption."},
    {CONFIG_FIELD(config_common_t, bus_plaintext), .variable = "BUS_PLAINTEXT", .kind = CONFIG_BOOL,
     .fallback = "off",
     .doc = "on: links without keys may leave this machine. Whoever reaches them then reads and "
            "writes everything."},
    {CONFIG_FIELD(config_common_t, admin_listen), .variable = "ADMIN_LISTEN",
     .kind = CONFIG_ENDPOINT,
     .doc = "Where GET /health, /ready and /metrics are served. They are open: keep it private."},
    {CONFIG_FIELD(config_common_t, log_level), .variable = "LOG_LEVEL", .kind = CONFIG_WORD,
     .words = log_level_words, .fallback = "info",
     .doc = "The least level of line that is logged."},
    {CONFIG_FIELD(config_common_t, drain_ms), .variable = "DRAIN_SECONDS", .kind = CONFIG_SECONDS,
     .min = 0, .max = DRAIN_SECONDS_MAX, .fallback = "10",
     .doc = "How long a drain may take after SIGTERM before the service stops anyway."},
};

#define COMMON_COUNT (sizeof(common_options) / sizeof(common_options[0]))

size_t config_option_count(const config_schema_t *schema) {
    return COMMON_COUNT + schema->option_count;
}

config_option_t config_option_at(const config_schema_t *schema, size_t index,
                                 config_default_t *storage) {
    if (index >= COMMON_COUNT)
        return schema->options[index - COMMON_COUNT];
    config_option_t option = common_options[index];
    if (option.offset == offsetof(config_common_t, instance)) {
        snprintf(storage->text, sizeof(storage->text), "%s-1", schema->service);
        option.fallback = storage->text;
    }
    if (option.offset == offsetof(config_common_t, admin_listen))
        option.fallback = schema->admin_listen;
    return option;
}

static bool is_one_of(char c, const char *set) {
    return c != '\0' && strchr(set, c);
}

static bool is_lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_host_character(char c, bool bracketed) {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') ||
           is_one_of(c, bracketed ? ":.%" : ".-_");
}

bool config_is_instance(str_t value) {
    for (size_t i = 0; i < value.n; i++) {
        if (!is_lower_or_digit(value.p[i]) && value.p[i] != '-')
            return false;
    }
    return value.n >= 1 && value.n <= 32;
}

/* Splits host:port or [v6]:port. The host is borrowed, without its brackets. */
static bool split_endpoint(str_t text, str_t *host_out, uint16_t *port_out) {
    const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
    if (!colon)
        return false;
    str_t host = {text.p, (size_t)(colon - text.p)};
    bool bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (bracketed)
        host = (str_t){host.p + 1, host.n - 2};
    for (size_t i = 0; i < host.n; i++) {
        if (!is_host_character(host.p[i], bracketed))
            return false;
    }
    uint64_t port = 0;
    if (host.n == 0 || host.n > HOST_MAX ||
        str_to_u64(str_from_offset(text, (size_t)(colon - text.p) + 1), UINT16_MAX, &port))
        return false;
    *host_out = host;
    *port_out = (uint16_t)port;
    return true;
}

bool config_is_bus_endpoint(str_t value) {
    str_t host;
    uint16_t port;
    if (str_starts_with(value, STR("tcp://")))
        return split_endpoint(str_from_offset(value, 6), &host, &port) && port > 0;
    /* The path must fit a sockaddr_un. */
    return str_starts_with(value, STR("ipc://")) && value.n > 6 && value.n < 6 + 100;
}

/* 127.0.0.0/8 in four numbers; a name like 127.example.org isn't. */
static bool is_loopback_address(str_t host) {
    struct in_addr address;
    char text[INET_ADDRSTRLEN];
    if (host.n >= sizeof(text))
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 &&
           (ntohl(address.s_addr) >> 24) == IN_LOOPBACKNET;
}

static bool is_local(str_t endpoint) {
    str_t host;
    uint16_t port;
    if (str_starts_with(endpoint, STR("ipc://")))
        return true;
    return str_starts_with(endpoint, STR("tcp://")) &&
           split_endpoint(str_from_offset(endpoint, 6), &host, &port) &&
           (str_eq(host, STR("localhost")) || str_eq(host, STR("::1")) ||
            is_loopback_address(host));
}

void config_check_encrypted(const config_common_t *config, const char *variable,
                            const char *endpoint, strbuf_t *errors) {
    if (config->bus_keys || config->bus_plaintext || is_local(str_from(endpoint)))
        return;
    strbuf_printf(
        errors,
        "%s: links at %s would leave this machine unencrypted; set BUS_KEYS to a directory "
        "of keys (parley-keygen makes them), or BUS_PLAINTEXT=on to allow it\n",
        variable, endpoint);
}

static str_t trim(str_t text) {
    while (text.n && is_one_of(text.p[0], " \t"))
        text = str_from_offset(text, 1);
    while (text.n && is_one_of(text.p[text.n - 1], " \t"))
        text.n--;
    return text;
}

static bool parse_list(const config_option_t *option, str_t text, config_list_t *list) {
    size_t start = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] != ',')
            continue;
        str_t entry = trim((str_t){text.p + start, i - start});
        if (entry.n == 0 || list->n == option->max || (option->check && !option->check(entry)))
            return false;
        list->items = xrealloc(list->items, (list->n + 1) * sizeof(char *));
        list->items[list->n++] = str_dup(entry);
        start = i + 1;
    }
    return list->n >= option->min;
}

static bool parse_bool(str_t text, bool *value_out) {
    static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_eq(text, str_from(words[i]))) {
            *value_out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static bool parse_word(const config_option_t *option, str_t text, int *value_out) {
    for (int i = 0; option->words[i]; i++) {
        if (str_eq(text, str_from(option->words[i]))) {
            *value_out = i;
            return true;
        }
    }
    return false;
}

static bool parse_number(const config_option_t *option, str_t text, uint64_t *value_out) {
    ASSERT(option->max > 0);
    return !str_to_u64(text, option->max, value_out) && *value_out >= option->min;
}

static bool parse_duration(const config_option_t *option, str_t text, int64_t *ms_out) {
    uint64_t number = 0;
    uint64_t unit = option->kind == CONFIG_SECONDS ? 1000 : 1;
    ASSERT(option->max <= INT64_MAX / 1000);
    if (!parse_number(option, text, &number))
        return false;
    *ms_out = (int64_t)(number * unit);
    return true;
}

static bool parse_endpoint(str_t text, config_endpoint_t *endpoint_out) {
    str_t host;
    if (!split_endpoint(text, &host, &endpoint_out->port))
        return false;
    endpoint_out->host = str_dup(host);
    return true;
}

static bool parse_string(const config_option_t *option, str_t text, char **value_out) {
    ASSERT(option->max > 0);
    if (text.n < option->min || text.n > option->max || (option->check && !option->check(text)))
        return false;
    *value_out = str_dup(text);
    return true;
}

static bool parse_value(const config_option_t *option, str_t text, void *field) {
    switch (option->kind) {
    case CONFIG_STRING:
    case CONFIG_SECRET:
        return parse_string(option, text, field);
    case CONFIG_U64:
        return parse_number(option, text, field);
    case CONFIG_BOOL:
        return parse_bool(text, field);
    case CONFIG_MS:
    case CONFIG_SECONDS:
        return parse_duration(option, text, field);
    case CONFIG_WORD:
        return parse_word(option, text, field);
    case CONFIG_LIST:
        return parse_list(option, text, field);
    case CONFIG_ENDPOINT:
        return parse_endpoint(text, field);
    }
    return false;
}

static void append_fault(const config_option_t *option, str_t text, strbuf_t *errors) {
    strbuf_append(errors, str_from(option->variable));
    if (option->kind == CONFIG_SECRET) {
        strbuf_append(errors, STR(": its value is not allowed"));
    } else {
        strbuf_append(errors, STR(": "));
        str_t head = {text.p, text.n < QUOTED_VALUE_MAX ? text.n : QUOTED_VALUE_MAX};
        strbuf_append_json_string(errors, head);
        strbuf_append(errors, STR(" is not allowed"));
    }
    strbuf_append(errors, STR("; it takes "));
    config_append_allowed(option, errors);
    strbuf_append_char(errors, '\n');
}

static void parse_option(const config_option_t *option, const char *value, char *config,
                         strbuf_t *errors) {
    const char *text = value && value[0] ? value : option->fallback;
    if (!text && option->required)
        strbuf_printf(errors, "%s: must be set: %s\n", option->variable, option->doc);
    if (text && !parse_value(option, str_from(text), config + option->offset))
        append_fault(option, str_from(text), errors);
}

static void check_brokers(const config_common_t *config, strbuf_t *errors) {
    const config_list_t *brokers = &config->brokers;
    for (size_t i = 0; i < brokers->n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(brokers->items[i], brokers->items[j]) == 0)
                strbuf_printf(errors, "BROKERS: %s is there twice\n", brokers->items[i]);
        }
        config_check_encrypted(config, "BROKERS", brokers->items[i], errors);
    }
}

err_t config_parse(const config_schema_t *schema, config_lookup_t lookup, void *context,
                   void *config_out, strbuf_t *errors) {
    ASSERT(schema->size >= sizeof(config_common_t));
    memset(config_out, 0, schema->size);
    size_t before = errors->n;
    for (size_t i = 0; i < config_option_count(schema); i++) {
        config_default_t storage;
        config_option_t option = config_option_at(schema, i, &storage);
        parse_option(&option, lookup(context, option.variable), config_out, errors);
    }
    check_brokers(config_out, errors);
    if (errors->n == before && schema->check)
        schema->check(config_out, errors);
    if (errors->n == before)
        return OK;
    config_fini(schema, config_out);
    return ERR_INVALID;
}

static void free_field(const config_option_t *option, void *field) {
    char **text = field;
    config_list_t *list = field;
    config_endpoint_t *endpoint = field;
    switch (option->kind) {
    case CONFIG_SECRET:
        if (*text)
            explicit_bzero(*text, strlen(*text));
        free(*text);
        break;
    case CONFIG_STRING:
        free(*text);
        break;
    case CONFIG_LIST:
        for (size_t i = 0; i < list->n; i++)
            free(list->items[i]);
        free(list->items);
        break;
    case CONFIG_ENDPOINT:
        free(endpoint->host);
        break;
    default:
        break;
    }
}

void config_fini(const config_schema_t *schema, void *config) {
    for (size_t i = 0; i < config_option_count(schema); i++) {
        config_default_t storage;
        config_option_t option = config_option_at(schema, i, &storage);
        free_field(&option, (char *)config + option.offset);
    }
    memset(config, 0, schema->size);
}
