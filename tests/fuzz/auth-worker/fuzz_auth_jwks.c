/* What jwks_read() takes is usable, what it refuses has a reason, and both stay within bounds. The
 * input: a JWKS. */
#include "auth-worker/jwks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* Signed by nobody: each key is tried and must refuse. */
    static const char *const tokens[] = {
        "eyJhbGciOiJSUzI1NiJ9.e30.AAAA", /* RS256 */
        "eyJhbGciOiJFUzI1NiJ9.e30."      /* ES256, 64 zero bytes */
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    keys_t *keys = keys_new();
    strbuf_t problem = {0};
    size_t skipped = 0;
    err_t err = jwks_read((str_t){(const char *)data, size}, keys, &skipped, &problem);
    ASSERT((err == OK) == (problem.n == 0));
    ASSERT(keys_count(keys) <= KEYS_MAX && skipped <= JWKS_ENTRIES_MAX);
    ASSERT(err != OK || keys_count(keys) > 0);
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        jws_t jws;
        ASSERT(jws_parse(str_from(tokens[i]), &jws) == OK);
        ASSERT(!keys_verify(keys, &jws, str_from(tokens[i])));
    }
    strbuf_fini(&problem);
    keys_free(&keys);
    return 0;
}
