/* /auth/…: registering, signing in, newer tokens. */
#include "common/idgen.h"
#include "common/iso8601.h"
#include "rest/api_call.h"

enum { KEY_BYTES_MAX = 64 }; /* of an Idempotency-Key, as messages.def has it */

static void append_expires_at(strbuf_t *out, uint64_t expires_at_ms) {
    char text[ISO8601_TEXT + 1];
    iso8601_format((int64_t)expires_at_ms, text);
    strbuf_printf(out, ",\"expiresAt\":\"%s\"}", text);
}

static bool decode_token(exchange_t *exchange, const envelope_t *reply, proto_token_t *token_out) {
    if (proto_token_decode(reply->body, api_arena(exchange), token_out) == OK)
        return true;
    api_fail_reply(exchange, reply);
    return false;
}

static void write_signed_in(const proto_token_t *token, strbuf_t *out) {
    strbuf_append(out, STR("{\"user\":{\"id\":"));
    strbuf_append_json_string(out, token->user_id);
    strbuf_append(out, STR(",\"name\":"));
    strbuf_append_json_string(out, token->name);
    strbuf_append(out, STR(",\"role\":"));
    strbuf_append_json_string(out, token->role);
    strbuf_append(out, STR("},\"token\":"));
    strbuf_append_json_string(out, token->token);
    append_expires_at(out, token->expires_at_ms);
}

static void on_registered(exchange_t *exchange, const envelope_t *reply) {
    proto_token_t token;
    if (!decode_token(exchange, reply, &token))
        return;
    write_signed_in(&token, &exchange->answer.body);
    exchange_answer(exchange, 201);
}

static void on_logged_in(exchange_t *exchange, const envelope_t *reply) {
    proto_token_t token;
    if (!decode_token(exchange, reply, &token))
        return;
    write_signed_in(&token, &exchange->answer.body);
    exchange_answer(exchange, 200);
}

static void on_refreshed(exchange_t *exchange, const envelope_t *reply) {
    proto_token_t token;
    if (!decode_token(exchange, reply, &token))
        return;
    strbuf_append(&exchange->answer.body, STR("{\"token\":"));
    strbuf_append_json_string(&exchange->answer.body, token.token);
    append_expires_at(&exchange->answer.body, token.expires_at_ms);
    exchange_answer(exchange, 200);
}

static void request_registration(exchange_t *exchange, const body_register_t *body) {
    char address[CLIENT_ADDRESS_TEXT], made_key[IDGEN_UUID_TEXT + 1];
    str_t key = exchange->idempotency_key;
    if (!key.n) {
        api_make_uuid(made_key);
        key = str_from(made_key);
    }
    client_address_format(&exchange->address, address);
    proto_auth_register_t message = {.id = body->id,
                                     .name = body->name,
                                     .password = body->password,
                                     .role = body->role,
                                     .address = str_from(address),
                                     .idempotency_key = key};
    api_call_t call = {.type = MSG_AUTH_REGISTER,
                       .expected = MSG_TOKEN,
                       .timeout_ms = API_PASSWORD_TIMEOUT_MS,
                       .next = on_registered};
    proto_auth_register_encode(&message, &call.body);
    api_call(exchange, &call);
}

static bool is_key(str_t text) {
    return text.n <= KEY_BYTES_MAX && body_is_client_id(text);
}

void api_register(exchange_t *exchange) {
    body_register_t body;
    body_fault_t fault;
    json_doc_t *document = api_parse_body(exchange);
    if (!document)
        return;
    if (body_register(json_doc_root(document), &body, &fault))
        api_fail_body(exchange, &fault);
    else if (exchange->idempotency_key.n && !is_key(exchange->idempotency_key))
        api_fail_invalid(exchange, "Idempotency-Key is out of range");
    else
        request_registration(exchange, &body);
    json_doc_free(&document);
}

void api_login(exchange_t *exchange) {
    char address[CLIENT_ADDRESS_TEXT];
    body_login_t body;
    body_fault_t fault;
    json_doc_t *document = api_parse_body(exchange);
    if (!document)
        return;
    client_address_format(&exchange->address, address);
    if (body_login(json_doc_root(document), &body, &fault)) {
        api_fail_body(exchange, &fault);
    } else {
        proto_auth_login_t message = {
            .id = body.id, .password = body.password, .address = str_from(address)};
        api_call_t call = {.type = MSG_AUTH_LOGIN,
                           .expected = MSG_TOKEN,
                           .timeout_ms = API_PASSWORD_TIMEOUT_MS,
                           .next = on_logged_in};
        proto_auth_login_encode(&message, &call.body);
        api_call(exchange, &call);
    }
    json_doc_free(&document);
}

void api_refresh(exchange_t *exchange) {
    proto_auth_refresh_t message = {.token = api_bearer_token(exchange)};
    api_call_t call = {.type = MSG_AUTH_REFRESH,
                       .expected = MSG_TOKEN,
                       .timeout_ms = API_AUTH_TIMEOUT_MS,
                       .next = on_refreshed};
    proto_auth_refresh_encode(&message, &call.body);
    api_call(exchange, &call);
}
