/* Where a trace begins, and whether its way is logged step by step. Pure.
 *
 * What a caller says in its traceparent counts: with the sampled flag its trace is asked for,
 * without it declined. All others are open: this service chooses. Of each, asked for and open, so
 * many a second are logged and no more, so that neither load nor a caller can flood the logs. */
#pragma once

#include "common/ratelimit.h"
#include "common/trace.h"

enum {
    TRACE_RATE_MAX = 100000,
    TRACE_BURST_SECONDS = 10, /* of a quiet time that may be used at once */
};

typedef enum { TRACE_OPEN, TRACE_ASKED, TRACE_DECLINED } trace_wish_t;

/* A connection's, or an HTTP request's. */
typedef struct {
    trace_t trace;
    trace_wish_t wish;
    bool decided;
} trace_context_t;

typedef struct {
    ratelimit_rate_t rate; /* count 0: nothing is logged */
    ratelimit_bucket_t open, asked;
} trace_sampler_t;

trace_sampler_t trace_sampler_make(uint64_t traces_per_second);

/* The trace that the caller's headers name: traceparent, else X-Request-Id if it is an id, else a
 * new one of random bytes. Not decided yet. */
trace_context_t trace_context_begin(str_t traceparent, str_t request_id,
                                    const uint8_t random[TRACE_ID_BYTES]);
/* One event of many that follow a connection: a trace of its own with the connection's wish. */
trace_context_t trace_context_next(const trace_context_t *connection,
                                   const uint8_t random[TRACE_ID_BYTES]);
/* Sets trace.sampled, the first time. */
void trace_sampler_decide(trace_sampler_t *self, trace_context_t *context, int64_t now_ms);
