#include "rest/web_root.h"

#include <errno.h>
#include <fts.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/strbuf.h"

static err_t fail(const char *path, const char *reason) {
    log_error("web_root_failed", log_text("path", path), log_text("reason", reason));
    return ERR_IO;
}

static err_t read_whole(const char *path, strbuf_t *content) {
    FILE *file = fopen(path, "rbe");
    if (!file)
        return fail(path, strerror(errno));
    size_t n;
    do {
        n = fread(strbuf_reserve(content, 65536), 1, 65536, file);
        content->n += n;
    } while (n > 0 && content->n <= STATIC_FILES_BYTES_MAX);
    int failed = ferror(file);
    fclose(file);
    return failed ? fail(path, "cannot be read") : OK;
}

static err_t add_file(static_files_t *files, const FTSENT *entry, size_t root_length) {
    strbuf_t content = {0};
    err_t err = read_whole(entry->fts_path, &content);
    if (!err) {
        str_t path = str_from(entry->fts_path + root_length);
        while (path.n && path.p[0] == '/')
            path = str_from_offset(path, 1);
        err = static_files_add(files, path, content.n ? strbuf_str(&content) : STR(""));
        if (err)
            log_error("web_root_failed", log_text("path", entry->fts_path), log_err(err));
    }
    strbuf_fini(&content);
    return err;
}

static err_t visit(FTS *walk, FTSENT *entry, static_files_t *files, size_t root_length) {
    switch (entry->fts_info) {
    case FTS_D:
        if (entry->fts_level > 0 && entry->fts_name[0] == '.')
            fts_set(walk, entry, FTS_SKIP);
        return OK;
    case FTS_F:
        return entry->fts_name[0] == '.' ? OK : add_file(files, entry, root_length);
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return fail(entry->fts_path, strerror(entry->fts_errno));
    default:
        return OK;
    }
}

static err_t read_folder(const char *folder, static_files_t *files) {
    char *roots[] = {(char *)folder, NULL};
    struct stat status;
    if (stat(folder, &status) != 0)
        return fail(folder, strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return fail(folder, "is not a folder");
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (!walk)
        return fail(folder, strerror(errno));
    err_t err = OK;
    FTSENT *entry;
    while (!err && (entry = fts_read(walk)))
        err = visit(walk, entry, files, strlen(folder));
    fts_close(walk);
    return err;
}

err_t web_root_read(const char *folder, static_files_t **files_out) {
    static_files_t *files = static_files_new();
    err_t err = folder ? read_folder(folder, files) : OK;
    if (err) {
        static_files_free(&files);
        return err;
    }
    static_files_seal(files);
    *files_out = files;
    return OK;
}
