/* cors: which origins may, which may be configured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cors.h"

static const char *const origins[] = {"https://app.example", "http://localhost:3000/"};
static const cors_t listed = {origins, 2};

static cors_result_t check(const char *origin, const char *host) {
    return cors_check(&listed, str_from(origin), str_from(host));
}

static void test_listed(void **state) {
    (void)state;
    assert_int_equal(check("https://app.example", "api.example"), CORS_ALLOWED);
    assert_int_equal(check("HTTPS://App.Example:443", "api.example"), CORS_ALLOWED);
    assert_int_equal(check("http://localhost:3000", ""), CORS_ALLOWED);
}

static void test_foreign(void **state) {
    (void)state;
    static const char *const foreign[] = {
        "http://app.example",
        "https://app.example:8443",
        "https://app.example.evil",
        "https://evil",
        "null",
        "https://app.example/",
        "https://app.example/x",
        "https://",
        "file://app.example",
        "https://user@app.example",
        "http://localhost",
        "https://app.example, http://evil",
    };
    for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
        assert_int_equal(check(foreign[i], "api.example"), CORS_FOREIGN);
}

static void test_same_host(void **state) {
    (void)state;
    assert_int_equal(check("http://chat.example:5000", "chat.example:5000"), CORS_SAME_HOST);
    assert_int_equal(check("https://Chat.example", "chat.EXAMPLE"), CORS_SAME_HOST);
    assert_int_equal(check("https://chat.example", "chat.example:443"), CORS_SAME_HOST);
    assert_int_equal(check("http://chat.example", "chat.example:80"), CORS_SAME_HOST);
    assert_int_equal(check("http://[::1]:5000", "[::1]:5000"), CORS_SAME_HOST);
    assert_int_equal(check("http://chat.example", "chat.example:443"), CORS_FOREIGN);
    assert_int_equal(check("http://chat.example:5001", "chat.example:5000"), CORS_FOREIGN);
    assert_int_equal(check("http://x", ""), CORS_FOREIGN);
}

static void test_none_and_any(void **state) {
    (void)state;
    static const char *const any[] = {"*"};
    const cors_t all = {any, 1}, none = {NULL, 0};
    assert_int_equal(check("", "api.example"), CORS_NO_ORIGIN);
    assert_int_equal(cors_check(&all, STR("http://x.example"), STR("y")), CORS_ALLOWED);
    assert_int_equal(cors_check(&all, STR("null"), STR("y")), CORS_FOREIGN);
    assert_int_equal(cors_check(&none, STR("http://x.example"), STR("y")), CORS_FOREIGN);
    assert_int_equal(cors_check(&none, STR("http://y"), STR("y")), CORS_SAME_HOST);
}

static void test_configurable(void **state) {
    (void)state;
    assert_true(cors_is_configurable(STR("*")));
    assert_true(cors_is_configurable(STR("http://localhost:3000")));
    assert_true(cors_is_configurable(STR("https://a.example/")));
    assert_false(cors_is_configurable(STR("a.example")));
    assert_false(cors_is_configurable(STR("https://a.example/x")));
    assert_false(cors_is_configurable(STR("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listed),       cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_same_host),    cmocka_unit_test(test_none_and_any),
        cmocka_unit_test(test_configurable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
