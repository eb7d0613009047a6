/* The directory of keys that BUS_KEYS names: ROLE.key with the secret key of each service, and
 * public.keys with the public keys of all. keyring.h has their form. */
#pragma once

#include "common/strbuf.h"

/* Makes the directory if there is none, a key for each service that has no ROLE.key, and adds to
 * public.keys each public key that isn't in it. What is there stays as it is: doing it again
 * changes nothing, and after a ROLE.key was moved away both the old and the new key are accepted.
 * `report` gets a line for everything made. ERR_IO, ERR_INVALID or ERR_LIMIT: a sentence in
 * `problem`. */
err_t keygen_fill(const char *directory, strbuf_t *report, strbuf_t *problem) MUST_CHECK;
