/* Whatever a client sends as a payload: what is accepted keeps every rule. */
#include "common/ids.h"
#include "gateway/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(str_t text, size_t max) {
    size_t characters = 0;
    ASSERT(str_utf8_length(text, &characters) == OK);
    ASSERT(characters >= 1 && characters <= max);
    ASSERT(!memchr(text.p, '\0', text.n));
}

static void check(event_kind_t kind, const event_payload_t *payload) {
    const event_rule_t *rule = events_rule(kind);
    ASSERT((payload->present & rule->required) == rule->required);
    ASSERT((payload->present & ~(rule->required | rule->optional)) == 0);
    if (payload->present & FIELD_CONVERSATION_ID)
        ASSERT(ids_is_conversation(payload->conversation_id));
    if (payload->present & FIELD_TEXT)
        check_text(payload->text, EVENTS_TEXT_MAX);
    if (payload->present & FIELD_CLIENT_ID)
        check_text(payload->client_id, EVENTS_CLIENT_ID_MAX);
    if (payload->present & FIELD_TOKEN)
        check_text(payload->token, EVENTS_TOKEN_MAX);
    ASSERT(payload->after <= INT64_MAX && payload->reply_to <= INT64_MAX);
    ASSERT(!(payload->present & FIELD_REPLY_TO) || payload->reply_to >= 1);
    ASSERT(!(payload->present & FIELD_SEQ) || payload->seq >= 1);
}

/* The first byte chooses the event. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    event_payload_t payload;
    event_fault_t fault;
    if (size == 0)
        return 0;
    event_kind_t kind = (event_kind_t)(data[0] % (EVENT_KINDS + 1));
    str_t array = {(const char *)data + 1, size - 1};
    if (events_decode(kind, array, &payload, &fault) == OK) {
        ASSERT(kind != EVENT_UNKNOWN);
        check(kind, &payload);
        events_payload_fini(&payload);
    } else {
        ASSERT(memchr(fault.text, '\0', sizeof(fault.text)) && fault.text[0]);
    }
    (void)events_kind(array);
    return 0;
}
