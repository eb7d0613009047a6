#include "gateway/events.h"

#include "common/ids.h"
#include "proto/proto.h"

static const event_rule_t rules[] = {
#define X(NAME, text, required, optional, bare, rate, request)                                     \
    [EVENT_##NAME] = {text, required, optional, bare, rate, request},
    CLIENT_EVENTS(X)
#undef X
        [EVENT_UNKNOWN] = {"unknown", 0, 0, 0, RATE_REQUEST, 0},
};

typedef enum { TYPE_STRING, TYPE_NUMBER } field_type_t;

/* Strings are bounded in characters, numbers in value. */
static const struct {
    unsigned bit;
    field_type_t type;
    const char *name;
    uint64_t min, max;
    size_t offset;
} fields[] = {
    {FIELD_CONVERSATION_ID, TYPE_STRING, "conversationId", 1, IDS_ROOM_MAX,
     offsetof(event_payload_t, conversation_id)},
    {FIELD_AFTER, TYPE_NUMBER, "after", 0, INT64_MAX, offsetof(event_payload_t, after)},
    {FIELD_TEXT, TYPE_STRING, "text", 1, EVENTS_TEXT_MAX, offsetof(event_payload_t, text)},
    {FIELD_CLIENT_ID, TYPE_STRING, "clientId", 1, EVENTS_CLIENT_ID_MAX,
     offsetof(event_payload_t, client_id)},
    {FIELD_REPLY_TO, TYPE_NUMBER, "replyTo", 1, INT64_MAX, offsetof(event_payload_t, reply_to)},
    {FIELD_SEQ, TYPE_NUMBER, "seq", 1, INT64_MAX, offsetof(event_payload_t, seq)},
    {FIELD_TOKEN, TYPE_STRING, "token", 1, EVENTS_TOKEN_MAX, offsetof(event_payload_t, token)},
};

enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };

/* The library has checked that the text is JSON and how large it is; these bound what the parser
 * makes of it. No payload of ours nests deeper than one object. */
static const json_limits_t limits = {
    .max_bytes = SIZE_MAX, .max_depth = JSON_DEPTH_DEFAULT, .max_values = JSON_VALUES_DEFAULT};

const event_rule_t *events_rule(event_kind_t kind) {
    return &rules[kind];
}

event_kind_t events_kind(str_t name) {
    for (int kind = 0; kind < EVENT_KINDS; kind++) {
        if (str_eq(name, str_from(rules[kind].name)))
            return (event_kind_t)kind;
    }
    return EVENT_UNKNOWN;
}

static err_t refuse(event_fault_t *fault, const char *subject, const char *what) {
    snprintf(fault->text, sizeof(fault->text), "%s %s", subject, what);
    return ERR_INVALID;
}

static json_field_t read_value(size_t field, const json_value_t *value, event_payload_t *payload) {
    void *target = (char *)payload + fields[field].offset;
    if (fields[field].type == TYPE_NUMBER)
        return json_as_u64(value, fields[field].min, fields[field].max, target);
    return json_as_string(value, (size_t)fields[field].min, (size_t)fields[field].max, target);
}

static err_t read_field(size_t field, bool required, const json_value_t *value,
                        event_payload_t *payload, event_fault_t *fault) {
    json_field_t found = read_value(field, value, payload);
    if (found == JSON_FIELD_MISSING && !required)
        return OK;
    if (found != JSON_FIELD_OK) {
        char what[40];
        snprintf(what, sizeof(what), "is %s", json_field_name(found));
        return refuse(fault, fields[field].name, what);
    }
    payload->present |= fields[field].bit;
    return OK;
}

static err_t read_fields(const event_rule_t *rule, const json_value_t *value,
                         event_payload_t *payload, event_fault_t *fault) {
    bool is_object = json_value_is_object(value);
    if (!is_object && !rule->bare)
        return refuse(fault, "payload", "must be an object");
    unsigned wanted = is_object ? rule->required | rule->optional : rule->bare;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (!(wanted & fields[i].bit))
            continue;
        const json_value_t *field = is_object ? json_member(value, fields[i].name) : value;
        err_t err = read_field(i, rule->required & fields[i].bit, field, payload, fault);
        if (err)
            return err;
    }
    return OK;
}

err_t events_decode(event_kind_t kind, str_t array, event_payload_t *payload_out,
                    event_fault_t *fault_out) {
    event_payload_t payload = {0};
    if (kind == EVENT_UNKNOWN)
        return refuse(fault_out, "event", "is unknown");
    if (json_doc_new(array, &limits, &payload.doc))
        return refuse(fault_out, "payload", "is not acceptable JSON");
    const json_value_t *value = json_element(json_doc_root(payload.doc), 1);
    err_t err = read_fields(&rules[kind], value, &payload, fault_out);
    if (!err && (payload.present & FIELD_CONVERSATION_ID) &&
        !ids_is_conversation(payload.conversation_id))
        err = refuse(fault_out, "conversationId", "is not a conversation's id");
    if (err) {
        json_doc_free(&payload.doc);
        return err;
    }
    *payload_out = payload;
    return OK;
}

void events_payload_fini(event_payload_t *payload) {
    json_doc_free(&payload->doc);
    *payload = (event_payload_t){0};
}
