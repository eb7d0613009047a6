/* Immutable bytes that several queues hold at once: encoded once, freed with the last holder. */
#pragma once

#include "common/str.h"

typedef struct sharedbuf sharedbuf_t;

/* A copy of `bytes` with one reference, the caller's. */
sharedbuf_t *sharedbuf_new(str_t bytes);
sharedbuf_t *sharedbuf_ref(sharedbuf_t *self);
/* Drops the caller's reference and clears its pointer; NULL inside is fine. */
void sharedbuf_unref(sharedbuf_t **self);
/* The content, valid while a reference is held. */
str_t sharedbuf_str(const sharedbuf_t *self);
