/* health: what /health and /ready say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/health.h"

static void test_report(void **state) {
    (void)state;
    const health_dependency_t dependencies[] = {
        {.name = "postgresql", .state = "up"},
        {.name = "broker", .state = "down", .detail = "said \"no\""},
    };
    health_report_t report = {.service = "rest",
                              .instance = "rest-1",
                              .version = "1.2.3",
                              .dependencies = dependencies,
                              .dependency_count = 2};
    strbuf_t out = {0};
    health_write(&report, &out);
    assert_string_equal(
        strbuf_cstr(&out),
        "{\"status\":\"ok\",\"service\":\"rest\",\"instance\":\"rest-1\","
        "\"version\":\"1.2.3\",\"dependencies\":["
        "{\"name\":\"postgresql\",\"state\":\"up\"},"
        "{\"name\":\"broker\",\"state\":\"down\",\"detail\":\"said \\\"no\\\"\"}]}");
    report.dependency_count = 0;
    strbuf_clear(&out);
    health_write(&report, &out);
    assert_non_null(strstr(strbuf_cstr(&out), "\"dependencies\":[]}"));
    strbuf_fini(&out);
}

static void test_ready(void **state) {
    (void)state;
    assert_int_equal(health_ready_status(HEALTH_READY), 200);
    assert_int_equal(health_ready_status(HEALTH_NOT_READY), 503);
    assert_int_equal(health_ready_status(HEALTH_DRAINING), 404);
    assert_string_equal(health_ready_body(HEALTH_READY), "{\"status\":\"ready\"}");
    assert_string_equal(health_ready_body(HEALTH_NOT_READY), "{\"status\":\"not ready\"}");
    assert_string_equal(health_ready_body(HEALTH_DRAINING), "{\"status\":\"draining\"}");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_report), cmocka_unit_test(test_ready)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
