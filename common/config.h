/* Configuration from environment variables: one table per service says everything about an option,
 * and parsing, --help, the reference page and the error texts follow from it. Pure: the environment
 * comes as a function. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/strbuf.h"

/* What the option's text means, and the type of the struct field that receives it. */
typedef enum {
    CONFIG_STRING,   /* char *; min and max count bytes */
    CONFIG_SECRET,   /* char *, as CONFIG_STRING, but never printed, logged or quoted in an error */
    CONFIG_U64,      /* uint64_t; min and max bound the value */
    CONFIG_BOOL,     /* bool: on, true, yes, 1 or off, false, no, 0 */
    CONFIG_MS,       /* int64_t milliseconds, written in milliseconds; min and max too */
    CONFIG_SECONDS,  /* int64_t milliseconds, written in seconds; min and max too */
    CONFIG_WORD,     /* int: the value's index in `words` */
    CONFIG_LIST,     /* config_list_t, written with commas; min and max count the entries */
    CONFIG_ENDPOINT, /* config_endpoint_t, written host:port or [v6]:port */
} config_kind_t;

typedef struct {
    char **items; /* NUL-terminated, never empty strings */
    size_t n;
} config_list_t;

typedef struct {
    char *host;    /* a name or address, without brackets; NULL when the option is unset */
    uint16_t port; /* 0: the system picks a free one */
} config_endpoint_t;

typedef struct {
    const char *variable; /* the environment variable */
    config_kind_t kind;
    bool required; /* without a default: must be set. Else the field stays zero */
    size_t offset; /* from CONFIG_FIELD */
    uint64_t min, max;
    const char *fallback;     /* the default, as text; NULL: none */
    const char *const *words; /* CONFIG_WORD: what is allowed, NULL at the end */
    bool (*check)(str_t);     /* an extra rule for a string, secret, or each entry of a list */
    const char *allowed;      /* … and what it allows, in words */
    const char *doc;          /* one line for --help and the reference page */
} config_option_t;

/* Which field of the struct the option fills: CONFIG_FIELD(gateway_config_t, listen). */
#define CONFIG_FIELD(type, field) .offset = offsetof(type, field)

/* What every service has. A service's own struct starts with it: config_common_t common; */
typedef struct {
    char *instance;                 /* INSTANCE */
    config_list_t brokers;          /* BROKERS: ZeroMQ endpoints, the same list everywhere */
    char *bus_keys;                 /* BUS_KEYS: a directory; NULL: links are not encrypted */
    bool bus_plaintext;             /* BUS_PLAINTEXT: … and may leave this machine nevertheless */
    config_endpoint_t admin_listen; /* ADMIN_LISTEN */
    int log_level;                  /* LOG_LEVEL: a log_level_t */
    int64_t drain_ms;               /* DRAIN_SECONDS */
} config_common_t;

typedef struct {
    const char *service;      /* "gateway": names the default instance, "gateway-1" */
    const char *summary;      /* one sentence for --help */
    const char *admin_listen; /* the default of ADMIN_LISTEN */
    const config_option_t *options;
    size_t option_count;
    size_t size; /* of the service's struct */
    /* Rules across options, NULL when there are none: appends a line per fault to `errors`. */
    void (*check)(const void *config, strbuf_t *errors);
} config_schema_t;

/* The variable's value (which must stay valid during config_parse), or NULL. */
typedef const char *(*config_lookup_t)(void *context, const char *variable);

/* Fills the struct at config_out. An empty variable counts as unset. ERR_INVALID: `errors` has one
 * line for each fault, naming the variable, its value (a secret's never) and what is allowed, and
 * config_out holds nothing. Else config_fini() frees it. */
err_t config_parse(const config_schema_t *schema, config_lookup_t lookup, void *context,
                   void *config_out, strbuf_t *errors) MUST_CHECK;

/* Frees what config_parse() allocated, secrets wiped first, and zeroes the struct. */
void config_fini(const config_schema_t *schema, void *config);

/* The text of --help: every option with default, bounds and doc line. */
void config_write_help(const config_schema_t *schema, strbuf_t *out);

/* The same as a Markdown table, for the configuration reference. */
void config_write_markdown(const config_schema_t *schema, strbuf_t *out);

/* The values in force, one VARIABLE=value a line; of a secret only whether it is set. */
void config_write_values(const config_schema_t *schema, const void *config, strbuf_t *out);

/* Checks for `check`: an instance name, [a-z0-9-]{1,32}. */
bool config_is_instance(str_t value);
/* A ZeroMQ endpoint: tcp://host:port or ipc://path. */
bool config_is_bus_endpoint(str_t value);

/* Appends a fault when links to or at `endpoint`, the value of `variable`, would leave this machine
 * without encryption: without keys it must be ipc, or tcp to localhost, 127.0.0.0/8 or [::1]. */
void config_check_encrypted(const config_common_t *config, const char *variable,
                            const char *endpoint, strbuf_t *errors);
