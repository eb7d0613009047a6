#include "gateway/replies.h"

#include "common/iso8601.h"

enum { EVENT_NAME_BYTES = 64 };

const char *replies_default_message(code_t code) {
    switch (code) {
    case CODE_OK:
        return "done";
    case CODE_UNAUTHORIZED:
        return "Unauthorized";
    case CODE_TOKEN_EXPIRED:
        return "the token has expired";
    case CODE_FORBIDDEN:
        return "you are not a participant of this conversation";
    case CODE_NOT_FOUND:
        return "not found";
    case CODE_INVALID_PAYLOAD:
        return "the payload is invalid";
    case CODE_PAYLOAD_TOO_LARGE:
        return "the payload is too large";
    case CODE_CONFLICT:
        return "it conflicts with the present state";
    case CODE_RATE_LIMITED:
        return "too many requests";
    case CODE_UNAVAILABLE:
        return "temporarily unavailable";
    default:
        return "internal error";
    }
}

static void append_time(strbuf_t *out, int64_t unix_ms) {
    char text[ISO8601_TEXT + 1];
    iso8601_format(unix_ms, text);
    strbuf_append_json_string(out, str_from(text));
}

static void append_member(strbuf_t *out, str_t name_and_colon, str_t text) {
    strbuf_append(out, name_and_colon);
    strbuf_append_json_string(out, text);
}

void replies_done(strbuf_t *out) {
    strbuf_append(out, STR("{\"ok\":true}"));
}

void replies_error(strbuf_t *out, code_t code, str_t message, uint64_t retry_after_ms) {
    append_member(out, STR("{\"ok\":false,\"error\":{\"code\":"), str_from(code_name(code)));
    append_member(out, STR(",\"message\":"), message);
    if (retry_after_ms) {
        strbuf_append(out, STR(",\"retryAfterMs\":"));
        strbuf_append_u64(out, retry_after_ms);
    }
    strbuf_append(out, STR("}}"));
}

void replies_message(strbuf_t *out, str_t message) {
    strbuf_append(out, STR("{\"ok\":true,\"message\":"));
    strbuf_append(out, message);
    strbuf_append_char(out, '}');
}

void replies_read_marked(strbuf_t *out, uint64_t seq, int64_t read_at_ms) {
    strbuf_append(out, STR("{\"ok\":true,\"seq\":"));
    strbuf_append_u64(out, seq);
    strbuf_append(out, STR(",\"readAt\":"));
    append_time(out, read_at_ms);
    strbuf_append_char(out, '}');
}

void replies_token(strbuf_t *out, int64_t expires_at_ms) {
    strbuf_append(out, STR("{\"ok\":true,\"expiresAt\":"));
    append_time(out, expires_at_ms);
    strbuf_append_char(out, '}');
}

void replies_joined(strbuf_t *out, const proto_conversation_t *conversation, str_t participants) {
    strbuf_append(out, STR("{\"ok\":true,\"conversation\":"));
    strbuf_append(out, conversation->conversation);
    strbuf_append(out, STR(",\"participants\":"));
    strbuf_append(out, participants);
    strbuf_append(out, STR(",\"headSeq\":"));
    strbuf_append_u64(out, conversation->head_seq);
    append_member(out, STR(",\"generation\":"), conversation->generation);
    strbuf_append(out, STR(",\"messages\":["));
    for (size_t i = 0; i < conversation->messages.n; i++) {
        if (i)
            strbuf_append_char(out, ',');
        strbuf_append(out, conversation->messages.items[i]);
    }
    strbuf_append_char(out, ']');
    if (conversation->truncated)
        strbuf_append(out, STR(",\"truncated\":true"));
    if (conversation->reset)
        strbuf_append(out, STR(",\"reset\":true"));
    strbuf_append_char(out, '}');
}

void replies_event_error(strbuf_t *out, str_t event, code_t code, str_t message) {
    size_t code_points = 0;
    bool usable = event.n <= EVENT_NAME_BYTES && str_utf8_length(event, &code_points) == OK;
    append_member(out, STR("{\"event\":"), usable ? event : (str_t){0});
    append_member(out, STR(",\"code\":"), str_from(code_name(code)));
    append_member(out, STR(",\"message\":"), message);
    strbuf_append_char(out, '}');
}

void replies_event_typing(strbuf_t *out, str_t conversation_id, str_t user_id) {
    append_member(out, STR("{\"conversationId\":"), conversation_id);
    append_member(out, STR(",\"userId\":"), user_id);
    strbuf_append_char(out, '}');
}

void replies_event_read(strbuf_t *out, const read_event_t *read) {
    append_member(out, STR("{\"conversationId\":"), read->conversation_id);
    append_member(out, STR(",\"userId\":"), read->user_id);
    strbuf_append(out, STR(",\"seq\":"));
    strbuf_append_u64(out, read->seq);
    strbuf_append(out, STR(",\"readAt\":"));
    append_time(out, read->read_at_ms);
    strbuf_append_char(out, '}');
}

void replies_event_presence(strbuf_t *out, str_t user_id, bool online, int64_t last_seen_ms) {
    append_member(out, STR("{\"userId\":"), user_id);
    strbuf_append(out, online ? STR(",\"online\":true") : STR(",\"online\":false"));
    strbuf_append(out, STR(",\"lastSeenAt\":"));
    if (last_seen_ms)
        append_time(out, last_seen_ms);
    else
        strbuf_append(out, STR("null"));
    strbuf_append_char(out, '}');
}

void replies_event_removed(strbuf_t *out, str_t conversation_id) {
    append_member(out, STR("{\"conversationId\":"), conversation_id);
    strbuf_append_char(out, '}');
}

void replies_connect_error(strbuf_t *out, code_t code) {
    append_member(out, STR("{\"code\":"), str_from(code_name(code)));
    strbuf_append_char(out, '}');
}
