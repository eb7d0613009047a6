/* credentials: where the token is, and where it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/strbuf.h"
#include "gateway/credentials.h"

static void expect(const char *auth, const char *authorization, const char *expected) {
    json_doc_t *doc = NULL;
    str_t token = credentials_token(str_from(auth), str_from(authorization), &doc);
    if (!str_eq(token, str_from(expected)))
        fail_msg("%s / %s gave \"%.*s\"", auth, authorization, STR_ARG(token));
    json_doc_free(&doc);
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

static void test_a_huge_object_is_not_read(void **state) {
    (void)state;
    strbuf_t auth = {0};
    json_doc_t *doc = NULL;
    strbuf_append(&auth, STR("{\"token\":\"t\",\"x\":\""));
    while (auth.n <= CREDENTIALS_AUTH_BYTES_MAX)
        strbuf_append_char(&auth, 'x');
    strbuf_append(&auth, STR("\"}"));
    assert_int_equal(credentials_token(strbuf_str(&auth), (str_t){0}, &doc).n, 0);
    assert_null(doc);
    strbuf_fini(&auth);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_a_huge_object_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
