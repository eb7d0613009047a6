/* /conversations: lists, making them, and who takes part. */
#include "common/idgen.h"
#include "rest/api_call.h"
#include "rest/query.h"

bool api_conversation_parameter(exchange_t *exchange, str_t *conversation_out) {
    *conversation_out = exchange->match.parameters[0];
    if (ids_is_conversation(*conversation_out))
        return true;
    api_fail_invalid(exchange, "the path has no conversation's id");
    return false;
}

void api_list_conversations(exchange_t *exchange) {
    strbuf_t storage = {0}, room = {0};
    query_conversations_t query;
    const char *why;
    if (query_conversations(exchange->query, &storage, &query, &why)) {
        api_fail_invalid(exchange, why);
    } else {
        proto_list_conversations_t message = {.cursor = query.cursor, .limit = query.limit};
        api_call_t call = {.type = MSG_LIST_CONVERSATIONS,
                           .expected = MSG_JSON,
                           .timeout_ms = API_TIMEOUT_MS,
                           .next = api_answer_json};
        ids_append_user_room(&room, str_from(exchange->user));
        proto_list_conversations_encode(&message, &call.body);
        call.room = strbuf_str(&room);
        api_call(exchange, &call);
    }
    strbuf_fini(&storage);
    strbuf_fini(&room);
}

static void request_creation(exchange_t *exchange, const body_conversation_t *body) {
    strbuf_t room = {0};
    str_t caller = str_from(exchange->user);
    proto_create_conversation_t message = {.users = {body->users.items, body->users.n},
                                           .title = body->title,
                                           .name = str_from(exchange->name),
                                           .role = str_from(exchange->role)};
    api_call_t call = {.type = MSG_CREATE_CONVERSATION,
                       .expected = MSG_JSON,
                       .timeout_ms = API_TIMEOUT_MS,
                       .next = api_answer_json};
    if (body->title.n) {
        char uuid[IDGEN_UUID_TEXT + 1];
        api_make_uuid(uuid);
        strbuf_printf(&room, "group_%s", uuid);
    } else {
        err_t err = ids_append_direct(&room, caller, body->users.items[0]);
        ASSERT(err == OK); /* the body's reader has checked both */
    }
    proto_create_conversation_encode(&message, &call.body);
    call.room = strbuf_str(&room);
    api_call(exchange, &call);
    strbuf_fini(&room);
}

void api_create_conversation(exchange_t *exchange) {
    body_conversation_t body;
    body_fault_t fault;
    json_doc_t *document = api_parse_body(exchange);
    if (!document)
        return;
    if (body_conversation(json_doc_root(document), str_from(exchange->user), &body, &fault))
        api_fail_body(exchange, &fault);
    else
        request_creation(exchange, &body);
    json_doc_free(&document);
}

void api_get_conversation(exchange_t *exchange) {
    proto_get_conversation_t message = {0};
    api_call_t call = {.type = MSG_GET_CONVERSATION,
                       .expected = MSG_JSON,
                       .timeout_ms = API_TIMEOUT_MS,
                       .next = api_answer_json};
    if (!api_conversation_parameter(exchange, &call.room))
        return;
    proto_get_conversation_encode(&message, &call.body);
    api_call(exchange, &call);
}

static void on_added(exchange_t *exchange, const envelope_t *reply) {
    proto_members_changed_t changed;
    if (proto_members_changed_decode(reply->body, api_arena(exchange), &changed) ||
        !changed.json.n) {
        api_fail_reply(exchange, reply);
        return;
    }
    strbuf_append(&exchange->answer.body, changed.json);
    exchange_answer(exchange, 200);
}

/* The group in the path. False: the exchange has been answered. */
static bool group_parameter(exchange_t *exchange, str_t *group_out) {
    if (!api_conversation_parameter(exchange, group_out))
        return false;
    if (ids_parse_room(*group_out).kind == IDS_GROUP)
        return true;
    api_fail_invalid(exchange, "only groups have members that change");
    return false;
}

void api_add_participants(exchange_t *exchange) {
    body_user_ids_t users;
    body_fault_t fault;
    api_call_t call = {.type = MSG_ADD_PARTICIPANTS,
                       .expected = MSG_MEMBERS_CHANGED,
                       .timeout_ms = API_TIMEOUT_MS,
                       .next = on_added};
    if (!group_parameter(exchange, &call.room))
        return;
    json_doc_t *document = api_parse_body(exchange);
    if (!document)
        return;
    if (body_participants(json_doc_root(document), &users, &fault)) {
        api_fail_body(exchange, &fault);
    } else {
        proto_add_participants_t message = {.users = {users.items, users.n}};
        proto_add_participants_encode(&message, &call.body);
        api_call(exchange, &call);
    }
    json_doc_free(&document);
}

static void on_removed(exchange_t *exchange, const envelope_t *reply) {
    (void)reply;
    exchange_answer(exchange, 204);
}

void api_remove_participant(exchange_t *exchange) {
    proto_remove_participant_t message = {.target = exchange->match.parameters[1]};
    api_call_t call = {.type = MSG_REMOVE_PARTICIPANT,
                       .expected = MSG_MEMBERS_CHANGED,
                       .timeout_ms = API_TIMEOUT_MS,
                       .next = on_removed};
    if (!group_parameter(exchange, &call.room))
        return;
    if (!ids_is_user(message.target)) {
        api_fail_invalid(exchange, "the path has no user id");
        return;
    }
    proto_remove_participant_encode(&message, &call.body);
    api_call(exchange, &call);
}
