#include "rest/api.h"

#include <sodium.h>
#include <strings.h>

#include "common/clock.h"
#include "common/idgen.h"
#include "common/ratelimit.h"
#include "common/trace_log.h"
#include "rest/api_call.h"
#include "rest/rest_metrics.h"
#include "rest/seen_users.h"

enum {
    RATE_NAMES_MAX = 100000, /* users, and addresses, whose rate is kept at once */
    RATE_BURST_SECONDS = 2,
    SEEN_USERS_MAX = 100000,
    SEEN_USERS_KEEP_MS = 600000,
};

struct api {
    api_options_t options;
    proto_arena_t *arena;
    ratelimit_table_t *users;     /* NULL when limits are off */
    ratelimit_table_t *addresses; /* likewise */
    seen_users_t *seen;
    trace_sampler_t sampler;
};

typedef void (*handler_t)(exchange_t *);

static const handler_t handlers[ROUTE_COUNT] = {
    [ROUTE_ID_REGISTER] = api_register,
    [ROUTE_ID_LOGIN] = api_login,
    [ROUTE_ID_REFRESH] = api_refresh,
    [ROUTE_ID_ME] = api_me,
    [ROUTE_ID_GET_USER] = api_get_user,
    [ROUTE_ID_PUT_USER] = api_put_user,
    [ROUTE_ID_LIST_CONVERSATIONS] = api_list_conversations,
    [ROUTE_ID_CREATE_CONVERSATION] = api_create_conversation,
    [ROUTE_ID_GET_CONVERSATION] = api_get_conversation,
    [ROUTE_ID_LIST_MESSAGES] = api_list_messages,
    [ROUTE_ID_MARK_READ] = api_mark_read,
    [ROUTE_ID_ADD_PARTICIPANTS] = api_add_participants,
    [ROUTE_ID_REMOVE_PARTICIPANT] = api_remove_participant,
    [ROUTE_ID_SEND_MESSAGE] = api_send_message,
    [ROUTE_ID_HEALTH] = api_health,
    [ROUTE_ID_READY] = api_ready,
};

static ratelimit_table_t *make_limit(uint64_t per_second) {
    ratelimit_rate_t rate = {.burst = (uint32_t)per_second * RATE_BURST_SECONDS,
                             .count = (uint32_t)per_second,
                             .per_ms = 1000};
    return ratelimit_table_new(&rate, RATE_NAMES_MAX);
}

api_t *api_new(const api_options_t *options) {
    api_t *self = xcalloc(1, sizeof(*self));
    self->options = *options;
    self->arena = proto_arena_new();
    self->sampler = trace_sampler_make(options->config->trace_rate);
    self->seen = seen_users_new(SEEN_USERS_MAX, SEEN_USERS_KEEP_MS);
    if (options->config->rate_limit) {
        self->users = make_limit(options->config->user_rate);
        self->addresses = make_limit(options->config->address_rate);
    }
    return self;
}

void api_free(api_t **self) {
    if (!*self)
        return;
    if ((*self)->users)
        ratelimit_table_free(&(*self)->users);
    if ((*self)->addresses)
        ratelimit_table_free(&(*self)->addresses);
    seen_users_free(&(*self)->seen);
    proto_arena_free(&(*self)->arena);
    free(*self);
    *self = NULL;
}

/* ---- requests to other services ---- */

/* Relays an ERROR: its code, and its words when there are some. */
static void fail_with_error(exchange_t *exchange, const envelope_t *reply) {
    proto_error_t error;
    code_t code =
        reply->code > CODE_OK && reply->code < CODE_COUNT ? (code_t)reply->code : CODE_INTERNAL;
    if (proto_error_decode(reply->body, exchange->api->arena, &error))
        error = (proto_error_t){0};
    exchange_fail(exchange, code, error.message, error.retry_after_ms);
}

static void on_reply(void *arg, err_t err, const envelope_t *reply) {
    exchange_t *exchange = arg;
    exchange->pending.id = 0;
    if (err)
        exchange_fail(exchange, CODE_UNAVAILABLE, (str_t){0}, 0);
    else if (reply->type == MSG_ERROR)
        fail_with_error(exchange, reply);
    else if (reply->type != exchange->expected)
        api_fail_reply(exchange, reply);
    else
        exchange->next(exchange, reply);
}

