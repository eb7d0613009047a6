#include "proto/envelope.h"

#include <endian.h>

/* The head as it lies on the wire. */
typedef struct __attribute__((packed)) {
    uint8_t version;
    uint8_t flags;
    uint16_t type;
    uint32_t count;
    uint64_t receiver;
    uint64_t request_id;
    uint64_t session;
    uint32_t deadline_ms;
    uint16_t code;
    uint8_t room_bytes;
    uint8_t user_bytes;
    uint8_t trace[TRACE_ID_BYTES];
} head_t;

_Static_assert(sizeof(head_t) == ENVELOPE_HEAD_BYTES, "the head is as documented");

void envelope_encode(const envelope_t *envelope, strbuf_t *out) {
    ASSERT(envelope->room.n <= ENVELOPE_ROOM_BYTES && envelope->user.n <= ENVELOPE_USER_BYTES);
    head_t head = {
        .version = ENVELOPE_VERSION,
        .flags = envelope->flags | (envelope->trace.sampled ? ENVELOPE_SAMPLED : 0),
        .type = htole16(envelope->type),
        .count = htole32(envelope->count),
        .receiver = htole64(envelope->receiver),
        .request_id = htole64(envelope->request_id),
        .session = htole64(envelope->session),
        .deadline_ms = htole32(envelope->deadline_ms),
        .code = htole16(envelope->code),
        .room_bytes = (uint8_t)envelope->room.n,
        .user_bytes = (uint8_t)envelope->user.n,
    };
    memcpy(head.trace, envelope->trace.id, TRACE_ID_BYTES);
    strbuf_reserve(out, sizeof(head) + envelope->room.n + envelope->user.n + envelope->body.n);
    strbuf_append(out, (str_t){(const char *)&head, sizeof(head)});
    strbuf_append(out, envelope->room);
    strbuf_append(out, envelope->user);
    strbuf_append(out, envelope->body);
}

err_t envelope_decode(str_t frame, envelope_t *out) {
    head_t head;
    if (frame.n < sizeof(head) || frame.n > ENVELOPE_MAX_BYTES)
        return ERR_INVALID;
    memcpy(&head, frame.p, sizeof(head));
    if (head.version != ENVELOPE_VERSION || head.room_bytes > ENVELOPE_ROOM_BYTES ||
        head.user_bytes > ENVELOPE_USER_BYTES ||
        frame.n - sizeof(head) < (size_t)head.room_bytes + head.user_bytes)
        return ERR_INVALID;
    str_t rest = str_from_offset(frame, sizeof(head));
    *out = (envelope_t){
        .flags = head.flags & (uint8_t)~ENVELOPE_SAMPLED,
        .type = le16toh(head.type),
        .code = le16toh(head.code),
        .count = le32toh(head.count),
        .deadline_ms = le32toh(head.deadline_ms),
        .receiver = le64toh(head.receiver),
        .request_id = le64toh(head.request_id),
        .session = le64toh(head.session),
        .room = {rest.p, head.room_bytes},
        .user = {rest.p + head.room_bytes, head.user_bytes},
        .body = str_from_offset(rest, (size_t)head.room_bytes + head.user_bytes),
    };
    memcpy(out->trace.id, head.trace, TRACE_ID_BYTES);
    out->trace.sampled = head.flags & ENVELOPE_SAMPLED;
    return OK;
}

void envelope_stamp(char *frame, uint32_t count, uint64_t receiver, uint32_t deadline_ms) {
    head_t head;
    memcpy(&head, frame, sizeof(head));
    head.count = htole32(count);
    head.receiver = htole64(receiver);
    head.deadline_ms = htole32(deadline_ms);
    memcpy(frame, &head, sizeof(head));
}
