#include "rest/static_files.h"

#include <sodium.h>
#include <stdio.h>
#include <zlib.h>

#include "common/siphash.h"

#define TYPE_HTML "text/html; charset=utf-8"

enum {
    DIGEST_BYTES = 16,
    GZIP_LEVEL = 9,
    GZIP_WINDOW = 15 + 16, /* zlib's way to ask for the gzip format */
    GZIP_MEMORY = 9,
};

struct static_file {
    UT_hash_handle hh;
    struct static_file *next; /* of all files */
    /* Those whose content.p is set. Without the identity this file has become a coding of another.
     */
    static_variant_t variants[CODING_COUNT];
    const char *type;
    bool immutable;
    size_t path_length;
    char path[];
};

struct static_files {
    static_file_t *by_path; /* path => file */
    static_file_t *all;
    size_t count; /* files of their own */
    size_t bytes;
    bool sealed;
};

/* Media types by the end of the name. Text is compressed. */
static const struct {
    const char *suffix;
    const char *type;
    bool compressible;
} types[] = {
    {".html", TYPE_HTML, true},
    {".js", "text/javascript; charset=utf-8", true},
    {".mjs", "text/javascript; charset=utf-8", true},
    {".css", "text/css; charset=utf-8", true},
    {".json", "application/json", true},
    {".map", "application/json", true},
    {".webmanifest", "application/manifest+json", true},
    {".svg", "image/svg+xml", true},
    {".txt", "text/plain; charset=utf-8", true},
    {".xml", "application/xml", true},
    {".wasm", "application/wasm", true},
    {".ico", "image/x-icon", false},
    {".png", "image/png", false},
    {".jpg", "image/jpeg", false},
    {".jpeg", "image/jpeg", false},
    {".gif", "image/gif", false},
    {".webp", "image/webp", false},
    {".avif", "image/avif", false},
    {".woff", "font/woff", false},
    {".woff2", "font/woff2", false},
    {".ttf", "font/ttf", true},
    {".mp3", "audio/mpeg", false},
    {".ogg", "audio/ogg", false},
};
enum { TYPE_COUNT = sizeof(types) / sizeof(*types) };

static bool ends_with(str_t text, const char *suffix) {
    size_t n = strlen(suffix);
    return text.n > n && memcmp(text.p + text.n - n, suffix, n) == 0;
}

/* The row of a name, TYPE_COUNT for an unknown one. */
static size_t type_of(str_t path) {
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (ends_with(path, types[i].suffix))
            return i;
    }
    return TYPE_COUNT;
}

static str_t copy_of(str_t bytes) {
    return (str_t){str_dup(bytes), bytes.n};
}

static_files_t *static_files_new(void) {
    return xcalloc(1, sizeof(static_files_t));
}

void static_files_free(static_files_t **self) {
    if (!*self)
        return;
    HASH_CLEAR(hh, (*self)->by_path);
    while ((*self)->all) {
        static_file_t *file = (*self)->all;
        (*self)->all = file->next;
        for (size_t i = 0; i < CODING_COUNT; i++)
            free((char *)file->variants[i].content.p);
        free(file);
    }
    free(*self);
    *self = NULL;
}

static static_file_t *find(const static_files_t *self, str_t path) {
    static_file_t *file = NULL;
    HASH_FIND(hh, self->by_path, path.p, path.n, file);
    return file;
}

err_t static_files_add(static_files_t *self, str_t path, str_t content) {
    ASSERT(!self->sealed);
    if (find(self, path))
        return ERR_EXISTS;
    if (static_files_count(self) == STATIC_FILES_COUNT_MAX ||
        content.n > STATIC_FILES_BYTES_MAX - self->bytes)
        return ERR_LIMIT;
    size_t type = type_of(path);
    static_file_t *file = xcalloc(1, sizeof(*file) + path.n + 1);
    memcpy(file->path, path.p, path.n);
    file->path_length = path.n;
    file->type = type < TYPE_COUNT ? types[type].type : "application/octet-stream";
    file->immutable = str_starts_with(path, STR(STATIC_FILES_IMMUTABLE_FOLDER));
    file->variants[CODING_IDENTITY].content = copy_of(content);
    file->next = self->all;
    self->all = file;
    self->count++;
    self->bytes += content.n;
    HASH_ADD(hh, self->by_path, path, path.n, file);
    return OK;
}

/* The original of `x.br` or `x.gz`, if there is one. */
static static_file_t *original_of(const static_files_t *self, const static_file_t *file,
                                  content_coding_t *coding_out) {
    str_t path = {file->path, file->path_length};
    if (ends_with(path, ".br"))
        *coding_out = CODING_BROTLI;
    else if (ends_with(path, ".gz"))
        *coding_out = CODING_GZIP;
    else
        return NULL;
    path.n -= 3;
    return find(self, path);
}

