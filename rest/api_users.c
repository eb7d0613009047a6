/* /me and /users/…. */
#include "rest/api_call.h"

/* Asks for a user by id, on behalf of the caller. */
static void request_user(exchange_t *exchange, str_t id) {
    strbuf_t room = {0};
    proto_get_user_t message = {0};
    api_call_t call = {.type = MSG_GET_USER,
                       .expected = MSG_JSON,
                       .timeout_ms = API_TIMEOUT_MS,
                       .next = api_answer_json};
    ids_append_user_room(&room, id);
    proto_get_user_encode(&message, &call.body);
    call.room = strbuf_str(&room);
    api_call(exchange, &call);
    strbuf_fini(&room);
}

void api_me(exchange_t *exchange) {
    request_user(exchange, str_from(exchange->user));
}

/* The user id in the path. False: the exchange has been answered. */
static bool user_parameter(exchange_t *exchange, str_t *id_out) {
    *id_out = exchange->match.parameters[0];
    if (ids_is_user(*id_out))
        return true;
    api_fail_invalid(exchange, "the path has no user id");
    return false;
}

void api_get_user(exchange_t *exchange) {
    str_t id;
    if (user_parameter(exchange, &id))
        request_user(exchange, id);
}

static void on_user_put(exchange_t *exchange, const envelope_t *reply) {
    proto_json_t json;
    if (proto_json_decode(reply->body, api_arena(exchange), &json)) {
        api_fail_reply(exchange, reply);
        return;
    }
    strbuf_append(&exchange->answer.body, json.json);
    exchange_answer(exchange, 200);
}

static void request_upsert(exchange_t *exchange, str_t id, const body_user_t *body) {
    strbuf_t room = {0};
    proto_put_user_t message = {.name = body->name, .role = body->role};
    api_call_t call = {.type = MSG_PUT_USER,
                       .expected = MSG_JSON,
                       .timeout_ms = API_TIMEOUT_MS,
                       .next = on_user_put};
    ids_append_user_room(&room, id);
    proto_put_user_encode(&message, &call.body);
    call.room = strbuf_str(&room);
    api_call(exchange, &call);
    strbuf_fini(&room);
}

void api_put_user(exchange_t *exchange) {
    str_t id;
    body_user_t body;
    body_fault_t fault;
    if (!user_parameter(exchange, &id))
        return;
    json_doc_t *document = api_parse_body(exchange);
    if (!document)
        return;
    if (body_user(json_doc_root(document), &body, &fault))
        api_fail_body(exchange, &fault);
    else
        request_upsert(exchange, id, &body);
    json_doc_free(&document);
}
