/* key_files: keys are read from files, whatever is wrong is named, and a change is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth-worker/key_files.h"
#include "auth-worker/tokens.h"
#include "loop_test.h"
#include "token_maker.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define OTHER_SECRET "fedcba9876543210fedcba9876543210"
#define PAYLOAD "{\"userId\":1,\"exp\":2000000000}"
#define NOW_MS INT64_C(1700000000000)

static char folder[] = "/tmp/parley-keys-XXXXXX";
static EVP_PKEY *rsa, *ec;

static int make_folder(void **state) {
    (void)state;
    rsa = make_rsa_key(2048);
    ec = make_ec_key("P-256");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    return rmdir(folder);
}

/* The file's path; the caller frees it. */
static char *path_of(const char *name) {
    strbuf_t path = {0};
    strbuf_printf(&path, "%s/%s", folder, name);
    return strbuf_detach(&path);
}

/* Writes another file and puts it in place of the old one, as a careful operator does. */
static void write_file(const char *path, const char *text) {
    strbuf_t fresh = {0};
    strbuf_printf(&fresh, "%s.new", path);
    FILE *file = fopen(strbuf_cstr(&fresh), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(strbuf_cstr(&fresh), path), 0);
    strbuf_fini(&fresh);
}

static bool accepts(const keys_t *keys, char *token) {
    claims_t claims;
    claims_rules_t no_rules = {0};
    tokens_result_t result = tokens_verify(keys, &no_rules, str_from(token), NOW_MS, &claims);
    free(token);
    return result == TOKENS_OK;
}

static bool accepts_secret(const keys_t *keys, const char *header, const char *secret) {
    return accepts(keys, make_hs256_token(header, PAYLOAD, str_from(secret)));
}

static void test_all_sources(void **state) {
    (void)state;
    keys_t *keys = NULL;
    strbuf_t problem = {0}, entry = {0}, jwks = {0};
    char *pem_path = path_of("rsa.pem"), *jwks_path = path_of("jwks.json");
    char *secrets_path = path_of("secrets");
    char *pem = make_public_pem(rsa), *jwk = make_jwk(ec, "\"kid\":\"e\",");
    write_file(pem_path, pem);
    strbuf_printf(&jwks, "{\"keys\":[%s]}", jwk);
    write_file(jwks_path, strbuf_cstr(&jwks));
    write_file(secrets_path, "# rotated in May\n\n  new\t" OTHER_SECRET " \r\nold " SECRET);
    strbuf_printf(&entry, "r=%s", pem_path);
    char *entries[] = {(char *)(uintptr_t)strbuf_cstr(&entry), pem_path};
    key_files_settings_t settings = {.secret = SECRET,
                                     .secrets_file = secrets_path,
                                     .public_keys = {.items = entries, .n = 2},
                                     .jwks_file = jwks_path};
    assert_int_equal(key_files_load(&settings, &keys, &problem), OK);
    assert_int_equal(keys_count(keys), 6);
    assert_true(accepts_secret(keys, "{\"alg\":\"HS256\"}", SECRET));
    assert_true(accepts_secret(keys, "{\"alg\":\"HS256\",\"kid\":\"new\"}", OTHER_SECRET));
    assert_true(accepts_secret(keys, "{\"alg\":\"HS256\",\"kid\":\"old\"}", SECRET));
    assert_true(
        accepts(keys, make_public_token("{\"alg\":\"RS256\",\"kid\":\"r\"}", PAYLOAD, rsa)));
    assert_true(accepts(keys, make_public_token("{\"alg\":\"RS256\"}", PAYLOAD, rsa)));
    assert_true(accepts(keys, make_public_token("{\"alg\":\"ES256\",\"kid\":\"e\"}", PAYLOAD, ec)));
    const char *kid;
    str_t secret;
    assert_true(keys_signer(keys, &kid, &secret));
    assert_string_equal(kid, "new");
    assert_true(str_eq(secret, STR(OTHER_SECRET)));
    keys_free(&keys);
    char *paths[] = {pem_path, jwks_path, secrets_path};
    for (size_t i = 0; i < 3; i++) {
        unlink(paths[i]);
        free(paths[i]);
    }
    free(pem);
    free(jwk);
    strbuf_fini(&problem);
    strbuf_fini(&entry);
    strbuf_fini(&jwks);
}

/* The settings must fail, with a sentence that names `file` and quotes no key. */
static void assert_fails(const key_files_settings_t *settings, const char *file) {
    keys_t *keys = NULL;
    strbuf_t problem = {0};
    assert_int_not_equal(key_files_load(settings, &keys, &problem), OK);
    assert_null(keys);
    assert_non_null(strstr(strbuf_cstr(&problem), file));
    assert_null(strstr(strbuf_cstr(&problem), "0123456789"));
    strbuf_fini(&problem);
}

