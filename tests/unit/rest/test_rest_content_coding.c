/* content_coding: Accept-Encoding and If-None-Match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest/content_coding.h"

static bool accepts(const char *header, content_coding_t coding) {
    return content_coding_accepts(str_from(header), coding);
}

static void test_accepts(void **state) {
    (void)state;
    assert_false(accepts("", CODING_GZIP));
    assert_true(accepts("", CODING_IDENTITY));
    assert_true(accepts("gzip, deflate, br", CODING_GZIP));
    assert_true(accepts("gzip, deflate, br", CODING_BROTLI));
    assert_true(accepts("GZip;q=0.5", CODING_GZIP));
    assert_false(accepts("gzip;q=0", CODING_GZIP));
    assert_false(accepts("gzip; q=0.000 , *", CODING_GZIP));
    assert_true(accepts("gzip;q=0.001", CODING_GZIP));
    assert_true(accepts("*", CODING_BROTLI));
    assert_false(accepts("*;q=0", CODING_BROTLI));
    assert_false(accepts("*;q=0", CODING_IDENTITY));
    assert_true(accepts("identity, *;q=0", CODING_IDENTITY));
    assert_false(accepts("x-gzip", CODING_GZIP));
    assert_true(accepts(" , ,gzip", CODING_GZIP));
    assert_true(accepts("gzip;x=1;q", CODING_GZIP));
}

static bool matches(const char *header) {
    return content_etag_matches(str_from(header), STR("\"abc\""));
}

static void test_etags(void **state) {
    (void)state;
    assert_true(matches("\"abc\""));
    assert_true(matches("\"x\", \"abc\""));
    assert_true(matches("W/\"abc\""));
    assert_true(matches("*"));
    assert_false(matches(""));
    assert_false(matches("abc"));
    assert_false(matches("\"abcd\""));
    assert_false(matches(","));
}

static void test_names(void **state) {
    (void)state;
    assert_string_equal(content_coding_name(CODING_BROTLI), "br");
    assert_string_equal(content_coding_name(CODING_GZIP), "gzip");
    assert_string_equal(content_coding_name(CODING_IDENTITY), "identity");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
