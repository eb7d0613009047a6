#include "gateway/socketio/eio_packet.h"

#include "gateway/socketio/base64.h"

enum {
    WS_FINAL = 0x80,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_MAX_HEADER = 10,
    QUEUE_ENTRY_COST = 16, /* a queue's pointer and a share of the packet's own fields */
};

struct eio_packet {
    uint32_t references;
    bool binary;
    uint8_t header;     /* length of the WebSocket header before the body */
    uint32_t shared;    /* length of the body's first part, which lies in `base` */
    eio_packet_t *base; /* NULL: the body is its own */
    size_t body;        /* length of the body */
    char bytes[];       /* header, then what of the body is its own */
};

/* Writes the header of an unmasked, unfragmented frame and returns its length. */
static size_t write_header(char *to, unsigned opcode, size_t length) {
    to[0] = (char)(WS_FINAL | opcode);
    if (length < 126) {
        to[1] = (char)length;
        return 2;
    }
    size_t bytes = length < 65536 ? 2 : 8;
    to[1] = bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < bytes; i++)
        to[2 + i] = (char)(length >> 8 * (bytes - 1 - i));
    return 2 + bytes;
}

static eio_packet_t *new_packet(bool binary, size_t shared, size_t own) {
    char header[WS_MAX_HEADER];
    size_t header_length = write_header(header, binary ? WS_BINARY : WS_TEXT, shared + own);
    eio_packet_t *self = xmalloc(sizeof(*self) + header_length + own);
    *self = (eio_packet_t){.references = 1,
                           .binary = binary,
                           .header = (uint8_t)header_length,
                           .shared = (uint32_t)shared,
                           .body = shared + own};
    memcpy(self->bytes, header, header_length);
    return self;
}

/* The body's first part, and the rest. */
static str_t shared_part(const eio_packet_t *self) {
    if (!self->base)
        return (str_t){0};
    return (str_t){self->base->bytes + self->base->header, self->shared};
}

static str_t own_part(const eio_packet_t *self) {
    return (str_t){self->bytes + self->header, self->body - self->shared};
}

eio_packet_t *eio_packet_new(char type, str_t payload) {
    eio_packet_t *self = new_packet(false, 0, 1 + payload.n);
    char *body = self->bytes + self->header;
    body[0] = type;
    if (payload.n)
        memcpy(body + 1, payload.p, payload.n);
    return self;
}

eio_packet_t *eio_packet_text(str_t text) {
    return eio_packet_new(EIO_MESSAGE, text);
}

eio_packet_t *eio_packet_binary(str_t bytes) {
    eio_packet_t *self = new_packet(true, 0, bytes.n);
    if (bytes.n)
        memcpy(self->bytes + self->header, bytes.p, bytes.n);
    return self;
}

eio_packet_t *eio_packet_with_tail(eio_packet_t *base, size_t cut, str_t tail) {
    ASSERT(!base->base && !base->binary && cut <= base->body && base->body - cut <= UINT32_MAX);
    eio_packet_t *self = new_packet(false, base->body - cut, tail.n);
    self->base = eio_packet_ref(base);
    if (tail.n)
        memcpy(self->bytes + self->header, tail.p, tail.n);
    return self;
}

eio_packet_t *eio_packet_ref(eio_packet_t *self) {
    self->references++;
    return self;
}

void eio_packet_unref(eio_packet_t **packet) {
    eio_packet_t *self = *packet;
    *packet = NULL;
    if (!self || --self->references)
        return;
    eio_packet_unref(&self->base);
    free(self);
}

str_t eio_packet_frame(const eio_packet_t *self) {
    return self->base ? (str_t){0} : (str_t){self->bytes, self->header + self->body};
}

size_t eio_packet_frame_size(const eio_packet_t *self) {
    return self->header + self->body;
}

static void append_body(const eio_packet_t *self, strbuf_t *out) {
    strbuf_append(out, shared_part(self));
    strbuf_append(out, own_part(self));
}

void eio_packet_append_frame(const eio_packet_t *self, strbuf_t *out) {
    strbuf_append(out, (str_t){self->bytes, self->header});
    append_body(self, out);
}

size_t eio_packet_size(const eio_packet_t *self) {
    return self->body;
}

size_t eio_packet_cost(const eio_packet_t *self) {
    return self->body + QUEUE_ENTRY_COST;
}

void eio_packet_append_to_payload(const eio_packet_t *self, strbuf_t *payload) {
    if (payload->n)
        strbuf_append_char(payload, EIO_SEPARATOR);
    if (self->binary) {
        strbuf_append_char(payload, 'b');
        base64_append(payload, own_part(self));
    } else {
        append_body(self, payload);
    }
}

bool eio_payload_next(str_t *rest, str_t *packet_out) {
    if (!rest->p)
        return false;
    const char *end = rest->n ? memchr(rest->p, EIO_SEPARATOR, rest->n) : NULL;
    if (!end) {
        *packet_out = *rest;
        *rest = (str_t){0};
        return true;
    }
    size_t length = (size_t)(end - rest->p);
    *packet_out = (str_t){rest->p, length};
    *rest = str_from_offset(*rest, length + 1);
    return true;
}

static err_t decode_base64(str_t text, strbuf_t *scratch, eio_incoming_t *incoming_out) {
    strbuf_clear(scratch);
    err_t err = base64_decode(text, scratch);
    *incoming_out =
        (eio_incoming_t){.type = EIO_MESSAGE, .binary = true, .payload = strbuf_str(scratch)};
    return err;
}

err_t eio_decode(str_t text, strbuf_t *scratch, eio_incoming_t *incoming_out) {
    size_t code_points;
    if (text.n && text.p[0] == 'b')
        return decode_base64(str_from_offset(text, 1), scratch, incoming_out);
    if (text.n == 0 || text.p[0] < EIO_OPEN || text.p[0] > EIO_NOOP ||
        str_utf8_length(text, &code_points) != OK)
        return ERR_INVALID;
    *incoming_out = (eio_incoming_t){.type = text.p[0], .payload = str_from_offset(text, 1)};
    return OK;
}
