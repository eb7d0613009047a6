/* idgen: the example of RFC 9562 (appendix A.6), order by time, and the canonical spelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/idgen.h"

static void test_rfc_example(void **state) {
    (void)state;
    static const uint8_t random[IDGEN_RANDOM_BYTES] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc,
                                                       0x0c, 0x0c, 0x07, 0x39, 0x8f};
    idgen_uuid_t uuid = idgen_uuid7(0x017F22E279B0, random);
    char text[IDGEN_UUID_TEXT + 1];
    idgen_format(&uuid, text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void test_fixed_bits_and_order(void **state) {
    (void)state;
    uint8_t random[IDGEN_RANDOM_BYTES];
    char earlier[IDGEN_UUID_TEXT + 1], later[IDGEN_UUID_TEXT + 1];
    memset(random, 0xff, sizeof(random));
    idgen_uuid_t a = idgen_uuid7(1700000000000, random);
    assert_int_equal(a.bytes[6] >> 4, 7);
    assert_int_equal(a.bytes[8] >> 6, 2);
    memset(random, 0, sizeof(random));
    idgen_uuid_t b = idgen_uuid7(1700000000001, random);
    assert_int_equal(b.bytes[6] >> 4, 7);
    assert_int_equal(b.bytes[8] >> 6, 2);
    assert_true(memcmp(a.bytes, b.bytes, 16) < 0);
    idgen_format(&a, earlier);
    idgen_format(&b, later);
    assert_true(strcmp(earlier, later) < 0);
}

static void test_parse(void **state) {
    (void)state;
    idgen_uuid_t uuid;
    char again[IDGEN_UUID_TEXT + 1];
    const char *text = "0190163d-8694-739b-aea5-966c26f8ad91";
    assert_int_equal(idgen_parse(str_from(text), &uuid), OK);
    idgen_format(&uuid, again);
    assert_string_equal(again, text);
    static const char *const bad[] = {
        "",
        "0190163d-8694-739b-aea5-966c26f8ad9",   /* short */
        "0190163d-8694-739b-aea5-966c26f8ad911", /* long */
        "0190163D-8694-739b-aea5-966c26f8ad91",  /* upper case */
        "0190163d08694-739b-aea5-966c26f8ad91",  /* no hyphen */
        "0190163-d8694-739b-aea5-966c26f8ad91",  /* misplaced hyphen */
        "0190163g-8694-739b-aea5-966c26f8ad91",
        "0190163d-8694-739b-aea5-966c26f8ad9\n",
        "{190163d-8694-739b-aea5-966c26f8ad9}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(idgen_parse(str_from(bad[i]), &uuid), ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_example),
        cmocka_unit_test(test_fixed_bits_and_order),
        cmocka_unit_test(test_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
