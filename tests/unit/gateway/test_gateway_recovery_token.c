/* recovery_token: what is sealed opens, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/recovery_token.h"

static const unsigned char nonce[RECOVERY_NONCE_BYTES] = {1, 2, 3};
static const recovery_identity_t identity = {
    .sid = {"abcdefghijklmnopqrst", 20}, .user_id = {"user.1", 6}, .issued_at_ms = 1767225600123};

static void seal(const recovery_keys_t *keys, strbuf_t *out) {
    strbuf_clear(out);
    recovery_token_seal(keys, nonce, &identity, out);
}

static void test_opens_what_was_sealed(void **state) {
    (void)state;
    recovery_keys_t keys = {0};
    recovery_identity_t opened;
    strbuf_t pid = {0}, plain = {0};
    recovery_keys_add(&keys, STR("a secret"));
    seal(&keys, &pid);
    assert_true(pid.n <= RECOVERY_PID_MAX);
    assert_int_equal(recovery_token_open(&keys, strbuf_str(&pid), &plain, &opened), OK);
    assert_true(str_eq(opened.sid, identity.sid));
    assert_true(str_eq(opened.user_id, identity.user_id));
    assert_int_equal(opened.issued_at_ms, identity.issued_at_ms);
    assert_null(memmem(pid.p, pid.n, "user.1", 6));
    strbuf_fini(&pid);
    strbuf_fini(&plain);
}

static void test_the_longest(void **state) {
    (void)state;
    char sid[RECOVERY_SID_MAX], user[IDS_USER_MAX];
    recovery_keys_t keys = {0};
    recovery_identity_t opened;
    strbuf_t pid = {0}, plain = {0};
    memset(sid, 's', sizeof(sid));
    memset(user, 'u', sizeof(user));
    recovery_keys_add(&keys, STR("a secret"));
    recovery_identity_t longest = {{sid, sizeof(sid)}, {user, sizeof(user)}, INT64_MAX};
    recovery_token_seal(&keys, nonce, &longest, &pid);
    assert_true(pid.n <= RECOVERY_PID_MAX);
    assert_int_equal(recovery_token_open(&keys, strbuf_str(&pid), &plain, &opened), OK);
    assert_int_equal(opened.sid.n, sizeof(sid));
    assert_int_equal(opened.user_id.n, sizeof(user));
    strbuf_fini(&pid);
    strbuf_fini(&plain);
}

static void test_any_change_closes_it(void **state) {
    (void)state;
    recovery_keys_t keys = {0};
    recovery_identity_t opened;
    strbuf_t pid = {0}, plain = {0};
    recovery_keys_add(&keys, STR("a secret"));
    seal(&keys, &pid);
    for (size_t i = 0; i < pid.n; i++) {
        char kept = pid.p[i];
        pid.p[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(recovery_token_open(&keys, strbuf_str(&pid), &plain, &opened),
                         ERR_INVALID);
        pid.p[i] = kept;
        str_t shorter = {pid.p, i};
        assert_int_equal(recovery_token_open(&keys, shorter, &plain, &opened), ERR_INVALID);
    }
    strbuf_append_char(&pid, 'A');
    assert_int_equal(recovery_token_open(&keys, strbuf_str(&pid), &plain, &opened), ERR_INVALID);
    strbuf_fini(&pid);
    strbuf_fini(&plain);
}

static void test_keys(void **state) {
    (void)state;
    recovery_keys_t before = {0}, both = {0}, other = {0};
    recovery_identity_t opened;
    strbuf_t pid = {0}, plain = {0};
    recovery_keys_add(&before, STR("the one before"));
    recovery_keys_add(&both, STR("the present one"));
    recovery_keys_add(&both, STR("the one before"));
    recovery_keys_add(&other, STR("another"));
    seal(&before, &pid);
    assert_int_equal(recovery_token_open(&both, strbuf_str(&pid), &plain, &opened), OK);
    assert_int_equal(recovery_token_open(&other, strbuf_str(&pid), &plain, &opened), ERR_INVALID);
    seal(&both, &pid);
    assert_int_equal(recovery_token_open(&before, strbuf_str(&pid), &plain, &opened), ERR_INVALID);
    strbuf_fini(&pid);
    strbuf_fini(&plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_what_was_sealed),
        cmocka_unit_test(test_the_longest),
        cmocka_unit_test(test_any_change_closes_it),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
