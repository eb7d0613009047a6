#include "keygen/keygen.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "common/keyring_files.h"
#include "common/read_file.h"

enum { FOR_OWNER = 0600, FOR_ALL = 0644, DIRECTORY_MODE = 0755 };

static err_t fail(strbuf_t *problem, const char *path) {
    strbuf_printf(problem, "%s: %s", path, strerror(errno));
    return ERR_IO;
}

static char *join(const char *directory, const char *name, const char *suffix) {
    strbuf_t path = {0};
    strbuf_printf(&path, "%s/%s%s", directory, name, suffix);
    return strbuf_detach(&path);
}

static bool write_whole(int fd, str_t text) {
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0)
            return false;
        text = str_from_offset(text, (size_t)n);
    }
    return fsync(fd) == 0;
}

/* Writes the file beside its place and then puts it there whole: over an older one, or, if not
 * `replace`, only where there is none (which is no error: somebody else was first). */
static err_t write_file(const char *path, mode_t mode, str_t text, bool replace,
                        strbuf_t *problem) {
    strbuf_t fresh = {0};
    strbuf_printf(&fresh, "%s.%d", path, (int)getpid());
    const char *name = strbuf_cstr(&fresh);
    err_t err = OK;
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        err = fail(problem, name);
        goto out;
    }
    bool written = fchmod(fd, mode) == 0 && write_whole(fd, text);
    close(fd);
    if (!written || (replace ? rename(name, path) : link(name, path)) != 0)
        err = replace || errno != EEXIST ? fail(problem, path) : OK;
    unlink(name);
out:
    strbuf_fini(&fresh);
    return err;
}

static err_t make_secret(const char *path, role_t role, strbuf_t *report, strbuf_t *problem) {
    key_pair_t pair;
    strbuf_t text = {0};
    ASSERT(zmq_curve_keypair(pair.public_key, pair.secret_key) == 0);
    strbuf_printf(&text, "# The secret key of %s. Nobody else may read it.\n%s %s\n",
                  role_name(role), role_name(role), pair.secret_key);
    err_t err = write_file(path, FOR_OWNER, strbuf_str(&text), false, problem);
    if (err == OK)
        strbuf_printf(report, "made %s\n", path);
    sodium_memzero(&pair, sizeof(pair));
    read_file_wipe(&text);
    return err;
}

/* The public key of ROLE.key, which is made when there is none. */
static err_t own_key(const char *directory, role_t role, char public_out[KEYRING_KEY_TEXT + 1],
                     strbuf_t *report, strbuf_t *problem) {
    char *path = join(directory, role_name(role), KEYRING_SECRET_SUFFIX);
    key_pair_t pair = {0};
    err_t err = OK;
    if (access(path, F_OK) != 0)
        err = make_secret(path, role, report, problem);
    if (err == OK)
        err = keyring_read_secret(path, role, &pair, problem);
    memcpy(public_out, pair.public_key, sizeof(pair.public_key));
    sodium_memzero(&pair, sizeof(pair));
    free(path);
    return err;
}

/* The text of public.keys as it is, or how a new one begins. */
static err_t read_public(const char *path, keyring_t *ring_out, strbuf_t *text_out,
                         strbuf_t *problem) {
    *ring_out = (keyring_t){0};
    if (access(path, F_OK) != 0) {
        strbuf_append(text_out, STR("# The public keys of all services; the brokers let in these "
                                    "alone.\n"));
        return OK;
    }
    err_t err = keyring_read(path, ring_out, problem);
    if (err == OK)
        err = read_file(path, KEYRING_TEXT_MAX, text_out, problem);
    if (text_out->n && text_out->p[text_out->n - 1] != '\n')
        strbuf_append_char(text_out, '\n');
    return err;
}

static err_t fill_public(const char *directory, strbuf_t *report, strbuf_t *problem) {
    char *path = join(directory, KEYRING_PUBLIC_FILE, "");
    strbuf_t text = {0};
    keyring_t ring;
    size_t added = 0;
    err_t err = read_public(path, &ring, &text, problem);
    for (unsigned role = 1; err == OK && role <= ROLE_BROKER; role <<= 1) {
        char key[KEYRING_KEY_TEXT + 1];
        err = own_key(directory, (role_t)role, key, report, problem);
        if (err != OK || keyring_role(&ring, str_from(key)))
            continue;
        strbuf_printf(&text, "%s %s\n", role_name((role_t)role), key);
        added++;
    }
    if (err == OK && added) {
        err = write_file(path, FOR_ALL, strbuf_str(&text), true, problem);
        strbuf_printf(report, "added %zu to %s\n", added, path);
    }
    strbuf_fini(&text);
    free(path);
    return err;
}

err_t keygen_fill(const char *directory, strbuf_t *report, strbuf_t *problem) {
    if (mkdir(directory, DIRECTORY_MODE) != 0 && errno != EEXIST)
        return fail(problem, directory);
    return fill_public(directory, report, problem);
}