void api_call(exchange_t *exchange, api_call_t *call) {
    trace_sampler_decide(&exchange->api->sampler, &exchange->context, clock_now_ms());
    envelope_t envelope = {.type = call->type,
                           .room = call->room,
                           .user = str_from(exchange->user),
                           .trace = exchange->context.trace,
                           .body = strbuf_str(&call->body)};
    link_request_t request = {.envelope = &envelope,
                              .timeout_ms = call->timeout_ms,
                              .on_reply = on_reply,
                              .arg = exchange};
    exchange->expected = call->expected;
    exchange->next = call->next;
    exchange->pending = bus_client_request(exchange->api->options.bus, &request);
    strbuf_fini(&call->body);
    if (exchange->pending.id == 0) {
        metrics_increment(exchange->api->options.metrics, METRIC_REFUSED, REFUSED_BUS);
        exchange_fail(exchange, CODE_UNAVAILABLE, (str_t){0}, 0);
    }
}

void api_abandon(exchange_t *exchange) {
    ASSERT(exchange->pending.id != 0);
    bus_client_cancel(exchange->api->options.bus, exchange->pending);
    exchange->pending.id = 0;
    exchange_fail(exchange, CODE_UNAVAILABLE, (str_t){0}, 0);
}

proto_arena_t *api_arena(const exchange_t *exchange) {
    return exchange->api->arena;
}

service_t *api_service(const exchange_t *exchange) {
    return exchange->api->options.service;
}

/* ---- what handlers share ---- */

