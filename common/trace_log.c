#include "common/trace_log.h"

#include "proto/envelope.h"
#include "proto/proto.h"

bool trace_is_logged(const trace_t *trace) {
    return log_enabled(trace_log_level(trace));
}

log_level_t trace_log_level(const trace_t *trace) {
    return trace->sampled ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

void trace_log_frame(const char *event, str_t peer, str_t frame) {
    envelope_t envelope;
    bool sampled = frame.n >= ENVELOPE_HEAD_BYTES && (frame.p[1] & ENVELOPE_SAMPLED);
    if (!log_enabled(sampled ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG) ||
        envelope_decode(frame, &envelope) != OK || envelope.type == MSG_HEARTBEAT)
        return;
    const char *type = proto_name(envelope.type);
    bool is_reply = envelope.flags & ENVELOPE_REPLY;
    log_step(&envelope.trace, event, log_text("type", type ? type : "unknown"),
             log_str("peer", peer), log_u64(is_reply ? "answers" : "request", envelope.request_id),
             log_text("code", is_reply ? code_name((code_t)envelope.code) : ""),
             log_str("room", envelope.room), log_str("user", envelope.user),
             log_u64("session", envelope.session), log_u64("bytes", frame.n));
}
