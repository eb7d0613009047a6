#include "common/log.h"

#include <errno.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/iso8601.h"

/* The one global of a service: where its lines come from, and which of them are written. */
static struct {
    const char *service;
    const char *instance;
    log_level_t least;
    log_limit_t limit;
    strbuf_t line;
} state = {.service = "parley", .instance = "-", .least = LOG_LEVEL_INFO};

void log_init(const char *service, const char *instance, log_level_t least) {
    state.service = service;
    state.instance = instance;
    state.least = least;
}

void log_fini(void) {
    strbuf_fini(&state.line);
}

bool log_enabled(log_level_t level) {
    return level >= state.least;
}

/* One write() per line, so that lines of several processes on one pipe don't mix. When nobody can
 * take the line it is lost: a service doesn't stop for its log. */
static void write_out(str_t line) {
    while (line.n) {
        ssize_t written = write(STDERR_FILENO, line.p, line.n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        line = str_from_offset(line, (size_t)written);
    }
}

static void write_line(log_level_t level, const log_field_t *fields, size_t count,
                       uint64_t suppressed) {
    char ts[ISO8601_TEXT + 1];
    strbuf_t *line = &state.line;
    int64_t now_us = clock_unix_us();
    iso8601_format(now_us / 1000, ts);
    strbuf_clear(line);
    strbuf_printf(line, "ts=%.*s%03dZ level=%s", ISO8601_TEXT - 1, ts, (int)(now_us % 1000),
                  log_level_words[level]);
    const log_field_t names[] = {log_text("service", state.service),
                                 log_text("instance", state.instance)};
    log_line_field(line, &names[0]);
    log_line_field(line, &names[1]);
    for (size_t i = 0; i < count; i++)
        log_line_field(line, &fields[i]);
    if (suppressed) {
        log_field_t field = log_u64("suppressed", suppressed);
        log_line_field(line, &field);
    }
    strbuf_append_char(line, '\n');
    write_out(strbuf_str(line));
}

void log_write(log_level_t level, const log_field_t *fields, size_t count) {
    if (log_enabled(level))
        write_line(level, fields, count, 0);
}

void log_write_limited(log_level_t level, const log_field_t *fields, size_t count) {
    uint64_t suppressed = 0;
    if (log_enabled(level) &&
        log_limit_allow(&state.limit, fields[0].value.text.p, clock_now_ms(), &suppressed))
        write_line(level, fields, count, suppressed);
}

void log_flush_suppressed(void) {
    const char *event;
    uint64_t suppressed = 0;
    while ((event = log_limit_next_suppressed(&state.limit, clock_now_ms(), &suppressed)))
        log_warn("log_lines_suppressed", log_text("of", event), log_u64("suppressed", suppressed));
}
