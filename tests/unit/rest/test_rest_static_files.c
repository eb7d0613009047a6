/* static_files: lookup, codings, entity tags, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <zlib.h>

#include "rest/static_files.h"

#define PAGE "<!doctype html><p>page</p>"

static void add(static_files_t *files, const char *path, str_t content) {
    assert_int_equal(static_files_add(files, str_from(path), content), OK);
}

static char script[4096];

static static_files_t *make(void) {
    static_files_t *files = static_files_new();
    memset(script, 'x', sizeof(script));
    add(files, "index.html", STR(PAGE));
    add(files, "assets/app-1.js", (str_t){script, sizeof(script)});
    add(files, "assets/app-1.js.br", STR("brotli"));
    add(files, "assets/font.woff2", (str_t){script, sizeof(script)});
    add(files, "favicon.svg", STR("<svg/>"));
    add(files, "lonely.br", STR("no original"));
    add(files, "empty.txt", STR(""));
    static_files_seal(files);
    return files;
}

static const static_file_t *find(const static_files_t *files, const char *path) {
    return static_files_find(files, str_from(path));
}

static void test_lookup(void **state) {
    (void)state;
    static const char *const pages[] = {"/", "/index.html", "/app", "/app/", "/app/a/b"};
    static const char *const none[] = {
        "",           "/assets", "/assets/",       "/assets/app-2.js",    "/apple",
        "index.html", "//",      "/../index.html", "/assets/app-1.js.br", "/application/x"};
    static_files_t *files = make();
    const static_file_t *page = find(files, "/");
    assert_non_null(page);
    for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++)
        assert_ptr_equal(find(files, pages[i]), page);
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        assert_null(find(files, none[i]));
    assert_non_null(find(files, "/lonely.br"));
    assert_int_equal(static_files_count(files), 6);
    static_files_free(&files);
    assert_null(files);
}

static void test_headers(void **state) {
    (void)state;
    static_files_t *files = make();
    const static_file_t *page = find(files, "/"), *app = find(files, "/assets/app-1.js");
    assert_string_equal(static_file_type(page), "text/html; charset=utf-8");
    assert_string_equal(static_file_cache_control(page), "no-cache");
    assert_true(static_file_is_page(page));
    assert_false(static_file_has_codings(page));
    assert_string_equal(static_file_type(app), "text/javascript; charset=utf-8");
    assert_string_equal(static_file_cache_control(app), "public, max-age=31536000, immutable");
    assert_false(static_file_is_page(app));
    assert_true(static_file_has_codings(app));
    assert_string_equal(static_file_type(find(files, "/favicon.svg")), "image/svg+xml");
    assert_string_equal(static_file_cache_control(find(files, "/favicon.svg")), "no-cache");
    assert_string_equal(static_file_type(find(files, "/lonely.br")), "application/octet-stream");
    static_files_free(&files);
}

static void test_gzip_is_the_same_content(void **state) {
    (void)state;
    static_files_t *files = make();
    const static_variant_t *gzip = static_file_select(find(files, "/assets/app-1.js"), STR("gzip"));
    assert_int_equal(gzip->coding, CODING_GZIP);
    assert_true(gzip->content.n < sizeof(script));
    char whole[sizeof(script) + 1];
    z_stream stream = {.next_in = (Bytef *)gzip->content.p,
                       .avail_in = (uInt)gzip->content.n,
                       .next_out = (Bytef *)whole,
                       .avail_out = sizeof(whole)};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, sizeof(script));
    assert_memory_equal(whole, script, sizeof(script));
    inflateEnd(&stream);
    static_files_free(&files);
}

static content_coding_t selected(const static_files_t *files, const char *path,
                                 const char *accept) {
    return static_file_select(find(files, path), str_from(accept))->coding;
}

static void test_selection(void **state) {
    (void)state;
    static_files_t *files = make();
    assert_int_equal(selected(files, "/assets/app-1.js", "gzip, br"), CODING_BROTLI);
    assert_int_equal(selected(files, "/assets/app-1.js", "gzip"), CODING_GZIP);
    assert_int_equal(selected(files, "/assets/app-1.js", ""), CODING_IDENTITY);
    assert_int_equal(selected(files, "/assets/app-1.js", "gzip, identity;q=0"), CODING_GZIP);
    assert_int_equal(selected(files, "/assets/app-1.js", "*;q=0"), CODING_IDENTITY);
    assert_int_equal(selected(files, "/assets/font.woff2", "gzip, br"), CODING_IDENTITY);
    assert_int_equal(selected(files, "/", "gzip"), CODING_IDENTITY); /* too small */
    assert_int_equal(selected(files, "/empty.txt", "gzip"), CODING_IDENTITY);
    static_files_free(&files);
}

static void test_etags(void **state) {
    (void)state;
    static_files_t *files = make(), *again = make(), *other = static_files_new();
    const static_file_t *app = find(files, "/assets/app-1.js");
    const char *plain = static_file_select(app, STR(""))->etag;
    const char *gzip = static_file_select(app, STR("gzip"))->etag;
    assert_string_not_equal(plain, gzip);
    assert_int_equal(plain[0], '"');
    assert_int_equal(plain[strlen(plain) - 1], '"');
    assert_string_equal(plain, static_file_select(find(again, "/assets/app-1.js"), STR(""))->etag);
    add(other, "index.html", STR(PAGE "!"));
    static_files_seal(other);
    assert_string_not_equal(static_file_select(find(files, "/"), STR(""))->etag,
                            static_file_select(find(other, "/"), STR(""))->etag);
    static_files_free(&files);
    static_files_free(&again);
    static_files_free(&other);
}

static void test_nothing(void **state) {
    (void)state;
    static_files_t *files = static_files_new();
    static_files_seal(files);
    assert_null(find(files, "/"));
    assert_null(find(files, "/app/x"));
    static_files_free(&files);
}

static void test_limits(void **state) {
    (void)state;
    static_files_t *files = static_files_new();
    char path[32];
    add(files, "twice", STR("1"));
    assert_int_equal(static_files_add(files, STR("twice"), STR("2")), ERR_EXISTS);
    assert_int_equal(static_files_add(files, STR("huge"), (str_t){"", STATIC_FILES_BYTES_MAX}),
                     ERR_LIMIT);
    for (size_t i = 1; i < STATIC_FILES_COUNT_MAX; i++) {
        snprintf(path, sizeof(path), "%zu", i);
        add(files, path, STR(""));
    }
    assert_int_equal(static_files_add(files, STR("more"), STR("")), ERR_LIMIT);
    static_files_free(&files);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),    cmocka_unit_test(test_headers),
        cmocka_unit_test(test_selection), cmocka_unit_test(test_gzip_is_the_same_content),
        cmocka_unit_test(test_etags),     cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
