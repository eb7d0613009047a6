/* Which CURVE key belongs to whom on the bus: the text of the key files, read. Pure.
 *
 * A key file has lines `ROLE KEY`: the name of a service and a key of 32 bytes as 40 characters of
 * Z85 (ZeroMQ RFC 32). Empty lines and lines that begin with # are skipped. The public keys of all
 * services stand in one such file, several for a role while its key is being changed; a service's
 * secret key is the only line of another. */
#pragma once

#include "common/strbuf.h"
#include "proto/proto.h"

enum {
    KEYRING_KEYS_MAX = 64,
    KEYRING_KEY_TEXT = 40, /* characters of Z85 */
    KEYRING_TEXT_MAX = 16384,
};

typedef struct {
    role_t role;
    char key[KEYRING_KEY_TEXT + 1];
} keyring_entry_t;

/* Zeroed is empty. */
typedef struct {
    keyring_entry_t entries[KEYRING_KEYS_MAX];
    size_t n;
} keyring_t;

/* Reads a file's text. ERR_INVALID or ERR_LIMIT: *ring_out is of no use, and `problem` has a
 * sentence that names the line and never quotes it. A key that stands there for two roles is
 * ERR_INVALID, for it would bind nobody to one. */
err_t keyring_parse(str_t text, keyring_t *ring_out, strbuf_t *problem) MUST_CHECK;

/* Whose public key it is, 0 when it isn't in the ring. */
role_t keyring_role(const keyring_t *self, str_t key);

/* The number of keys that a role has, and its key `index`, counted round and round; it must have
 * one. */
size_t keyring_count(const keyring_t *self, role_t role);
const char *keyring_key(const keyring_t *self, role_t role, size_t index);
