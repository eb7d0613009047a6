#include "common/health.h"

static void append_member(strbuf_t *out, const char *name, const char *value) {
    strbuf_append_json_string(out, str_from(name));
    strbuf_append_char(out, ':');
    strbuf_append_json_string(out, str_from(value));
}

static void append_dependency(strbuf_t *out, const health_dependency_t *dependency) {
    strbuf_append_char(out, '{');
    append_member(out, "name", dependency->name);
    strbuf_append_char(out, ',');
    append_member(out, "state", dependency->state);
    if (dependency->detail) {
        strbuf_append_char(out, ',');
        append_member(out, "detail", dependency->detail);
    }
    strbuf_append_char(out, '}');
}

void health_write(const health_report_t *report, strbuf_t *out) {
    strbuf_append(out, STR("{\"status\":\"ok\","));
    append_member(out, "service", report->service);
    strbuf_append_char(out, ',');
    append_member(out, "instance", report->instance);
    strbuf_append_char(out, ',');
    append_member(out, "version", report->version);
    strbuf_append(out, STR(",\"dependencies\":["));
    for (size_t i = 0; i < report->dependency_count; i++) {
        if (i)
            strbuf_append_char(out, ',');
        append_dependency(out, &report->dependencies[i]);
    }
    strbuf_append(out, STR("]}"));
}

unsigned health_ready_status(health_ready_t ready) {
    switch (ready) {
    case HEALTH_READY:
        return 200;
    case HEALTH_DRAINING:
        return 404;
    default:
        return 503;
    }
}

const char *health_ready_body(health_ready_t ready) {
    switch (ready) {
    case HEALTH_READY:
        return "{\"status\":\"ready\"}";
    case HEALTH_DRAINING:
        return "{\"status\":\"draining\"}";
    default:
        return "{\"status\":\"not ready\"}";
    }
}
