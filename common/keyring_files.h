/* The files that hold keys (keyring.h) in the directory BUS_KEYS. */
#pragma once

#include "common/keyring.h"

#define KEYRING_PUBLIC_FILE "public.keys"
#define KEYRING_SECRET_SUFFIX ".key" /* behind the name of the service */

/* Reads and parses one file. On an error `problem` has a sentence that begins with the path. */
err_t keyring_read(const char *path, keyring_t *ring_out, strbuf_t *problem) MUST_CHECK;

/* A service's own keys in Z85. */
typedef struct {
    char public_key[KEYRING_KEY_TEXT + 1];
    char secret_key[KEYRING_KEY_TEXT + 1];
} key_pair_t;

/* Reads the secret key of `role`, the only one in its file, and finds the public key that belongs
 * to it. The caller wipes the pair. Errors as above. */
err_t keyring_read_secret(const char *path, role_t role, key_pair_t *pair_out,
                          strbuf_t *problem) MUST_CHECK;
