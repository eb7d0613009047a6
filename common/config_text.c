/* The texts that follow from a service's table of options. */
#include "common/config_option.h"

#include <inttypes.h>

static void append_words(const config_option_t *option, strbuf_t *out) {
    strbuf_append(out, STR("one of"));
    for (size_t i = 0; option->words[i]; i++)
        strbuf_printf(out, "%s %s", i ? "," : "", option->words[i]);
}

static void append_range(const config_option_t *option, const char *what, strbuf_t *out) {
    if (option->min == option->max)
        strbuf_printf(out, "%" PRIu64 " %s", option->min, what);
    else
        strbuf_printf(out, "%" PRIu64 " to %" PRIu64 " %s", option->min, option->max, what);
}

void config_append_allowed(const config_option_t *option, strbuf_t *out) {
    switch (option->kind) {
    case CONFIG_STRING:
    case CONFIG_SECRET:
        append_range(option, "bytes", out);
        break;
    case CONFIG_U64:
        strbuf_printf(out, "a whole number from %" PRIu64 " to %" PRIu64, option->min, option->max);
        break;
    case CONFIG_BOOL:
        strbuf_append(out, STR("on or off"));
        break;
    case CONFIG_MS:
        append_range(option, "milliseconds", out);
        break;
    case CONFIG_SECONDS:
        append_range(option, "seconds", out);
        break;
    case CONFIG_WORD:
        append_words(option, out);
        break;
    case CONFIG_LIST:
        append_range(option, "entries with commas between", out);
        break;
    case CONFIG_ENDPOINT:
        strbuf_append(out, STR("host:port or [IPv6 address]:port, port 0 being any free one"));
        break;
    }
    if (option->allowed)
        strbuf_printf(out, ": %s", option->allowed);
}

static void append_default(const config_option_t *option, strbuf_t *out) {
    if (option->fallback && option->fallback[0])
        strbuf_append(out, str_from(option->fallback));
    else
        strbuf_append(out, option->required ? STR("none, must be set") : STR("unset"));
}

void config_write_help(const config_schema_t *schema, strbuf_t *out) {
    strbuf_printf(
        out,
        "parley-%s: %s\n\n"
        "Usage: parley-%s [OPTION]\n"
        "  --help             this text\n"
        "  --version          the version\n"
        "  --check-config     check the environment, print the values in force, exit 0 or 2\n"
        "  --config-markdown  the variables below as a Markdown table\n\n"
        "Environment (an empty variable counts as unset):\n",
        schema->service, schema->summary, schema->service);
    for (size_t i = 0; i < config_option_count(schema); i++) {
        config_default_t storage;
        config_option_t option = config_option_at(schema, i, &storage);
        strbuf_printf(out, "\n  %s\n      %s\n      Takes ", option.variable, option.doc);
        config_append_allowed(&option, out);
        strbuf_append(out, STR(".\n      Default: "));
        append_default(&option, out);
        strbuf_append_char(out, '\n');
    }
}

/* A table cell: a bar inside would end it. */
static void append_cell(str_t text, strbuf_t *out) {
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '|')
            strbuf_append_char(out, '\\');
        strbuf_append_char(out, text.p[i]);
    }
}

void config_write_markdown(const config_schema_t *schema, strbuf_t *out) {
    strbuf_t cell = {0};
    strbuf_printf(out, "## parley-%s\n\n%s\n\n", schema->service, schema->summary);
    strbuf_append(out, STR("| Variable | Meaning | Takes | Default |\n|---|---|---|---|\n"));
    for (size_t i = 0; i < config_option_count(schema); i++) {
        config_default_t storage;
        config_option_t option = config_option_at(schema, i, &storage);
        strbuf_printf(out, "| `%s` | ", option.variable);
        append_cell(str_from(option.doc), out);
        strbuf_append(out, STR(" | "));
        strbuf_clear(&cell);
        config_append_allowed(&option, &cell);
        append_cell(strbuf_str(&cell), out);
        strbuf_clear(&cell);
        append_default(&option, &cell);
        strbuf_append(out, STR(" | "));
        append_cell(strbuf_str(&cell), out);
        strbuf_append(out, STR(" |\n"));
    }
    strbuf_fini(&cell);
}

static void append_list(const config_list_t *list, strbuf_t *out) {
    for (size_t i = 0; i < list->n; i++)
        strbuf_printf(out, "%s%s", i ? "," : "", list->items[i]);
}

static void append_endpoint(const config_endpoint_t *endpoint, strbuf_t *out) {
    if (!endpoint->host)
        return;
    bool v6 = strchr(endpoint->host, ':');
    strbuf_printf(out, "%s%s%s:%u", v6 ? "[" : "", endpoint->host, v6 ? "]" : "", endpoint->port);
}

static void append_value(const config_option_t *option, const void *field, strbuf_t *out) {
    switch (option->kind) {
    case CONFIG_STRING:
        strbuf_append(out, str_from(*(char *const *)field));
        break;
    case CONFIG_SECRET:
        strbuf_append(out, *(char *const *)field ? STR("(set)") : STR("(unset)"));
        break;
    case CONFIG_U64:
        strbuf_append_u64(out, *(const uint64_t *)field);
        break;
    case CONFIG_BOOL:
        strbuf_append(out, *(const bool *)field ? STR("on") : STR("off"));
        break;
    case CONFIG_MS:
        strbuf_append_i64(out, *(const int64_t *)field);
        break;
    case CONFIG_SECONDS:
        strbuf_append_i64(out, *(const int64_t *)field / 1000);
        break;
    case CONFIG_WORD:
        strbuf_append(out, str_from(option->words[*(const int *)field]));
        break;
    case CONFIG_LIST:
        append_list(field, out);
        break;
    case CONFIG_ENDPOINT:
        append_endpoint(field, out);
        break;
    }
}

void config_write_values(const config_schema_t *schema, const void *config, strbuf_t *out) {
    for (size_t i = 0; i < config_option_count(schema); i++) {
        config_default_t storage;
        config_option_t option = config_option_at(schema, i, &storage);
        strbuf_printf(out, "%s=", option.variable);
        append_value(&option, (const char *)config + option.offset, out);
        strbuf_append_char(out, '\n');
    }
}
