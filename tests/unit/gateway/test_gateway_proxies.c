/* proxies: networks, and whose connection it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/proxies.h"

static void test_networks(void **state) {
    (void)state;
    static const char *const good[] = {"10.0.0.0/8",        "127.0.0.1", "::1",
                                       "2001:db8::/32",     "0.0.0.0/0", "::/0",
                                       "::ffff:1.2.3.4/100"};
    static const char *const bad[] = {"",         "10.0.0.0/33", "10.0.0/8", "::1/129",  "x",
                                      "1.2.3.4/", "1.2.3.4/-1",  " ::1",     "localhost"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(proxies_is_network(str_from(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(proxies_is_network(str_from(bad[i])));
}

static void expect(const char *peer, const char *forwarded_for, const char *expected) {
    static char *networks[] = {"127.0.0.0/8", "::1", "10.2.0.0/15", "2001:db8:ff::/48"};
    char key[PROXIES_KEY_TEXT];
    proxies_t *proxies = proxies_new(networks, 4);
    proxies_client_key(proxies, str_from(peer), str_from(forwarded_for), key);
    assert_string_equal(key, expected);
    proxies_free(&proxies);
    assert_null(proxies);
}

static void test_who_it_is(void **state) {
    (void)state;
    expect("203.0.113.7", NULL, "203.0.113.7");
    expect("203.0.113.7", "1.2.3.4", "203.0.113.7"); /* it may claim what it likes */
    expect("127.0.0.1", NULL, "127.0.0.1");
    expect("127.0.0.1", "1.2.3.4", "1.2.3.4");
    expect("127.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"); /* the first entry was the client's own */
    expect("127.0.0.1", "1.2.3.4,10.2.2.3 ,\t10.3.255.255", "1.2.3.4");
    expect("127.0.0.1", "1.2.3.4,10.2.2.3 ,\t10.4.0.0", "10.4.0.0");
    expect("::1", "1.2.3.4, 10.2.2.3", "1.2.3.4");
    expect("127.0.0.1", "10.1.255.255, 10.2.0.0", "10.1.255.255");
    expect("127.0.0.1", "10.2.0.1, 10.2.2.3", "10.2.0.1"); /* proxies all the way */
    expect("127.0.0.1", "garbage", "127.0.0.1");
    expect("127.0.0.1", "garbage, 10.2.0.1", "10.2.0.1");
    expect("127.0.0.1", ",,", "127.0.0.1");
    expect("::ffff:127.0.0.1", "1.2.3.4", "1.2.3.4");
    expect("nonsense", "1.2.3.4", "");
}

static void test_ipv6_counts_by_network(void **state) {
    (void)state;
    expect("2001:db8:1:2:3:4:5:6", NULL, "2001:db8:1:2::");
    expect("2001:db8:1:2:ffff::", NULL, "2001:db8:1:2::");
    expect("2001:db8:ff::1", "2001:db8:5::1", "2001:db8:5::");
    expect("::ffff:9.8.7.6", NULL, "9.8.7.6");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_who_it_is),
        cmocka_unit_test(test_ipv6_counts_by_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
