/* Any path: matching ends, what is found fits, and decoding never makes text longer. */
#include "rest/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    str_t path = {(const char *)data + 1, size - 1};
    unsigned method = 1u << (data[0] % 6);
    strbuf_t storage = {0};
    route_match_t match;
    routes_result_t result = routes_match(method, path, &storage, &match);
    ASSERT((result == ROUTES_FOUND) == (match.route != NULL));
    ASSERT(storage.n <= path.n);
    if (match.route) {
        ASSERT(match.allowed & match.route->method);
        for (size_t i = 0; i < ROUTE_PARAMETERS_MAX; i++)
            ASSERT(!match.parameters[i].n ||
                   !memchr(match.parameters[i].p, '\0', match.parameters[i].n));
    }
    strbuf_fini(&storage);
    return 0;
}
