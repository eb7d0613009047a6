/* credentials: where the token is, and where it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/strbuf.h"
#include "gateway/credentials.h"

static void expect(const char *auth, const char *authorization, const char *expected) {
    credentials_t read;
    credentials_read(str_from(auth), str_from(authorization), &read);
    if (!str_eq(read.token, str_from(expected)))
        fail_msg("%s / %s gave \"%.*s\"", auth, authorization, STR_ARG(read.token));
    credentials_fini(&read);
}

static void test_token(void **state) {
    (void)state;
    expect("{\"token\":\"t\"}", NULL, "t");
    expect("{\"token\":\"t\"}", "Bearer h", "t");
    expect("{}", "Bearer h", "h");
    expect("", "Bearer h", "h");
    expect("", "bearer  h", "h");
    expect("{\"token\":\"\"}", "Bearer h", "h");
    expect("{\"token\":5}", "Bearer h", "h");
    expect("{\"token\":null}", "", "");
    expect("{broken", "Bearer h", "h");
    expect("", "Basic h", "");
    expect("", "Bearer", "");
    expect("", "Bearer ", "");
    expect("", NULL, "");
}

static void test_session_to_go_on_with(void **state) {
    (void)state;
    credentials_t read;
    credentials_read(STR("{\"pid\":\"p\",\"offset\":\"o\"}"), STR("Bearer h"), &read);
    assert_true(str_eq(read.token, STR("h")));
    assert_true(str_eq(read.pid, STR("p")));
    assert_true(str_eq(read.offset, STR("o")));
    credentials_fini(&read);
    credentials_read(STR("{\"pid\":5,\"offset\":[\"o\"],\"token\":\"t\"}"), (str_t){0}, &read);
    assert_int_equal(read.pid.n, 0);
    assert_int_equal(read.offset.n, 0);
    credentials_fini(&read);
}

static void test_a_huge_object_is_not_read(void **state) {
    (void)state;
    strbuf_t auth = {0};
    credentials_t read;
    strbuf_append(&auth, STR("{\"token\":\"t\",\"x\":\""));
    while (auth.n <= CREDENTIALS_AUTH_BYTES_MAX)
        strbuf_append_char(&auth, 'x');
    strbuf_append(&auth, STR("\"}"));
    credentials_read(strbuf_str(&auth), (str_t){0}, &read);
    assert_int_equal(read.token.n, 0);
    assert_null(read.doc);
    strbuf_fini(&auth);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_session_to_go_on_with),
        cmocka_unit_test(test_a_huge_object_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
