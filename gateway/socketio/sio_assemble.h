/* A binary packet on its way in: its text, and the attachments that have come. */
#pragma once

#include "gateway/socketio/sio_packet.h"

typedef struct sio_assembly sio_assembly_t;

/* For a decoded packet of SIO_BINARY_EVENT or SIO_BINARY_ACK whose text was `text`; both copied. */
sio_assembly_t *sio_assembly_new(str_t text, const sio_incoming_t *incoming);
void sio_assembly_free(sio_assembly_t **assembly);
/* Adds the next attachment; true when that was the last. Not to be called after that. */
bool sio_assembly_add(sio_assembly_t *assembly, str_t bytes);
/* The packet and its attachments, as long as the assembly lives. */
const sio_incoming_t *sio_assembly_packet(const sio_assembly_t *assembly);
sio_attachments_t sio_assembly_attachments(const sio_assembly_t *assembly);