static str_t trim(str_t text) {
    while (text.n && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = str_from_offset(text, 1);
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

str_t api_bearer_token(const exchange_t *exchange) {
    static const char scheme[] = "Bearer ";
    str_t header = trim(exchange->authorization);
    if (header.n < sizeof(scheme) || strncasecmp(header.p, scheme, sizeof(scheme) - 1) != 0)
        return (str_t){0};
    return trim(str_from_offset(header, sizeof(scheme) - 1));
}

/* application/json, with parameters or without? */
static bool is_json_type(str_t content_type) {
    const char *end = content_type.n ? memchr(content_type.p, ';', content_type.n) : NULL;
    str_t type = {content_type.p, end ? (size_t)(end - content_type.p) : content_type.n};
    type = trim(type);
    return type.n == strlen(EXCHANGE_TYPE_JSON) &&
           strncasecmp(type.p, EXCHANGE_TYPE_JSON, type.n) == 0;
}

json_doc_t *api_parse_body(exchange_t *exchange) {
    json_doc_t *document = NULL;
    body_fault_t fault;
    if (body_parse(strbuf_str(&exchange->body), &document, &fault)) {
        api_fail_body(exchange, &fault);
        return NULL;
    }
    return document;
}

void api_fail_body(exchange_t *exchange, const body_fault_t *fault) {
    strbuf_t message = {0};
    strbuf_printf(&message, "%s%s%s", fault->name, *fault->name ? " " : "", fault->problem);
    exchange_fail(exchange, CODE_INVALID_PAYLOAD, strbuf_str(&message), 0);
    strbuf_fini(&message);
}

void api_fail_invalid(exchange_t *exchange, const char *message) {
    exchange_fail(exchange, CODE_INVALID_PAYLOAD, str_from(message), 0);
}

void api_fail_reply(exchange_t *exchange, const envelope_t *reply) {
    const char *name = proto_name(reply->type);
    log_error("reply_not_understood", log_text("type", name ? name : "unknown"),
              log_text("route", exchange->match.route->pattern),
              log_text("request", exchange->request_id), log_trace(&exchange->context.trace));
    exchange_fail(exchange, CODE_INTERNAL, (str_t){0}, 0);
}

void api_make_uuid(char text_out[IDGEN_UUID_TEXT + 1]) {
    uint8_t random[IDGEN_RANDOM_BYTES];
    randombytes_buf(random, sizeof(random));
    idgen_uuid_t uuid = idgen_uuid7(clock_unix_ms(), random);
    idgen_format(&uuid, text_out);
}

void api_answer_json(exchange_t *exchange, const envelope_t *reply) {
    proto_json_t json;
    if (proto_json_decode(reply->body, api_arena(exchange), &json)) {
        api_fail_reply(exchange, reply);
        return;
    }
    strbuf_append(&exchange->answer.body, json.json);
    exchange_answer(exchange, json.created ? 201 : 200);
}

void api_health(exchange_t *exchange) {
    service_health(api_service(exchange), &exchange->answer.body);
    exchange_answer(exchange, 200);
}

void api_ready(exchange_t *exchange) {
    health_ready_t ready = service_ready(api_service(exchange));
    strbuf_append(&exchange->answer.body, str_from(health_ready_body(ready)));
    exchange_answer(exchange, health_ready_status(ready));
}

/* ---- from request to handler ---- */

/* False, and answered, when this name has used up its rate. */
static bool take_rate(exchange_t *exchange, ratelimit_table_t *table, str_t name, size_t series) {
    int64_t retry_after_ms = 0;
    if (!table || ratelimit_table_take(table, name, 1, clock_now_ms(), &retry_after_ms))
        return true;
    metrics_increment(exchange->api->options.metrics, METRIC_REFUSED, series);
    exchange_fail(exchange, CODE_RATE_LIMITED, (str_t){0}, (uint64_t)retry_after_ms);
    return false;
}

static void run_handler(exchange_t *exchange) {
    handlers[exchange->match.route->id](exchange);
}

static void on_user_seen(exchange_t *exchange, const envelope_t *reply) {
    (void)reply;
    seen_users_note(exchange->api->seen, str_from(exchange->user), str_from(exchange->name),
                    str_from(exchange->role), clock_now_ms());
    run_handler(exchange);
}

/* The database must know a user before anything happens in its name. */
static void introduce_user(exchange_t *exchange) {
    strbuf_t room = {0};
    proto_user_seen_t seen = {.name = str_from(exchange->name), .role = str_from(exchange->role)};
    api_call_t call = {.type = MSG_USER_SEEN,
                       .expected = MSG_DONE,
                       .timeout_ms = API_TIMEOUT_MS,
                       .next = on_user_seen};
    ids_append_user_room(&room, str_from(exchange->user));
    proto_user_seen_encode(&seen, &call.body);
    call.room = strbuf_str(&room);
    api_call(exchange, &call);
    strbuf_fini(&room);
}

/* Copies with a NUL behind; what is too long is our own bug, the decoder has bounded it. */
static void copy_text(char *to, size_t size, str_t text) {
    ASSERT(text.n < size);
    if (text.n)
        memcpy(to, text.p, text.n);
    to[text.n] = '\0';
}

static void on_identity(exchange_t *exchange, const envelope_t *reply) {
    api_t *self = exchange->api;
    proto_identity_t identity;
    if (proto_identity_decode(reply->body, self->arena, &identity) ||
        !ids_is_user(identity.user_id)) {
        api_fail_reply(exchange, reply);
        return;
    }
    copy_text(exchange->user, sizeof(exchange->user), identity.user_id);
    copy_text(exchange->name, sizeof(exchange->name), identity.name);
    copy_text(exchange->role, sizeof(exchange->role), identity.role);
    if (!take_rate(exchange, self->users, identity.user_id, REFUSED_USER_RATE))
        return;
    bool service = str_eq(identity.role, STR("service"));
    if (exchange->match.route->auth == ROUTE_SERVICE && !service)
        exchange_fail(exchange, CODE_FORBIDDEN, (str_t){0}, 0);
    else if (exchange->match.route->auth == ROUTE_SERVICE ||
             seen_users_knows(self->seen, identity.user_id, identity.name, identity.role,
                              clock_now_ms()))
        run_handler(exchange);
    else
        introduce_user(exchange);
}

static void verify_token(exchange_t *exchange, str_t token) {
    proto_auth_verify_t verify = {.token = token};
    api_call_t call = {.type = MSG_AUTH_VERIFY,
                       .expected = MSG_IDENTITY,
                       .timeout_ms = API_AUTH_TIMEOUT_MS,
                       .next = on_identity};
    proto_auth_verify_encode(&verify, &call.body);
    api_call(exchange, &call);
}

/* False, and answered, when the body is there but isn't JSON, on a route that reads it. */
static bool check_type(exchange_t *exchange) {
    bool given = exchange->body.n || exchange->content_type.n;
    if (exchange->match.route->body_limit == ROUTE_BODY_NONE || !given ||
        is_json_type(exchange->content_type))
        return true;
    exchange_fail_as(exchange, 415, CODE_INVALID_PAYLOAD, STR("the body must be application/json"));
    return false;
}

static bool check_address_rate(exchange_t *exchange) {
    client_address_t subscriber = client_address_subscriber(&exchange->address);
    str_t name = {(const char *)subscriber.bytes, sizeof(subscriber.bytes)};
    return routes_is_probe(exchange->match.route) ||
           take_rate(exchange, exchange->api->addresses, name, REFUSED_ADDRESS_RATE);
}

void api_begin(api_t *self, exchange_t *exchange) {
    route_auth_t auth = exchange->match.route->auth;
    str_t token = api_bearer_token(exchange);
    bool has_token = token.n > 0 && token.n <= API_TOKEN_BYTES_MAX;
    exchange->api = self;
    if (!check_address_rate(exchange) || !check_type(exchange))
        return;
    if (auth != ROUTE_OPEN && !has_token)
        exchange_fail(exchange, CODE_UNAUTHORIZED, (str_t){0}, 0);
    else if (auth == ROUTE_OPEN || auth == ROUTE_TOKEN)
        run_handler(exchange);
    else
        verify_token(exchange, token);
}
