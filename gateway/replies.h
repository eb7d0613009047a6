/* The JSON that clients get: arguments of acknowledgements and of the server's events (API.md).
 * Each function appends one JSON object. */
#pragma once

#include "common/strbuf.h"
#include "proto/proto.h"

/* What the client is told when nobody gave better words. */
const char *replies_default_message(code_t code);

/* {"ok":true} */
void replies_done(strbuf_t *out);
/* {"ok":false,"error":{…}}; retry_after_ms 0 leaves that member out. */
void replies_error(strbuf_t *out, code_t code, str_t message, uint64_t retry_after_ms);
/* {"ok":true,"message":…}: `message` is the JSON of one. */
void replies_message(strbuf_t *out, str_t message);
void replies_read_marked(strbuf_t *out, uint64_t seq, int64_t read_at_ms);
void replies_token(strbuf_t *out, int64_t expires_at_ms);
/* `participants` is the JSON array with presence merged in (participants.h). */
void replies_joined(strbuf_t *out, const proto_conversation_t *conversation, str_t participants);

/* error {event, code, message}; an event name that is over 64 bytes or no UTF-8 is left empty. */
void replies_event_error(strbuf_t *out, str_t event, code_t code, str_t message);
/* user_typing, user_stop_typing */
void replies_event_typing(strbuf_t *out, str_t conversation_id, str_t user_id);
typedef struct {
    str_t conversation_id;
    str_t user_id;
    uint64_t seq;
    int64_t read_at_ms;
} read_event_t;
/* messages_read */
void replies_event_read(strbuf_t *out, const read_event_t *read);
/* presence; last_seen_ms 0 is null */
void replies_event_presence(strbuf_t *out, str_t user_id, bool online, int64_t last_seen_ms);
/* conversation_removed */
void replies_event_removed(strbuf_t *out, str_t conversation_id);

/* CONNECT_ERROR's data: {"code":…} */
void replies_connect_error(strbuf_t *out, code_t code);
