/* The page's files, kept in memory as they were at the start: what to answer for a path, in which
 * coding, with which headers. Pure; web_root.h reads them from disk. */
#pragma once

#include "rest/content_coding.h"

enum {
    STATIC_FILES_COUNT_MAX = 5000,
    STATIC_FILES_BYTES_MAX = 256 << 20,
    STATIC_FILES_GZIP_BYTES_MIN = 512, /* smaller ones aren't worth it */
    STATIC_FILES_ETAG_BYTES = 2 + 32 + 1 + 8,
};

/* Files whose name changes with their content. */
#define STATIC_FILES_IMMUTABLE_FOLDER "assets/"
#define STATIC_FILES_CACHE_IMMUTABLE "public, max-age=31536000, immutable"
#define STATIC_FILES_CACHE_REVALIDATE "no-cache"
/* Scripts, styles and connections of this origin alone; nobody may frame the page. */
#define STATIC_FILES_CONTENT_SECURITY_POLICY                                                       \
    "default-src 'self'; base-uri 'none'; connect-src 'self'; font-src 'self'; "                   \
    "form-action 'self'; frame-ancestors 'none'; img-src 'self' data: blob:; object-src 'none'; "  \
    "script-src 'self'; style-src 'self'"

typedef struct static_files static_files_t;

/* One coding of a file; lives as long as the set. */
typedef struct {
    str_t content;
    char etag[STATIC_FILES_ETAG_BYTES + 1]; /* with its quotes; strong */
    content_coding_t coding;
} static_variant_t;

typedef struct static_file static_file_t;

static_files_t *static_files_new(void);
void static_files_free(static_files_t **self);

/* Adds a file by its path below the root ("assets/index-1a2b.js", no slash in front); copies both.
 * `x.br` and `x.gz` become codings of `x` when that is there too. ERR_LIMIT: there are too many, or
 * too large. ERR_EXISTS: there is one of this path. Not after static_files_seal(). */
err_t static_files_add(static_files_t *self, str_t path, str_t content) MUST_CHECK;

/* Pairs files with their codings and makes the gzip ones that are worth it. Once, after the last
 * file. */
void static_files_seal(static_files_t *self);

size_t static_files_count(const static_files_t *self);

/* The file of a request's path, decoded: `/`, `/app` and everything below `/app/` are index.html.
 * NULL when there is none. */
const static_file_t *static_files_find(const static_files_t *self, str_t path);

/* The smallest of the codings that the client accepts. */
const static_variant_t *static_file_select(const static_file_t *file, str_t accept_encoding);

const char *static_file_type(const static_file_t *file);
const char *static_file_cache_control(const static_file_t *file);
bool static_file_is_page(const static_file_t *file); /* HTML: gets the policy */
bool static_file_has_codings(
    const static_file_t *file); /* the answer varies with Accept-Encoding */
