/* Structured log lines on stderr: ts=… level=… service=… instance=… event=name key=value …
 *     log_info("listening", log_u64("port", port), log_str("host", host));
 * Never a token, a password or a message's text. error: an operator must act; warn: degraded; info:
 * life cycle. */
#pragma once

#include "common/log_line.h"

/* Both names must stay valid. Before the first call lines have service=parley. */
void log_init(const char *service, const char *instance, log_level_t least);
/* Frees the line's buffer; lines may still follow. */
void log_fini(void);
bool log_enabled(log_level_t level);

/* Writes one line; fields[0] is the event. Use the macros below. */
void log_write(log_level_t level, const log_field_t *fields, size_t count);

/* The same for lines that peers cause: at most LOG_LIMIT_LINES per event and window; the number
 * left out follows. The event must be static text. */
void log_write_limited(log_level_t level, const log_field_t *fields, size_t count);

/* Reports the lines left out of windows that are over; call it every second or so. */
void log_flush_suppressed(void);

#define LOG_FIELDS(event_name, ...)                                                                \
    (const log_field_t[]){log_text("event", event_name), ##__VA_ARGS__},                           \
        sizeof((const log_field_t[]){log_text("event", event_name), ##__VA_ARGS__}) /              \
            sizeof(log_field_t)

#define log_debug(...) log_write(LOG_LEVEL_DEBUG, LOG_FIELDS(__VA_ARGS__))
#define log_info(...) log_write(LOG_LEVEL_INFO, LOG_FIELDS(__VA_ARGS__))
#define log_warn(...) log_write(LOG_LEVEL_WARN, LOG_FIELDS(__VA_ARGS__))
#define log_error(...) log_write(LOG_LEVEL_ERROR, LOG_FIELDS(__VA_ARGS__))
/* What a peer sent was refused. */
#define log_refused(...) log_write_limited(LOG_LEVEL_WARN, LOG_FIELDS(__VA_ARGS__))
