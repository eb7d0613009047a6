/* A packet that sio_decode() accepts is within its limits; an event or acknowledgement made anew of
 * its parts decodes to the same; its arguments split into values that join to the same text. */
#include "gateway/socketio/sio_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const sio_limits_t limits = {.max_attachments = 10, .max_depth = 32};

static void check_args(str_t args) {
    strbuf_t joined = {0};
    str_t rest = args, arg;
    while (sio_next_arg(&rest, &arg)) {
        json_kind_t kind;
        str_t value, copy = arg;
        json_rules_t rules = {.max_depth = limits.max_depth};
        ASSERT(json_take_value(&copy, &rules, &kind, &value) == OK && copy.n == 0);
        if (joined.n)
            strbuf_append_char(&joined, ',');
        strbuf_append(&joined, arg);
    }
    ASSERT(joined.n <= args.n);
    strbuf_fini(&joined);
}

/* The text of the packet anew, as a server would send it. */
static void encode(const sio_incoming_t *in, strbuf_t *to) {
    strbuf_append_char(to, (char)('0' + in->type));
    if (in->attachments)
        strbuf_printf(to, "%u-", in->attachments);
    if (!str_eq(in->nsp, STR("/"))) {
        strbuf_append(to, in->nsp);
        strbuf_append_char(to, ',');
    }
    if (in->has_id)
        strbuf_append_u64(to, in->id);
    strbuf_append(to, in->json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sio_incoming_t in, again;
    strbuf_t text = {0}, plain = {0};
    size_t code_points;
    str_t input = {(const char *)data, size};
    if (str_utf8_length(input, &code_points) != OK || sio_decode(input, &limits, &in) != OK)
        return 0;
    ASSERT(in.attachments <= limits.max_attachments && in.nsp.n > 0 && in.id <= SIO_MAX_ACK_ID);
    encode(&in, &text);
    ASSERT(sio_decode(strbuf_str(&text), &limits, &again) == OK);
    ASSERT(again.type == in.type && again.attachments == in.attachments &&
           again.has_id == in.has_id && again.id == in.id && str_eq(again.nsp, in.nsp) &&
           str_eq(again.json, in.json) && str_eq(again.name, in.name) &&
           str_eq(again.args, in.args));
    if (in.name.n && in.name.p[0] == '"') {
        json_unescape(in.name, &plain);
        ASSERT(str_utf8_length(strbuf_str(&plain), &code_points) == OK);
    }
    check_args(in.args);
    strbuf_fini(&text);
    strbuf_fini(&plain);
    return 0;
}
