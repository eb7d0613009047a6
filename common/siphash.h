/* Keyed SipHash-2-4, and uthash made to use it: include this instead of <uthash.h> wherever peers
 * choose the names, so that nobody can compute colliding ones. */
#pragma once

#include <stdint.h>

#include "common/str.h"

#define SIPHASH_KEY_BYTES 16

/* Sets the process's key; once, before the first hash. Without a call the key is all zeros, which
 * makes tests and simulations repeatable. */
void siphash_set_key(const uint8_t key[SIPHASH_KEY_BYTES]);

uint64_t siphash(str_t bytes);

#define HASH_FUNCTION(key, length, hash)                                                           \
    ((hash) = (unsigned)siphash((str_t){(const char *)(key), (size_t)(length)}))
#define uthash_malloc(size) xmalloc(size)
#define uthash_fatal(message) assert_failed(message, __FILE__, __LINE__)

#include <uthash.h>
