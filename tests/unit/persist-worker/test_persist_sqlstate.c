/* sqlstate: what to do after each kind of failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "persist-worker/sqlstate.h"

static void test_kinds(void **state) {
    (void)state;
    static const struct {
        const char *sqlstate;
        sqlstate_kind_t kind;
    } cases[] = {
        {"40001", SQLSTATE_RETRY}, {"40P01", SQLSTATE_RETRY}, {"55P03", SQLSTATE_RETRY},
        {"57014", SQLSTATE_RETRY}, {"57P01", SQLSTATE_AWAY},  {"57P03", SQLSTATE_AWAY},
        {"53100", SQLSTATE_AWAY},  {"53300", SQLSTATE_AWAY},  {"25006", SQLSTATE_AWAY},
        {"58030", SQLSTATE_AWAY},  {"08006", SQLSTATE_AWAY},  {"23505", SQLSTATE_FAULT},
        {"23514", SQLSTATE_FAULT}, {"22021", SQLSTATE_FAULT}, {"42P01", SQLSTATE_FAULT},
        {"", SQLSTATE_FAULT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(sqlstate_kind(str_from(cases[i].sqlstate)), cases[i].kind);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
