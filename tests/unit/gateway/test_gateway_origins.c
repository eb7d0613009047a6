/* origins: which pages may connect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/origins.h"

static void test_configurable(void **state) {
    (void)state;
    static const char *const good[] = {"*",
                                       "http://a",
                                       "https://a.b:8443",
                                       "http://localhost:3000/",
                                       "HTTPS://Chat.Example",
                                       "http://[::1]:5000"};
    static const char *const bad[] = {"",         "a",          "ftp://a",    "http://",
                                      "http:///", "http://a/b", "http://a b", "http://:80",
                                      "null",     "http://a?x"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(origins_is_origin(str_from(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (origins_is_origin(str_from(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    }
}

static bool allow(const char *origin, const char *host) {
    static const char *const origins[] = {"http://localhost:3000", "https://chat.example/", NULL};
    return origins_allow(origins, str_from(origin), str_from(host));
}

static void test_listed(void **state) {
    (void)state;
    assert_true(allow("http://localhost:3000", "x"));
    assert_true(allow("https://chat.example", "x"));
    assert_true(allow("https://chat.example:443", "x"));
    assert_true(allow("https://CHAT.example", "x"));
    assert_false(allow("http://chat.example", "x"));
    assert_false(allow("http://localhost:3001", "x"));
    assert_false(allow("http://localhost", "x"));
    assert_false(allow("https://chat.example.evil", "x"));
    assert_false(allow("https://evil", "x"));
    assert_false(allow("null", "x"));
    assert_false(allow("null", "null"));
}

static void test_same_host(void **state) {
    (void)state;
    assert_true(allow("http://a:5000", "a:5000"));
    assert_true(allow("http://a", "A:80"));
    assert_true(allow("https://a:443", "a"));
    assert_true(allow("http://[::1]:5000", "[::1]:5000"));
    assert_false(allow("http://a:5000", "a:5001"));
    assert_false(allow("http://a", "a:5000"));
    assert_false(allow("http://b", "a"));
    assert_false(allow("http://", ""));
    assert_false(allow("file://", ""));
}

static void test_no_browser_and_any(void **state) {
    (void)state;
    static const char *const any[] = {"*", NULL};
    assert_true(allow("", "a"));
    assert_true(allow(NULL, NULL));
    assert_true(origins_allow(any, STR("http://evil"), STR("a")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configurable),
        cmocka_unit_test(test_listed),
        cmocka_unit_test(test_same_host),
        cmocka_unit_test(test_no_browser_and_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
