/* Messages and read marks. */
#include "common/idgen.h"
#include "common/iso8601.h"
#include "rest/api_call.h"
#include "rest/query.h"

/* {"messages":[…],"nextBefore":…} around the finished JSON of each message. */
static void on_history(exchange_t *exchange, const envelope_t *reply) {
    proto_messages_t history;
    strbuf_t *out = &exchange->answer.body;
    if (proto_messages_decode(reply->body, api_arena(exchange), &history)) {
        api_fail_reply(exchange, reply);
        return;
    }
    strbuf_append(out, STR("{\"messages\":["));
    for (size_t i = 0; i < history.messages.n; i++) {
        if (i)
            strbuf_append_char(out, ',');
        strbuf_append(out, history.messages.items[i]);
    }
    strbuf_append(out, STR("],\"nextBefore\":"));
    if (history.next_before)
        strbuf_append_u64(out, history.next_before);
    else
        strbuf_append(out, STR("null"));
    strbuf_append_char(out, '}');
    exchange_answer(exchange, 200);
}

void api_list_messages(exchange_t *exchange) {
    query_messages_t query;
    const char *why;
    api_call_t call = {.type = MSG_HISTORY,
                       .expected = MSG_MESSAGES,
                       .timeout_ms = API_TIMEOUT_MS,
                       .next = on_history};
    if (!api_conversation_parameter(exchange, &call.room))
        return;
    if (query_messages(exchange->query, &query, &why)) {
        api_fail_invalid(exchange, why);
        return;
    }
    /* Keys 1 and 2: an `after` of 0 is there, too. */
    proto_history_t message = {.present =
                                   (uint64_t)query.has_before << 1 | (uint64_t)query.has_after << 2,
                               .before = query.before,
                               .after = query.after,
                               .limit = query.limit};
    proto_history_encode(&message, &call.body);
    api_call(exchange, &call);
}

static void on_read_marked(exchange_t *exchange, const envelope_t *reply) {
    char read_at[ISO8601_TEXT + 1];
    proto_read_marked_t marked;
    if (proto_read_marked_decode(reply->body, api_arena(exchange), &marked)) {
        api_fail_reply(exchange, reply);
        return;
    }
    iso8601_format((int64_t)marked.read_at_ms, read_at);
    strbuf_append(&exchange->answer.body, STR("{\"seq\":"));
    strbuf_append_u64(&exchange->answer.body, marked.seq);
    strbuf_printf(&exchange->answer.body, ",\"readAt\":\"%s\"}", read_at);
    exchange_answer(exchange, 200);
}

void api_mark_read(exchange_t *exchange) {
    body_read_t body;
    body_fault_t fault;
    api_call_t call = {.type = MSG_MARK_READ,
                       .expected = MSG_READ_MARKED,
                       .timeout_ms = API_TIMEOUT_MS,
                       .next = on_read_marked};
    if (!api_conversation_parameter(exchange, &call.room))
        return;
    json_doc_t *document = api_parse_body(exchange);
    if (!document)
        return;
    if (body_read(json_doc_root(document), &body, &fault)) {
        api_fail_body(exchange, &fault);
    } else {
        proto_mark_read_t message = {.present = (uint64_t)body.has_seq << 1, .seq = body.seq};
        proto_mark_read_encode(&message, &call.body);
        api_call(exchange, &call);
    }
    json_doc_free(&document);
}

static void on_stored(exchange_t *exchange, const envelope_t *reply) {
    proto_stored_t stored;
    if (proto_stored_decode(reply->body, api_arena(exchange), &stored)) {
        api_fail_reply(exchange, reply);
        return;
    }
    strbuf_append(&exchange->answer.body, STR("{\"message\":"));
    strbuf_append(&exchange->answer.body, stored.message);
    strbuf_append_char(&exchange->answer.body, '}');
    exchange_answer(exchange, 200);
}

/* The room is the conversation, or the direct one with the recipient. */
static bool append_room(exchange_t *exchange, const body_message_t *body, strbuf_t *room) {
    if (body->conversation_id.n) {
        strbuf_append(room, body->conversation_id);
        return true;
    }
    if (ids_append_direct(room, str_from(exchange->user), body->recipient_id) == OK)
        return true;
    api_fail_invalid(exchange, "recipientId is your own");
    return false;
}

static void request_sending(exchange_t *exchange, const body_message_t *body) {
    char made_id[IDGEN_UUID_TEXT + 1];
    strbuf_t room = {0};
    proto_send_t message = {.text = body->text,
                            .client_id = body->client_id,
                            .reply_to = body->reply_to,
                            .name = str_from(exchange->name),
                            .role = str_from(exchange->role)};
    api_call_t call = {
        .type = MSG_SEND, .expected = MSG_STORED, .timeout_ms = API_TIMEOUT_MS, .next = on_stored};
    if (!message.client_id.n) {
        api_make_uuid(made_id);
        message.client_id = str_from(made_id);
    }
    if (append_room(exchange, body, &room)) {
        proto_send_encode(&message, &call.body);
        call.room = strbuf_str(&room);
        api_call(exchange, &call);
    }
    strbuf_fini(&room);
}

void api_send_message(exchange_t *exchange) {
    body_message_t body;
    body_fault_t fault;
    json_doc_t *document = api_parse_body(exchange);
    if (!document)
        return;
    if (body_message(json_doc_root(document), exchange->idempotency_key, &body, &fault))
        api_fail_body(exchange, &fault);
    else
        request_sending(exchange, &body);
    json_doc_free(&document);
}
