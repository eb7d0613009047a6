/* The form of a log line and the limit on lines that peers can cause. Pure; log.h writes them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/strbuf.h"

typedef enum { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR } log_level_t;

/* The values of LOG_LEVEL in the order of log_level_t, NULL at the end. */
extern const char *const log_level_words[];

#define LOG_VALUE_MAX                                                                              \
    256 /* bytes of a value that are written; longer ones are cut and end in ... */

typedef struct {
    const char *key;
    enum { LOG_FIELD_TEXT, LOG_FIELD_U64, LOG_FIELD_I64 } kind;
    union {
        str_t text;
        uint64_t u64;
        int64_t i64;
    } value;
} log_field_t;

static inline log_field_t log_str(const char *key, str_t value) {
    return (log_field_t){.key = key, .kind = LOG_FIELD_TEXT, .value.text = value};
}
static inline log_field_t log_text(const char *key, const char *value) {
    return log_str(key, str_from(value));
}
static inline log_field_t log_u64(const char *key, uint64_t value) {
    return (log_field_t){.key = key, .kind = LOG_FIELD_U64, .value.u64 = value};
}
static inline log_field_t log_i64(const char *key, int64_t value) {
    return (log_field_t){.key = key, .kind = LOG_FIELD_I64, .value.i64 = value};
}
static inline log_field_t log_err(err_t err) {
    return log_text("error", err_name(err));
}

/* Appends ` key=value`. A value that isn't a plain word is quoted; everything outside printable
 * ASCII is written as \xNN, so that no value can start a new line or drive a terminal. */
void log_line_field(strbuf_t *line, const log_field_t *field);

#define LOG_LIMIT_EVENTS 64       /* distinct event names; all further ones share one entry */
#define LOG_LIMIT_LINES 10        /* lines of one event … */
#define LOG_LIMIT_WINDOW_MS 10000 /* … in this time */

/* Zeroed is valid. */
typedef struct {
    struct {
        const char *event; /* static text */
        int64_t since_ms;
        uint64_t lines;
        uint64_t suppressed;
    } entries[LOG_LIMIT_EVENTS];
    size_t n;
} log_limit_t;

/* May a line of this event be written now? When it may, suppressed_out says how many were not since
 * the last that was. */
bool log_limit_allow(log_limit_t *self, const char *event, int64_t now_ms,
                     uint64_t *suppressed_out);

/* An event whose window is over and of which lines were suppressed: its name and their number,
 * once. NULL when there is none (any more). */
const char *log_limit_next_suppressed(log_limit_t *self, int64_t now_ms, uint64_t *suppressed_out);
