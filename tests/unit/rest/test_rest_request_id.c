/* request_id: which ids of requests are taken over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest/request_id.h"

static void test_request_ids(void **state) {
    (void)state;
    char longest[REQUEST_ID_BYTES_MAX + 1];
    memset(longest, 'a', sizeof(longest));
    assert_true(request_id_is_valid(STR("a.B_9-")));
    assert_true(request_id_is_valid((str_t){longest, REQUEST_ID_BYTES_MAX}));
    assert_false(request_id_is_valid((str_t){longest, sizeof(longest)}));
    assert_false(request_id_is_valid(STR("")));
    assert_false(request_id_is_valid(STR("a b")));
    assert_false(request_id_is_valid(STR("a\r\nX: y")));
    assert_false(request_id_is_valid((str_t){"a\0", 2}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
