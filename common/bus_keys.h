/* The CURVE keys of a process: its own, and those of all services. Read from the directory
 * BUS_KEYS: ROLE.key     the service's own secret key, alone; nobody else should be able to read it
 *     public.keys  the public keys of all services; read again when it changes
 * parley-keygen makes them. keyring.h has their form. */
#pragma once

#include <uv.h>

#include "common/keyring.h"

enum { BUS_KEYS_POLL_MS = 1000 }; /* how often public.keys is looked at */

typedef struct bus_keys bus_keys_t;

/* Loads the keys for `role` and begins to watch. ERR_INVALID or ERR_IO: the log says why. */
err_t bus_keys_new(uv_loop_t *loop, const char *directory, role_t role,
                   bus_keys_t **self_out) MUST_CHECK;
/* Closes its handle; the memory goes when the loop has run. Clears the pointer; NULL is ignored. */
void bus_keys_free(bus_keys_t **self);

/* The own keys in Z85. */
const char *bus_keys_public(const bus_keys_t *self);
const char *bus_keys_secret(const bus_keys_t *self);
/* All public keys; there is at least one of a broker among them. */
const keyring_t *bus_keys_ring(const bus_keys_t *self);
