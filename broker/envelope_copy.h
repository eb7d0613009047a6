/* An envelope that outlives the frame it came in. */
#pragma once

#include "proto/envelope.h"

/* A copy of head, room, user and body in one allocation; the caller gives it back with free(). */
envelope_t *envelope_copy_new(const envelope_t *envelope);

/* What such a copy takes in memory. */
size_t envelope_copy_bytes(const envelope_t *envelope);
