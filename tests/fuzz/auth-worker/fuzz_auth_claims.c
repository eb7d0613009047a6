/* Whatever claims_check() lets through keeps every rule, without and with an issuer and an audience
 * to match. The input: a payload. */
#include "auth-worker/claims.h"
#include "common/ids.h"

#define NOW_MS INT64_C(1700000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_kept(const claims_t *claims) {
    ASSERT(ids_is_user(str_from(claims->user_id)));
    ASSERT(!claims->name[0] || claims_name_valid(str_from(claims->name)));
    ASSERT(!claims->role[0] || claims_role_valid(str_from(claims->role)));
    ASSERT(strlen(claims->jti) <= CLAIMS_TOKEN_ID_MAX_BYTES);
    ASSERT(strlen(claims->sid) <= CLAIMS_TOKEN_ID_MAX_BYTES);
    ASSERT(claims->issued_at_ms >= 0 && claims->issued_at_ms <= CLAIMS_LATEST_SECONDS * 1000);
    ASSERT(claims->expires_at_ms >= 0 && claims->expires_at_ms <= CLAIMS_LATEST_SECONDS * 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const claims_rules_t any = {0}, ours = {.issuer = "us", .audience = "chat"};
    str_t payload = {(const char *)data, size};
    claims_t claims, again;
    claims_result_t result = claims_check(payload, &any, NOW_MS, &claims);
    if (result != CLAIMS_UNAUTHORIZED)
        check_kept(&claims);
    if (result == CLAIMS_OK)
        ASSERT(claims.expires_at_ms > NOW_MS);
    /* Stricter rules never let more through. */
    claims_result_t stricter = claims_check(payload, &ours, NOW_MS, &again);
    ASSERT(stricter == result || stricter == CLAIMS_UNAUTHORIZED);
    /* Time only takes away. */
    claims_result_t later = claims_check(payload, &any, INT64_MAX, &again);
    ASSERT(later == CLAIMS_TOKEN_EXPIRED || later == CLAIMS_UNAUTHORIZED);
    return 0;
}
