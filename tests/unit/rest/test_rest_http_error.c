/* http_error: statuses, Retry-After, the error object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest/http_error.h"

static void test_statuses(void **state) {
    (void)state;
    static const struct {
        code_t code;
        unsigned status;
    } expected[] = {
        {CODE_UNAUTHORIZED, 401},
        {CODE_TOKEN_EXPIRED, 401},
        {CODE_FORBIDDEN, 403},
        {CODE_NOT_FOUND, 404},
        {CODE_INVALID_PAYLOAD, 400},
        {CODE_CONFLICT, 409},
        {CODE_PAYLOAD_TOO_LARGE, 413},
        {CODE_RATE_LIMITED, 429},
        {CODE_UNAVAILABLE, 503},
        {CODE_INTERNAL, 500},
        {CODE_OK, 200},
    };
    assert_int_equal(sizeof(expected) / sizeof(*expected), CODE_COUNT);
    for (size_t i = 0; i < CODE_COUNT; i++) {
        assert_int_equal(http_error_status(expected[i].code), expected[i].status);
        assert_true(strlen(http_error_message(expected[i].code)) > 0);
    }
}

static void test_retry_after(void **state) {
    (void)state;
    assert_int_equal(http_error_retry_after(CODE_UNAVAILABLE, 0), 1);
    assert_int_equal(http_error_retry_after(CODE_UNAVAILABLE, 1), 1);
    assert_int_equal(http_error_retry_after(CODE_RATE_LIMITED, 1000), 1);
    assert_int_equal(http_error_retry_after(CODE_RATE_LIMITED, 1001), 2);
    assert_int_equal(http_error_retry_after(CODE_RATE_LIMITED, UINT64_MAX), UINT32_MAX);
    assert_int_equal(http_error_retry_after(CODE_FORBIDDEN, 5000), 0);
}

static void test_write(void **state) {
    (void)state;
    strbuf_t out = {0};
    http_error_write(CODE_FORBIDDEN, (str_t){0}, &out);
    assert_string_equal(strbuf_cstr(&out),
                        "{\"error\":{\"code\":\"forbidden\",\"message\":\"not allowed\"}}");
    strbuf_clear(&out);
    http_error_write(CODE_INVALID_PAYLOAD, STR("say \"x\""), &out);
    assert_string_equal(strbuf_cstr(&out),
                        "{\"error\":{\"code\":\"invalid_payload\",\"message\":\"say \\\"x\\\"\"}}");
    strbuf_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
