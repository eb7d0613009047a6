#include "common/bus_keys.h"

#include <sodium.h>
#include <sys/stat.h>

#include "common/keyring_files.h"
#include "common/log.h"

struct bus_keys {
    key_pair_t own;
    role_t role;
    char *ring_path;
    keyring_t ring;
    uv_fs_poll_t poll;
};

static void warn_if_open(const char *path) {
    struct stat found;
    if (stat(path, &found) == 0 && (found.st_mode & S_IRWXO))
        log_warn("bus_key_open", log_text("file", path),
                 log_text("reason", "every user of this machine can read it"));
}

static err_t read_own(bus_keys_t *self, const char *directory, strbuf_t *problem) {
    strbuf_t path = {0};
    strbuf_printf(&path, "%s/%s" KEYRING_SECRET_SUFFIX, directory, role_name(self->role));
    warn_if_open(strbuf_cstr(&path));
    err_t err = keyring_read_secret(strbuf_cstr(&path), self->role, &self->own, problem);
    strbuf_fini(&path);
    return err;
}

/* Without a broker's key there is nobody to connect to; what the others may lack shows when they
 * come. */
static err_t load_ring(bus_keys_t *self, strbuf_t *problem) {
    keyring_t ring;
    err_t err = keyring_read(self->ring_path, &ring, problem);
    if (err == OK && keyring_count(&ring, ROLE_BROKER) == 0) {
        strbuf_printf(problem, "%s: has no key of a broker", self->ring_path);
        err = ERR_INVALID;
    }
    if (err != OK)
        return err;
    self->ring = ring;
    if (keyring_role(&ring, str_from(self->own.public_key)) != self->role)
        log_warn("bus_key_not_listed", log_text("role", role_name(self->role)),
                 log_text("file", self->ring_path));
    return OK;
}

static void on_change(uv_fs_poll_t *poll, int status, const uv_stat_t *before,
                      const uv_stat_t *now) {
    (void)status;
    (void)before;
    (void)now;
    bus_keys_t *self = poll->data;
    strbuf_t problem = {0};
    if (load_ring(self, &problem) == OK)
        log_info("bus_keys_loaded", log_u64("keys", self->ring.n));
    else
        log_error("bus_keys_not_loaded", log_text("problem", strbuf_cstr(&problem)));
    strbuf_fini(&problem);
}

static void destroy(bus_keys_t *self) {
    sodium_memzero(&self->own, sizeof(self->own));
    free(self->ring_path);
    free(self);
}

err_t bus_keys_new(uv_loop_t *loop, const char *directory, role_t role, bus_keys_t **self_out) {
    bus_keys_t *self = xcalloc(1, sizeof(*self));
    strbuf_t path = {0}, problem = {0};
    self->role = role;
    strbuf_printf(&path, "%s/" KEYRING_PUBLIC_FILE, directory);
    self->ring_path = str_dup(strbuf_str(&path));
    strbuf_fini(&path);
    err_t err = read_own(self, directory, &problem);
    if (err == OK)
        err = load_ring(self, &problem);
    if (err != OK) {
        log_error("bus_keys_not_loaded", log_text("problem", strbuf_cstr(&problem)));
        destroy(self);
    } else {
        ASSERT(uv_fs_poll_init(loop, &self->poll) == 0);
        self->poll.data = self;
        if (uv_fs_poll_start(&self->poll, on_change, self->ring_path, BUS_KEYS_POLL_MS) != 0)
            log_warn("bus_keys_not_watched", log_text("file", self->ring_path));
        *self_out = self;
    }
    strbuf_fini(&problem);
    return err;
}

static void on_closed(uv_handle_t *handle) {
    destroy(handle->data);
}

void bus_keys_free(bus_keys_t **self) {
    if (*self)
        uv_close((uv_handle_t *)&(*self)->poll, on_closed);
    *self = NULL;
}

const char *bus_keys_public(const bus_keys_t *self) {
    return self->own.public_key;
}

const char *bus_keys_secret(const bus_keys_t *self) {
    return self->own.secret_key;
}

const keyring_t *bus_keys_ring(const bus_keys_t *self) {
    return &self->ring;
}
