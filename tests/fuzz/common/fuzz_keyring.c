/* What keyring_parse() takes is found again, each key once; what it refuses has a reason. The
 * input: a key file. */
#include "common/keyring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    keyring_t ring;
    strbuf_t problem = {0};
    err_t err = keyring_parse((str_t){(const char *)data, size}, &ring, &problem);
    ASSERT((err == OK) == (problem.n == 0));
    size_t counted = 0;
    for (unsigned role = 1; err == OK && role <= ROLE_BROKER; role <<= 1) {
        size_t count = keyring_count(&ring, (role_t)role);
        for (size_t i = 0; i < count; i++)
            ASSERT(keyring_role(&ring, str_from(keyring_key(&ring, (role_t)role, i))) == role);
        counted += count;
    }
    ASSERT(err != OK || counted == ring.n);
    strbuf_fini(&problem);
    return 0;
}
