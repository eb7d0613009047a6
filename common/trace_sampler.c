#include "common/trace_sampler.h"

#include <string.h>

trace_sampler_t trace_sampler_make(uint64_t traces_per_second) {
    ASSERT(traces_per_second <= TRACE_RATE_MAX);
    uint32_t count = (uint32_t)traces_per_second;
    return (trace_sampler_t){
        .rate = {.burst = count * TRACE_BURST_SECONDS, .count = count, .per_ms = 1000}};
}

static trace_t random_trace(const uint8_t random[TRACE_ID_BYTES]) {
    trace_t trace = {0};
    memcpy(trace.id, random, sizeof(trace.id));
    trace.id[0] |= (uint8_t)!trace_is_set(&trace);
    return trace;
}

trace_context_t trace_context_begin(str_t traceparent, str_t request_id,
                                    const uint8_t random[TRACE_ID_BYTES]) {
    trace_context_t context = {.wish = TRACE_OPEN};
    if (trace_parse(traceparent, &context.trace) == OK)
        context.wish = context.trace.sampled ? TRACE_ASKED : TRACE_DECLINED;
    else if (trace_parse_id(request_id, &context.trace) != OK)
        context.trace = random_trace(random);
    context.trace.sampled = false;
    return context;
}

trace_context_t trace_context_next(const trace_context_t *connection,
                                   const uint8_t random[TRACE_ID_BYTES]) {
    return (trace_context_t){.trace = random_trace(random), .wish = connection->wish};
}

void trace_sampler_decide(trace_sampler_t *self, trace_context_t *context, int64_t now_ms) {
    int64_t retry_after_ms = 0;
    if (context->decided)
        return;
    context->decided = true;
    if (context->wish == TRACE_DECLINED || self->rate.count == 0)
        return;
    ratelimit_bucket_t *bucket = context->wish == TRACE_ASKED ? &self->asked : &self->open;
    context->trace.sampled = ratelimit_take(bucket, &self->rate, 1, now_ms, &retry_after_ms);
}
