/* The keys that tokens are checked with, as configured: read at the start and again whenever one of
 * their files changes, so that keys rotate without a restart and without anybody reconnecting. */
#pragma once

#include <uv.h>

#include "auth-worker/keys.h"
#include "common/config.h"

enum {
    KEY_FILES_PUBLIC_MAX = 32,
    KEY_FILES_SECRETS_MAX_BYTES = 65536,
    KEY_FILES_POLL_MS = 1000, /* how often files are looked at; a mounted secret changes by a link,
                                 which notifications for the file don't tell */
};

/* Borrowed; each may be NULL or empty, not all of them. */
typedef struct {
    const char *secret;        /* an HS256 secret without a name */
    const char *secrets_file;  /* lines `kid secret`; the first signs. # begins a comment line */
    config_list_t public_keys; /* PEM files: `kid=path` or `path` */
    const char *jwks_file;     /* a JWKS */
} key_files_settings_t;

/* Reads all of it. Whatever is wrong fails the whole, with a sentence in `problem` that names the
 * file and never quotes a key. */
err_t key_files_load(const key_files_settings_t *settings, keys_t **keys_out,
                     strbuf_t *problem) MUST_CHECK;

typedef struct key_files key_files_t;

/* How a reload went; `reloads` and `failures` are metrics. */
typedef struct {
    uint64_t reloads;
    uint64_t failures;
} key_files_stats_t;

/* Loads (a failure is logged) and begins to watch. */
err_t key_files_new(uv_loop_t *loop, const key_files_settings_t *settings,
                    key_files_t **self_out) MUST_CHECK;
/* Closes its handles; the memory goes when the loop has run. Clears the pointer. */
void key_files_free(key_files_t **self);

/* The set in force; valid until the loop turn ends. */
const keys_t *key_files_keys(const key_files_t *self);

/* Reads everything again. When that fails the set in force stays, and the log says why. */
void key_files_reload(key_files_t *self);

const key_files_stats_t *key_files_stats(const key_files_t *self);
