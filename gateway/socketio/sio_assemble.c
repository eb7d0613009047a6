#include "gateway/socketio/sio_assemble.h"

struct sio_assembly {
    char *text;
    sio_incoming_t incoming; /* points into `text` */
    uint32_t received;
    str_t attachments[]; /* incoming.attachments of them, each on the heap */
};

/* The same part of the copy. */
static str_t moved(str_t part, str_t from, const char *to) {
    bool inside = part.p >= from.p && part.p <= from.p + from.n;
    return inside ? (str_t){to + (part.p - from.p), part.n} : part;
}

sio_assembly_t *sio_assembly_new(str_t text, const sio_incoming_t *incoming) {
    ASSERT(incoming->attachments > 0);
    sio_assembly_t *self =
        xcalloc(1, sizeof(*self) + incoming->attachments * sizeof(self->attachments[0]));
    self->text = str_dup(text);
    self->incoming = *incoming;
    str_t *parts[] = {&self->incoming.nsp, &self->incoming.json, &self->incoming.name,
                      &self->incoming.args};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        *parts[i] = moved(*parts[i], text, self->text);
    return self;
}

void sio_assembly_free(sio_assembly_t **assembly) {
    sio_assembly_t *self = *assembly;
    *assembly = NULL;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->received; i++)
        free((char *)self->attachments[i].p);
    free(self->text);
    free(self);
}

bool sio_assembly_add(sio_assembly_t *self, str_t bytes) {
    ASSERT(self->received < self->incoming.attachments);
    self->attachments[self->received++] = (str_t){str_dup(bytes), bytes.n};
    return self->received == self->incoming.attachments;
}

const sio_incoming_t *sio_assembly_packet(const sio_assembly_t *self) {
    return &self->incoming;
}

sio_attachments_t sio_assembly_attachments(const sio_assembly_t *self) {
    return (sio_attachments_t){self->attachments, self->received};
}
