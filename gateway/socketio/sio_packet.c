#include "gateway/socketio/sio_packet.h"

struct sio_packet {
    uint32_t references;
    uint32_t n;
    eio_packet_t *packets[]; /* the header, then the attachments */
};

/* ---- decoding ---- */

/* Takes the digits off the front as a number up to `max`. ERR_INVALID: none, or a larger one. */
static err_t take_number(str_t *rest, uint64_t max, uint64_t *value_out) {
    size_t n = 0;
    while (n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9')
        n++;
    str_t digits = {rest->p, n};
    *rest = str_from_offset(*rest, n);
    return str_to_u64(digits, max, value_out);
}

static bool is_binary(sio_type_t type) {
    return type == SIO_BINARY_EVENT || type == SIO_BINARY_ACK;
}

static err_t take_attachments(str_t *rest, const sio_limits_t *limits, uint32_t *attachments_out) {
    uint64_t count;
    if (take_number(rest, UINT32_MAX, &count) != OK || count == 0 || rest->n == 0 ||
        rest->p[0] != '-')
        return ERR_INVALID;
    *rest = str_from_offset(*rest, 1);
    *attachments_out = (uint32_t)count;
    return count > limits->max_attachments ? ERR_LIMIT : OK;
}

static str_t take_namespace(str_t *rest) {
    if (rest->n == 0 || rest->p[0] != '/')
        return STR("/");
    const char *end = memchr(rest->p, ',', rest->n);
    str_t nsp = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    *rest = str_from_offset(*rest, nsp.n + 1);
    return nsp;
}

static bool is_reserved_name(str_t json) {
    static const char *const reserved[] = {"connect",       "connect_error", "disconnect",
                                           "disconnecting", "newListener",   "removeListener"};
    strbuf_t plain = {0};
    bool found = false;
    if (json.n > 16 && !memchr(json.p, '\\', json.n))
        return false;
    json_unescape(json, &plain);
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        found = found || str_eq(strbuf_str(&plain), str_from(reserved[i]));
    strbuf_fini(&plain);
    return found;
}

static str_t without_blanks(str_t json) {
    while (json.n && (unsigned char)json.p[0] <= ' ')
        json = str_from_offset(json, 1);
    while (json.n && (unsigned char)json.p[json.n - 1] <= ' ')
        json.n--;
    return json;
}

/* The arguments of an array whose text is `json`: what stands behind its first item for an event,
 * everything for an acknowledgement. */
static err_t split_array(sio_incoming_t *incoming, bool event) {
    static const json_rules_t checked = {.max_depth = JSON_MAX_DEPTH};
    str_t inside = {incoming->json.p + 1, incoming->json.n - 2};
    json_kind_t kind;
    incoming->args = without_blanks(inside);
    if (!event)
        return OK;
    if (json_take_value(&inside, &checked, &kind, &incoming->name) != OK)
        return ERR_INVALID; /* an empty array */
    incoming->args = without_blanks(str_from_offset(inside, 1));
    if (kind == JSON_KIND_STRING)
        return is_reserved_name(incoming->name) ? ERR_INVALID : OK;
    return kind == JSON_KIND_NUMBER ? OK : ERR_INVALID;
}

static err_t check_payload(sio_incoming_t *incoming, bool present, json_kind_t kind) {
    switch (incoming->type) {
    case SIO_CONNECT:
        return !present || kind == JSON_KIND_OBJECT ? OK : ERR_INVALID;
    case SIO_DISCONNECT:
        return present ? ERR_INVALID : OK;
    case SIO_EVENT:
    case SIO_BINARY_EVENT:
        return present && kind == JSON_KIND_ARRAY ? split_array(incoming, true) : ERR_INVALID;
    case SIO_ACK:
    case SIO_BINARY_ACK:
        if (!present || kind != JSON_KIND_ARRAY || !incoming->has_id)
            return ERR_INVALID;
        return split_array(incoming, false);
    case SIO_CONNECT_ERROR: /* only servers send it */
        return ERR_INVALID;
    }
    return ERR_INVALID;
}

static err_t take_payload(str_t rest, const sio_limits_t *limits, sio_incoming_t *incoming) {
    json_rules_t rules = {.max_depth = limits->max_depth,
                          .placeholders = is_binary(incoming->type),
                          .attachments = incoming->attachments};
    json_kind_t kind = JSON_KIND_LITERAL;
    bool present = rest.n > 0;
    if (present) {
        err_t err = json_take_value(&rest, &rules, &kind, &incoming->json);
        if (err != OK || rest.n)
            return err != OK ? err : ERR_INVALID;
    }
    return check_payload(incoming, present, kind);
}

err_t sio_decode(str_t text, const sio_limits_t *limits, sio_incoming_t *incoming_out) {
    *incoming_out = (sio_incoming_t){0};
    if (text.n == 0 || text.p[0] < '0' || text.p[0] > '6')
        return ERR_INVALID;
    incoming_out->type = (sio_type_t)(text.p[0] - '0');
    str_t rest = str_from_offset(text, 1);
    err_t err = OK;
    if (is_binary(incoming_out->type))
        err = take_attachments(&rest, limits, &incoming_out->attachments);
    if (err != OK)
        return err;
    incoming_out->nsp = take_namespace(&rest);
    if (rest.n && rest.p[0] >= '0' && rest.p[0] <= '9') {
        incoming_out->has_id = true;
        if (take_number(&rest, SIO_MAX_ACK_ID, &incoming_out->id) != OK)
            return ERR_INVALID;
    }
    return take_payload(rest, limits, incoming_out);
}

/* ---- encoding ---- */

static void append_header(strbuf_t *to, const sio_outgoing_t *outgoing) {
    sio_type_t type = outgoing->type;
    if (outgoing->attachments.n)
        type = type == SIO_EVENT ? SIO_BINARY_EVENT : SIO_BINARY_ACK;
    strbuf_append_char(to, (char)('0' + type));
    if (outgoing->attachments.n) {
        strbuf_append_u64(to, outgoing->attachments.n);
        strbuf_append_char(to, '-');
    }
    if (!str_eq(outgoing->nsp, STR("/"))) {
        strbuf_append(to, outgoing->nsp);
        strbuf_append_char(to, ',');
    }
    if (outgoing->has_id)
        strbuf_append_u64(to, outgoing->id);
}

static void append_payload(strbuf_t *to, const sio_outgoing_t *outgoing) {
    bool array = outgoing->type == SIO_EVENT || outgoing->type == SIO_ACK;
    if (array)
        strbuf_append_char(to, '[');
    if (outgoing->has_name) {
        strbuf_append_json_string(to, outgoing->name);
        if (outgoing->args.n)
            strbuf_append_char(to, ',');
    }
    strbuf_append(to, outgoing->args);
    if (array)
        strbuf_append_char(to, ']');
}

sio_packet_t *sio_packet_encode(const sio_outgoing_t *outgoing) {
    size_t n = 1 + outgoing->attachments.n;
    sio_packet_t *self = xmalloc(sizeof(*self) + n * sizeof(eio_packet_t *));
    strbuf_t text = {0};
    strbuf_reserve(&text, outgoing->args.n + outgoing->nsp.n + outgoing->name.n + 64);
    append_header(&text, outgoing);
    append_payload(&text, outgoing);
    self->references = 1;
    self->n = (uint32_t)n;
    self->packets[0] = eio_packet_text(strbuf_str(&text));
    for (size_t i = 1; i < n; i++)
        self->packets[i] = eio_packet_binary(outgoing->attachments.items[i - 1]);
    strbuf_fini(&text);
    return self;
}

sio_packet_t *sio_packet_ref(sio_packet_t *self) {
    self->references++;
    return self;
}

void sio_packet_unref(sio_packet_t **packet) {
    sio_packet_t *self = *packet;
    *packet = NULL;
    if (!self || --self->references)
        return;
    for (uint32_t i = 0; i < self->n; i++)
        eio_packet_unref(&self->packets[i]);
    free(self);
}

void sio_packet_send(const sio_packet_t *self, eio_session_t *session) {
    for (uint32_t i = 0; i < self->n; i++)
        eio_send_packet(session, self->packets[i]);
}

void sio_packet_send_with(const sio_packet_t *self, eio_session_t *session, str_t tail) {
    eio_packet_t *header = eio_packet_with_tail(self->packets[0], 1, tail);
    eio_send_packet(session, header);
    eio_packet_unref(&header);
    for (uint32_t i = 1; i < self->n; i++)
        eio_send_packet(session, self->packets[i]);
}

bool sio_next_arg(str_t *args, str_t *arg_out) {
    static const json_rules_t checked = {.max_depth = JSON_MAX_DEPTH};
    json_kind_t kind;
    if (json_take_value(args, &checked, &kind, arg_out) != OK)
        return false;
    *args = str_from_offset(*args, 1); /* the comma */
    return true;
}
