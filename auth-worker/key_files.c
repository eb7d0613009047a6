#include "auth-worker/key_files.h"

#include "auth-worker/jwks.h"
#include "common/log.h"
#include "common/read_file.h"

enum { WATCHED_MAX = KEY_FILES_PUBLIC_MAX + 2 };

struct key_files {
    key_files_settings_t settings;
    keys_t *keys;
    uv_fs_poll_t polls[WATCHED_MAX];
    size_t polls_n;
    size_t open_n; /* polls whose close callback hasn't run */
    key_files_stats_t stats;
};

/* Puts the file in front of the sentence that `from` begins. */
static void name_file(strbuf_t *problem, size_t from, const char *path) {
    char *sentence = str_dup(str_from_offset(strbuf_str(problem), from));
    problem->n = from;
    strbuf_printf(problem, "%s: %s", path, sentence);
    free(sentence);
}

static err_t add_secret_line(str_t line, keys_t *keys, strbuf_t *problem) {
    str_t kid = str_take_word(&line);
    return keys_add_secret(keys, kid, str_trim(line), problem);
}

static err_t add_secrets_file(const char *path, keys_t *keys, strbuf_t *problem) {
    strbuf_t text = {0};
    size_t before = keys_count(keys), from = problem->n;
    err_t err = read_file(path, KEY_FILES_SECRETS_MAX_BYTES, &text, problem);
    str_t rest = strbuf_str(&text);
    if (err != OK)
        goto out;
    while (err == OK && rest.n) {
        str_t line = str_trim(str_take_line(&rest));
        if (line.n && line.p[0] != '#')
            err = add_secret_line(line, keys, problem);
    }
    if (err == OK && keys_count(keys) == before) {
        strbuf_printf(problem, "no line `kid secret` in it");
        err = ERR_INVALID;
    }
    if (err != OK)
        name_file(problem, from, path);
out:
    read_file_wipe(&text);
    return err;
}

static const char *path_of(const char *entry) {
    const char *equals = strchr(entry, '=');
    return equals ? equals + 1 : entry;
}

static err_t add_pem_file(const char *entry, keys_t *keys, strbuf_t *problem) {
    strbuf_t pem = {0};
    const char *path = path_of(entry);
    str_t kid = {entry, path == entry ? 0 : (size_t)(path - entry) - 1};
    size_t from = problem->n;
    err_t err = read_file(path, KEYS_PEM_MAX_BYTES, &pem, problem);
    if (err == OK && (err = keys_add_pem(keys, kid, strbuf_str(&pem), problem)) != OK)
        name_file(problem, from, path);
    strbuf_fini(&pem);
    return err;
}

static err_t add_jwks_file(const char *path, keys_t *keys, strbuf_t *problem) {
    strbuf_t text = {0};
    size_t skipped, from = problem->n;
    err_t err = read_file(path, JWKS_MAX_BYTES, &text, problem);
    if (err == OK && (err = jwks_read(strbuf_str(&text), keys, &skipped, problem)) != OK)
        name_file(problem, from, path);
    strbuf_fini(&text);
    return err;
}

static bool is_set(const char *text) {
    return text && text[0];
}

err_t key_files_load(const key_files_settings_t *settings, keys_t **keys_out, strbuf_t *problem) {
    keys_t *keys = keys_new();
    err_t err = OK;
    if (is_set(settings->secrets_file))
        err = add_secrets_file(settings->secrets_file, keys, problem);
    size_t from = problem->n;
    if (err == OK && is_set(settings->secret)) {
        err = keys_add_secret(keys, STR(""), str_from(settings->secret), problem);
        if (err != OK)
            name_file(problem, from, "JWT_SECRET");
    }
    for (size_t i = 0; err == OK && i < settings->public_keys.n; i++)
        err = add_pem_file(settings->public_keys.items[i], keys, problem);
    if (err == OK && is_set(settings->jwks_file))
        err = add_jwks_file(settings->jwks_file, keys, problem);
    if (err != OK)
        keys_free(&keys);
    else
        *keys_out = keys;
    return err;
}

void key_files_reload(key_files_t *self) {
    strbuf_t problem = {0};
    keys_t *keys = NULL;
    if (key_files_load(&self->settings, &keys, &problem) == OK) {
        keys_free(&self->keys);
        self->keys = keys;
        self->stats.reloads++;
        log_info("keys_loaded", log_u64("keys", keys_count(keys)));
    } else {
        self->stats.failures++;
        log_error("keys_not_loaded", log_text("problem", strbuf_cstr(&problem)));
    }
    strbuf_fini(&problem);
}

static void on_change(uv_fs_poll_t *poll, int status, const uv_stat_t *before,
                      const uv_stat_t *now) {
    (void)status;
    (void)before;
    (void)now;
    key_files_reload(poll->data);
}

static void watch(key_files_t *self, uv_loop_t *loop, const char *path) {
    uv_fs_poll_t *poll = &self->polls[self->polls_n++];
    ASSERT(uv_fs_poll_init(loop, poll) == 0);
    poll->data = self;
    self->open_n++;
    if (uv_fs_poll_start(poll, on_change, path, KEY_FILES_POLL_MS) != 0)
        log_warn("key_file_not_watched", log_text("file", path));
}

err_t key_files_new(uv_loop_t *loop, const key_files_settings_t *settings, key_files_t **self_out) {
    ASSERT(settings->public_keys.n <= KEY_FILES_PUBLIC_MAX);
    key_files_t *self = xcalloc(1, sizeof(*self));
    self->settings = *settings;
    key_files_reload(self);
    if (!self->keys) {
        free(self);
        return ERR_INVALID;
    }
    if (is_set(settings->secrets_file))
        watch(self, loop, settings->secrets_file);
    for (size_t i = 0; i < settings->public_keys.n; i++)
        watch(self, loop, path_of(settings->public_keys.items[i]));
    if (is_set(settings->jwks_file))
        watch(self, loop, settings->jwks_file);
    *self_out = self;
    return OK;
}

static void on_closed(uv_handle_t *handle) {
    key_files_t *self = handle->data;
    if (--self->open_n > 0)
        return;
    keys_free(&self->keys);
    free(self);
}

void key_files_free(key_files_t **self) {
    key_files_t *files = *self;
    if (!files)
        return;
    *self = NULL;
    if (files->open_n == 0) {
        keys_free(&files->keys);
        free(files);
        return;
    }
    for (size_t i = 0; i < files->polls_n; i++)
        uv_close((uv_handle_t *)&files->polls[i], on_closed);
}

const keys_t *key_files_keys(const key_files_t *self) {
    return self->keys;
}

const key_files_stats_t *key_files_stats(const key_files_t *self) {
    return &self->stats;
}
