/* Nobody without the keys makes a token that is accepted, however its bytes are bent. The input: a
 * token. The seeds include one of each algorithm that the keys here do accept; of those and their
 * mutants only the very same signed text may pass. */
#include "auth-worker/tokens.h"
#include "fuzz_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static keys_t *keys;
    static const claims_rules_t no_rules = {0};
    static const char *const genuine[] = {FUZZ_TOKEN_HS256, FUZZ_TOKEN_RS256, FUZZ_TOKEN_ES256};
    claims_t claims;
    jws_t jws;
    str_t token = {(const char *)data, size};
    if (!keys)
        keys = fuzz_keys_new();
    if (tokens_verify(keys, &no_rules, token, FUZZ_NOW_MS, &claims) != TOKENS_OK)
        return 0;
    ASSERT(jws_parse(token, &jws) == OK);
    bool is_genuine = false;
    for (size_t i = 0; i < sizeof(genuine) / sizeof(genuine[0]); i++)
        is_genuine = is_genuine || str_starts_with(str_from(genuine[i]), jws.signing_input);
    ASSERT(is_genuine);
    return 0;
}
