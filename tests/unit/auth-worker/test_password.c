/* password: hashes are made and compared off the loop, within bounds, and leave nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth-worker/password.h"
#include "loop_test.h"

static const password_settings_t settings = {
    .memory_kib = 8192, .passes = 1, .threads = 2, .queue_max = 3};

typedef struct {
    password_result_t result;
    char hash[PASSWORD_HASH_MAX_BYTES];
    int calls;
} capture_t;

static void on_done(void *ctx, const password_outcome_t *outcome) {
    capture_t *capture = ctx;
    capture->calls++;
    capture->result = outcome->result;
    assert_true(outcome->seconds > 0);
    if (outcome->result == PASSWORD_HASHED)
        snprintf(capture->hash, sizeof(capture->hash), "%s", outcome->hash);
}

static bool was_called(void *ctx) {
    return ((capture_t *)ctx)->calls > 0;
}

static password_t *make(uv_loop_t *loop) {
    password_t *passwords = NULL;
    assert_int_equal(uv_loop_init(loop), 0);
    assert_int_equal(password_new(loop, &settings, &passwords), OK);
    return passwords;
}

static password_result_t compare(uv_loop_t *loop, password_t *passwords, str_t password,
                                 const char *hash) {
    capture_t capture = {0};
    assert_int_equal(password_verify(passwords, password, hash, on_done, &capture), OK);
    assert_int_equal(capture.calls, 0);
    run_until(loop, was_called, &capture);
    return capture.result;
}

static void test_hash_and_compare(void **state) {
    (void)state;
    uv_loop_t loop;
    capture_t first = {0}, second = {0};
    password_t *passwords = make(&loop);
    assert_int_equal(password_hash(passwords, STR("correct horse"), on_done, &first), OK);
    assert_int_equal(password_hash(passwords, STR("correct horse"), on_done, &second), OK);
    run_until(&loop, was_called, &first);
    run_until(&loop, was_called, &second);
    assert_int_equal(first.result, PASSWORD_HASHED);
    assert_int_equal(strncmp(first.hash, "$argon2id$v=19$m=8192,t=1,p=1$", 30), 0);
    assert_string_not_equal(first.hash, second.hash); /* another salt */
    assert_int_equal(compare(&loop, passwords, STR("correct horse"), first.hash), PASSWORD_MATCH);
    assert_int_equal(compare(&loop, passwords, STR("correct horse"), second.hash), PASSWORD_MATCH);
    assert_int_equal(compare(&loop, passwords, STR("correct hors"), first.hash), PASSWORD_MISMATCH);
    assert_int_equal(compare(&loop, passwords, STR("correct horse\0x"), first.hash),
                     PASSWORD_MISMATCH);
    assert_int_equal(compare(&loop, passwords, STR(""), first.hash), PASSWORD_MISMATCH);
    password_free(&passwords);
    finish_loop(&loop);
}

static void test_nothing_to_compare_with(void **state) {
    (void)state;
    uv_loop_t loop;
    password_t *passwords = make(&loop);
    char long_hash[PASSWORD_HASH_MAX_BYTES + 10];
    memset(long_hash, 'x', sizeof(long_hash) - 1);
    long_hash[sizeof(long_hash) - 1] = '\0';
    assert_int_equal(compare(&loop, passwords, STR("anything"), NULL), PASSWORD_MISMATCH);
    assert_int_equal(compare(&loop, passwords, STR(""), NULL), PASSWORD_MISMATCH);
    assert_int_equal(compare(&loop, passwords, STR("anything"), "no hash"), PASSWORD_MISMATCH);
    assert_int_equal(compare(&loop, passwords, STR("anything"), long_hash), PASSWORD_MISMATCH);
    password_free(&passwords);
    finish_loop(&loop);
}

static void test_bounds(void **state) {
    (void)state;
    uv_loop_t loop;
    capture_t captures[8] = {0};
    password_t *passwords = make(&loop);
    size_t room = settings.threads + settings.queue_max;
    for (size_t i = 0; i < room; i++)
        assert_int_equal(password_hash(passwords, STR("password"), on_done, &captures[i]), OK);
    assert_int_equal(password_pending(passwords), room);
    assert_true(password_retry_after_ms(passwords) >= 100);
    assert_int_equal(password_hash(passwords, STR("password"), on_done, &captures[room]),
                     ERR_UNAVAILABLE);
    assert_int_equal(password_verify(passwords, STR("password"), NULL, on_done, &captures[room]),
                     ERR_UNAVAILABLE);
    for (size_t i = 0; i < room; i++) {
        run_until(&loop, was_called, &captures[i]);
        assert_int_equal(captures[i].calls, 1);
    }
    assert_int_equal(captures[room].calls, 0);
    assert_int_equal(password_pending(passwords), 0);
    password_free(&passwords);
    finish_loop(&loop);
}

/* What waits and what runs is forgotten; nobody is called back. */
static void test_freed_under_way(void **state) {
    (void)state;
    uv_loop_t loop;
    capture_t capture = {0};
    password_t *passwords = make(&loop);
    for (int i = 0; i < 5; i++)
        assert_int_equal(password_hash(passwords, STR("password"), on_done, &capture), OK);
    password_free(&passwords);
    assert_null(passwords);
    finish_loop(&loop);
    assert_int_equal(capture.calls, 0);
}

static void test_impossible_settings(void **state) {
    (void)state;
    uv_loop_t loop;
    password_t *passwords = NULL;
    password_settings_t impossible = settings;
    impossible.memory_kib = 1; /* less than Argon2 can do with */
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(password_new(&loop, &impossible, &passwords), ERR_IO);
    assert_null(passwords);
    finish_loop(&loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_and_compare),
        cmocka_unit_test(test_nothing_to_compare_with),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_freed_under_way),
        cmocka_unit_test(test_impossible_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
