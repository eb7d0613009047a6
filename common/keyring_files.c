#include "common/keyring_files.h"

#include <sodium.h>
#include <zmq.h>

#include "common/read_file.h"

err_t keyring_read(const char *path, keyring_t *ring_out, strbuf_t *problem) {
    strbuf_t text = {0}, why = {0};
    err_t err = read_file(path, KEYRING_TEXT_MAX, &text, problem);
    if (err == OK && (err = keyring_parse(strbuf_str(&text), ring_out, &why)) != OK)
        strbuf_printf(problem, "%s: %s", path, strbuf_cstr(&why));
    read_file_wipe(&text);
    strbuf_fini(&why);
    return err;
}

err_t keyring_read_secret(const char *path, role_t role, key_pair_t *pair_out, strbuf_t *problem) {
    keyring_t ring;
    err_t err = keyring_read(path, &ring, problem);
    if (err == OK && (ring.n != 1 || ring.entries[0].role != role)) {
        strbuf_printf(problem, "%s: has not just the key of %s", path, role_name(role));
        err = ERR_INVALID;
    }
    if (err == OK) {
        memcpy(pair_out->secret_key, ring.entries[0].key, sizeof(pair_out->secret_key));
        ASSERT(zmq_curve_public(pair_out->public_key, pair_out->secret_key) == 0);
    }
    sodium_memzero(&ring, sizeof(ring));
    return err;
}
