/* keyring: what a key file may say, and whose key is whose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/keyring.h"

#define KEY_A "6}eyoK}lcvaw>Lx+mMn3CjQePk>vnB:bs(O?{#Hb"
#define KEY_B "[nn<Je+JBiDc4j%F/v-KGW$odJwPe>bFp*.*/j?t"
#define KEY_C "N^hjo3d+uZy^A=G-GhRDQN6*>:x2a[/r9YzyY^6r"

static void test_reads_and_finds(void **state) {
    (void)state;
    keyring_t ring;
    strbuf_t problem = {0};
    assert_int_equal(
        keyring_parse(STR("# keys\n\n  gateway\t" KEY_A " \r\nbroker " KEY_B "\nbroker " KEY_C),
                      &ring, &problem),
        OK);
    assert_int_equal(ring.n, 3);
    assert_int_equal(keyring_role(&ring, STR(KEY_A)), ROLE_GATEWAY);
    assert_int_equal(keyring_role(&ring, STR(KEY_C)), ROLE_BROKER);
    assert_int_equal(keyring_role(&ring, STR("")), 0);
    assert_int_equal(keyring_role(&ring, str_from_offset(STR(KEY_A), 1)), 0);
    assert_int_equal(keyring_count(&ring, ROLE_BROKER), 2);
    assert_int_equal(keyring_count(&ring, ROLE_AUTH), 0);
    assert_string_equal(keyring_key(&ring, ROLE_BROKER, 0), KEY_B);
    assert_string_equal(keyring_key(&ring, ROLE_BROKER, 1), KEY_C);
    assert_string_equal(keyring_key(&ring, ROLE_BROKER, 2), KEY_B);
    assert_string_equal(keyring_key(&ring, ROLE_GATEWAY, 7), KEY_A);
    assert_int_equal(keyring_parse(STR(""), &ring, &problem), OK);
    assert_int_equal(ring.n, 0);
    assert_int_equal(problem.n, 0);
}

static void test_faults_name_the_line_and_keep_the_key_to_themselves(void **state) {
    (void)state;
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {KEY_A "\n", "line 1: it doesn't begin with the name of a service"},
        {"\nclient " KEY_A, "line 2: it doesn't begin with the name of a service"},
        {"gateway", "line 1: it has no key of 40 characters of Z85"},
        {"gateway " KEY_A "0", "line 1: it has no key of 40 characters of Z85"},
        {"gateway " KEY_A " " KEY_B, "line 1: it has no key of 40 characters of Z85"},
        {"gateway 6}eyoK}lcvaw>Lx+mMn3CjQePk>vnB:bs(O?{#H~",
         "line 1: it has no key of 40 characters of Z85"},
        {"gateway #####oK}lcvaw>Lx+mMn3CjQePk>vnB:bs(O?{#Hb", /* 85^5 - 1 is over 32 bits */
         "line 1: it has no key of 40 characters of Z85"},
        {"rest " KEY_A "\n# twice\ngateway " KEY_A, "line 3: its key stands there already"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        keyring_t ring;
        strbuf_t problem = {0};
        assert_int_equal(keyring_parse(str_from(cases[i].text), &ring, &problem), ERR_INVALID);
        assert_string_equal(strbuf_cstr(&problem), cases[i].problem);
        strbuf_fini(&problem);
    }
}

static void test_is_bounded(void **state) {
    (void)state;
    static const char digits[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:";
    keyring_t ring;
    strbuf_t text = {0}, problem = {0};
    for (int i = 0; i < KEYRING_KEYS_MAX + 1; i++)
        strbuf_printf(&text, "rest %c%s\n", digits[i], &KEY_A[1]);
    assert_int_equal(keyring_parse(strbuf_str(&text), &ring, &problem), ERR_INVALID);
    assert_string_equal(strbuf_cstr(&problem), "line 65: there are too many keys");
    strbuf_clear(&problem);
    while (text.n <= KEYRING_TEXT_MAX)
        strbuf_append(&text, STR("# more\n"));
    assert_int_equal(keyring_parse(strbuf_str(&text), &ring, &problem), ERR_LIMIT);
    strbuf_fini(&text);
    strbuf_fini(&problem);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_and_finds),
        cmocka_unit_test(test_faults_name_the_line_and_keep_the_key_to_themselves),
        cmocka_unit_test(test_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
