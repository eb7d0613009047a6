#include "common/siphash.h"

#include <sodium.h>

_Static_assert(SIPHASH_KEY_BYTES == crypto_shorthash_KEYBYTES, "libsodium's key size");
_Static_assert(sizeof(uint64_t) == crypto_shorthash_BYTES, "libsodium's hash size");

static uint8_t process_key[SIPHASH_KEY_BYTES];
static bool key_is_set;

void siphash_set_key(const uint8_t key[SIPHASH_KEY_BYTES]) {
    ASSERT(!key_is_set);
    memcpy(process_key, key, SIPHASH_KEY_BYTES);
    key_is_set = true;
}

uint64_t siphash(str_t bytes) {
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)bytes.p, bytes.n, process_key);
    return hash;
}