static void assert_secrets_file_fails(const char *text) {
    char *path = path_of("secrets");
    write_file(path, text);
    assert_fails(&(key_files_settings_t){.secrets_file = path}, path);
    unlink(path);
    free(path);
}

static void test_failures_are_named(void **state) {
    (void)state;
    char *missing = path_of("missing.pem");
    char *items[] = {missing};
    assert_fails(&(key_files_settings_t){.public_keys = {.items = items, .n = 1}}, missing);
    assert_fails(&(key_files_settings_t){.jwks_file = missing}, missing);
    assert_fails(&(key_files_settings_t){.secrets_file = missing}, missing);
    assert_fails(&(key_files_settings_t){.jwks_file = folder}, folder);
    assert_fails(&(key_files_settings_t){.secret = "0123456789"}, "JWT_SECRET");
    free(missing);
    assert_secrets_file_fails("");
    assert_secrets_file_fails("# nothing else\n");
    assert_secrets_file_fails("kid-alone\n");
    assert_secrets_file_fails("kid 0123456789\n");
    assert_secrets_file_fails("a " SECRET "\na " SECRET "\n");
    strbuf_t text = {0};
    strbuf_append(&text, STR("a " SECRET "\n"));
    while (text.n <= KEY_FILES_SECRETS_MAX_BYTES)
        strbuf_append_char(&text, '#');
    assert_secrets_file_fails(strbuf_cstr(&text));
    strbuf_fini(&text);
}

typedef struct {
    const key_files_t *files;
    uint64_t reloads, failures;
} watched_t;

static bool reached(void *ctx) {
    const watched_t *wanted = ctx;
    const key_files_stats_t *stats = key_files_stats(wanted->files);
    return stats->reloads >= wanted->reloads && stats->failures >= wanted->failures;
}

/* A rotation: the new key is taken, the old one not any more, and a broken file changes nothing. */
static void test_changes_are_noticed(void **state) {
    (void)state;
    uv_loop_t loop;
    key_files_t *files = NULL;
    char *path = path_of("secrets");
    write_file(path, "a " SECRET "\n");
    assert_int_equal(uv_loop_init(&loop), 0);
    key_files_settings_t settings = {.secrets_file = path};
    assert_int_equal(key_files_new(&loop, &settings, &files), OK);
    watched_t wanted = {.files = files, .reloads = 2};
    assert_true(accepts_secret(key_files_keys(files), "{\"alg\":\"HS256\",\"kid\":\"a\"}", SECRET));
    uv_run(&loop, UV_RUN_ONCE); /* the first look at the file as it is */
    write_file(path, "b " OTHER_SECRET " \n# longer\n");
    run_until(&loop, reached, &wanted);
    const char *renamed = "{\"alg\":\"HS256\",\"kid\":\"b\"}";
    assert_true(accepts_secret(key_files_keys(files), renamed, OTHER_SECRET));
    assert_false(
        accepts_secret(key_files_keys(files), "{\"alg\":\"HS256\",\"kid\":\"a\"}", SECRET));
    write_file(path, "broken");
    wanted.failures = 1;
    run_until(&loop, reached, &wanted);
    assert_true(accepts_secret(key_files_keys(files), renamed, OTHER_SECRET));
    write_file(path, "c " SECRET "\n");
    wanted.reloads = 3;
    run_until(&loop, reached, &wanted);
    assert_true(accepts_secret(key_files_keys(files), "{\"alg\":\"HS256\",\"kid\":\"c\"}", SECRET));
    unlink(path);
    key_files_free(&files);
    assert_null(files);
    finish_loop(&loop);
    free(path);
}

static void test_bad_start(void **state) {
    (void)state;
    uv_loop_t loop;
    key_files_t *files = NULL;
    assert_int_equal(uv_loop_init(&loop), 0);
    key_files_settings_t settings = {.secret = "short"};
    assert_int_equal(key_files_new(&loop, &settings, &files), ERR_INVALID);
    assert_null(files);
    settings.secret = SECRET; /* nothing to watch */
    assert_int_equal(key_files_new(&loop, &settings, &files), OK);
    key_files_reload(files);
    assert_int_equal(key_files_stats(files)->reloads, 2);
    key_files_free(&files);
    finish_loop(&loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_sources),
        cmocka_unit_test(test_failures_are_named),
        cmocka_unit_test(test_changes_are_noticed),
        cmocka_unit_test(test_bad_start),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