/* The content in gzip; empty when that isn't smaller. */
static str_t gzip(str_t content) {
    z_stream stream = {0};
    ASSERT(deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                        Z_DEFAULT_STRATEGY) == Z_OK);
    char *out = xmalloc(content.n);
    stream.next_in = (Bytef *)content.p;
    stream.avail_in = (uInt)content.n;
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)content.n;
    int result = deflate(&stream, Z_FINISH);
    size_t length = stream.total_out;
    deflateEnd(&stream);
    if (result == Z_STREAM_END)
        return (str_t){out, length};
    free(out);
    return (str_t){0};
}

static void make_gzip(static_files_t *self, static_file_t *file) {
    str_t content = file->variants[CODING_IDENTITY].content;
    size_t type = type_of((str_t){file->path, file->path_length});
    if (type == TYPE_COUNT || !types[type].compressible ||
        content.n < STATIC_FILES_GZIP_BYTES_MIN || file->variants[CODING_GZIP].content.p)
        return;
    file->variants[CODING_GZIP].content = gzip(content);
    self->bytes += file->variants[CODING_GZIP].content.n;
}

/* Each coding has a tag of its own: the digest of the original's bytes and the coding's name. */
static void make_etags(static_file_t *file) {
    uint8_t digest[DIGEST_BYTES];
    char text[2 * DIGEST_BYTES + 1];
    str_t content = file->variants[CODING_IDENTITY].content;
    crypto_generichash(digest, sizeof(digest), (const uint8_t *)content.p, content.n, NULL, 0);
    sodium_bin2hex(text, sizeof(text), digest, sizeof(digest));
    for (content_coding_t coding = 0; coding < CODING_COUNT; coding++) {
        static_variant_t *variant = &file->variants[coding];
        const char *suffix = coding == CODING_IDENTITY ? "" : content_coding_name(coding);
        variant->coding = coding;
        snprintf(variant->etag, sizeof(variant->etag), "\"%s%s%s\"", text, *suffix ? "-" : "",
                 suffix);
    }
}

static bool is_coding_of_another(const static_file_t *file) {
    return file->variants[CODING_IDENTITY].content.p == NULL;
}

/* Gives `x.br` and `x.gz` to `x`. */
static void give_to_original(static_files_t *self, static_file_t *file) {
    content_coding_t coding = CODING_IDENTITY;
    static_file_t *original = original_of(self, file, &coding);
    if (!original || is_coding_of_another(original))
        return;
    original->variants[coding].content = file->variants[CODING_IDENTITY].content;
    file->variants[CODING_IDENTITY].content = (str_t){0};
    self->count--;
}

void static_files_seal(static_files_t *self) {
    ASSERT(!self->sealed);
    for (static_file_t *file = self->all; file; file = file->next)
        give_to_original(self, file);
    for (static_file_t *file = self->all; file; file = file->next) {
        if (is_coding_of_another(file))
            continue;
        make_gzip(self, file);
        make_etags(file);
    }
    self->sealed = true;
}

size_t static_files_count(const static_files_t *self) {
    return self->count;
}

const static_file_t *static_files_find(const static_files_t *self, str_t path) {
    ASSERT(self->sealed);
    if (!path.n || path.p[0] != '/')
        return NULL;
    bool page = path.n == 1 || str_eq(path, STR("/app")) || str_starts_with(path, STR("/app/"));
    const static_file_t *file = find(self, page ? STR("index.html") : str_from_offset(path, 1));
    return file && !is_coding_of_another(file) ? file : NULL;
}

const static_variant_t *static_file_select(const static_file_t *file, str_t accept_encoding) {
    const static_variant_t *best = &file->variants[CODING_IDENTITY];
    bool any = content_coding_accepts(accept_encoding, CODING_IDENTITY);
    for (content_coding_t coding = 0; coding < CODING_IDENTITY; coding++) {
        const static_variant_t *variant = &file->variants[coding];
        if (!variant->content.p || !content_coding_accepts(accept_encoding, coding))
            continue;
        if (!any || variant->content.n < best->content.n)
            best = variant;
        any = true;
    }
    return best;
}

const char *static_file_type(const static_file_t *file) {
    return file->type;
}

const char *static_file_cache_control(const static_file_t *file) {
    return file->immutable ? STATIC_FILES_CACHE_IMMUTABLE : STATIC_FILES_CACHE_REVALIDATE;
}

bool static_file_is_page(const static_file_t *file) {
    return strcmp(file->type, TYPE_HTML) == 0;
}

bool static_file_has_codings(const static_file_t *file) {
    return file->variants[CODING_BROTLI].content.p || file->variants[CODING_GZIP].content.p;
}
