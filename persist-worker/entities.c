#include "persist-worker/entities.h"

#include "common/iso8601.h"

static void append_string(strbuf_t *out, str_t name_and_colon, str_t text) {
    strbuf_append(out, name_and_colon);
    strbuf_append_json_string(out, text);
}

static void append_number(strbuf_t *out, str_t name_and_colon, int64_t number) {
    strbuf_append(out, name_and_colon);
    strbuf_append_i64(out, number);
}

/* A time as a string, 0 as null. */
static void append_time(strbuf_t *out, str_t name_and_colon, int64_t unix_ms) {
    char text[ISO8601_TEXT + 1];
    strbuf_append(out, name_and_colon);
    if (unix_ms == 0) {
        strbuf_append(out, STR("null"));
        return;
    }
    iso8601_format(unix_ms, text);
    strbuf_append_char(out, '"');
    strbuf_append(out, (str_t){text, ISO8601_TEXT});
    strbuf_append_char(out, '"');
}

void entities_append_message(strbuf_t *out, const message_t *message) {
    char id[IDGEN_UUID_TEXT + 1];
    idgen_format(&message->id, id);
    append_string(out, STR("{\"id\":"), (str_t){id, IDGEN_UUID_TEXT});
    append_string(out, STR(",\"conversationId\":"), message->conversation_id);
    append_number(out, STR(",\"seq\":"), message->seq);
    append_string(out, STR(",\"senderId\":"), message->sender_id);
    append_string(out, STR(",\"text\":"), message->text);
    append_string(out, STR(",\"clientId\":"), message->client_id);
    if (message->reply_to)
        append_number(out, STR(",\"replyTo\":"), message->reply_to);
    append_time(out, STR(",\"createdAt\":"), message->created_at_ms);
    if (message->edited_at_ms)
        append_time(out, STR(",\"editedAt\":"), message->edited_at_ms);
    if (message->deleted_at_ms)
        append_time(out, STR(",\"deletedAt\":"), message->deleted_at_ms);
    strbuf_append_char(out, '}');
}

static void append_profile(strbuf_t *out, str_t id, str_t name, str_t role) {
    append_string(out, STR("{\"id\":"), id);
    append_string(out, STR(",\"name\":"), name);
    append_string(out, STR(",\"role\":"), role);
}

void entities_append_participant(strbuf_t *out, const participant_t *participant) {
    append_profile(out, participant->id, participant->name, participant->role);
    append_number(out, STR(",\"lastReadSeq\":"), participant->last_read_seq);
    append_time(out, STR(",\"lastSeenAt\":"), participant->last_seen_at_ms);
    strbuf_append_char(out, '}');
}

void entities_append_user(strbuf_t *out, str_t id, str_t name, str_t role) {
    append_profile(out, id, name, role);
    strbuf_append_char(out, '}');
}

/* Without the closing brace and the time. */
static void append_conversation_head(strbuf_t *out, const conversation_t *conversation) {
    append_string(out, STR("{\"id\":"), conversation->id);
    append_string(out, STR(",\"kind\":"), conversation->is_group ? STR("group") : STR("direct"));
    if (!conversation->is_group)
        return;
    append_string(out, STR(",\"title\":"), conversation->title);
    append_string(out, STR(",\"creatorId\":"), conversation->creator_id);
}

static void append_conversation_tail(strbuf_t *out, const conversation_t *conversation) {
    if (conversation->created_at_ms)
        append_time(out, STR(",\"createdAt\":"), conversation->created_at_ms);
    strbuf_append_char(out, '}');
}

void entities_append_conversation(strbuf_t *out, const conversation_t *conversation) {
    append_conversation_head(out, conversation);
    append_conversation_tail(out, conversation);
}

static void append_last_message(strbuf_t *out, str_t last_message, int64_t unread_count) {
    strbuf_append(out, STR(",\"lastMessage\":"));
    strbuf_append(out, last_message.n ? last_message : STR("null"));
    append_number(out, STR(",\"unreadCount\":"), unread_count);
}

void entities_append_conversation_view(strbuf_t *out, const conversation_t *conversation,
                                       const conversation_view_t *view) {
    append_conversation_head(out, conversation);
    strbuf_append(out, STR(",\"participants\":"));
    strbuf_append(out, view->participants);
    append_last_message(out, view->last_message, view->unread_count);
    append_conversation_tail(out, conversation);
}

void entities_append_update(strbuf_t *out, str_t conversation_id, str_t last_message,
                            int64_t unread_count) {
    append_string(out, STR("{\"conversationId\":"), conversation_id);
    append_last_message(out, last_message, unread_count);
    strbuf_append_char(out, '}');
}

void entities_append_removal(strbuf_t *out, str_t conversation_id) {
    append_string(out, STR("{\"conversationId\":"), conversation_id);
    strbuf_append_char(out, '}');
}
