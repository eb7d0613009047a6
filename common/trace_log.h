/* The steps of traces in the log: envelopes that come and go, and what services do in between. A
 * step of a sampled trace is an info line, any other a debug line. */
#pragma once

#include "common/log.h"
#include "common/trace.h"

/* The field of a line: trace=4bf9…, of no trace trace="". */
#define log_trace(trace) log_text("trace", trace_format((trace), (char[TRACE_TEXT + 1]){""}))

/* Whether a step of this trace is written: ask before making its fields. */
bool trace_is_logged(const trace_t *trace);
log_level_t trace_log_level(const trace_t *trace);

/* Writes a step: the event's name, its trace, then the fields. */
#define log_step(trace, event_name, ...)                                                           \
    do {                                                                                           \
        if (trace_is_logged(trace))                                                                \
            log_write(trace_log_level(trace),                                                      \
                      LOG_FIELDS(event_name, log_trace(trace), __VA_ARGS__));                      \
    } while (0)

/* A step for a frame of the bus, `event` being envelope_sent or envelope_received. Heartbeats are
 * no step. `peer` is whom it goes to or comes from: an endpoint, or an instance's name. */
void trace_log_frame(const char *event, str_t peer, str_t frame);
