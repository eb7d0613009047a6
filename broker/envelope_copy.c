#include "broker/envelope_copy.h"

static str_t copy_to(char **at, str_t bytes) {
    str_t copy = {*at, bytes.n};
    if (bytes.n)
        memcpy(*at, bytes.p, bytes.n);
    *at += bytes.n;
    return copy;
}

envelope_t *envelope_copy_new(const envelope_t *envelope) {
    envelope_t *copy = xmalloc(envelope_copy_bytes(envelope));
    char *at = (char *)(copy + 1);
    *copy = *envelope;
    copy->room = copy_to(&at, envelope->room);
    copy->user = copy_to(&at, envelope->user);
    copy->body = copy_to(&at, envelope->body);
    return copy;
}

size_t envelope_copy_bytes(const envelope_t *envelope) {
    return sizeof(*envelope) + envelope->room.n + envelope->user.n + envelope->body.n;
}
