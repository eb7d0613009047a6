/* client_address: networks, X-Forwarded-For, what limits count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "common/client_address.h"

static client_address_t address(const char *text) {
    client_address_t parsed;
    assert_int_equal(client_address_parse(str_from(text), &parsed), OK);
    return parsed;
}

static client_network_t network(const char *text) {
    client_network_t parsed;
    assert_int_equal(client_network_parse(str_from(text), &parsed), OK);
    return parsed;
}

static bool is_in(const char *one, const char *net) {
    client_address_t parsed = address(one);
    client_network_t in = network(net);
    return client_address_is_trusted(&parsed, &in, 1);
}

static void test_networks(void **state) {
    (void)state;
    assert_true(is_in("127.9.9.9", "127.0.0.0/8"));
    assert_false(is_in("128.0.0.1", "127.0.0.0/8"));
    assert_true(is_in("10.1.2.3", "10.1.2.3"));
    assert_false(is_in("10.1.2.4", "10.1.2.3"));
    assert_true(is_in("10.1.2.2", "10.1.2.3/31"));
    assert_true(is_in("1.2.3.4", "0.0.0.0/0"));
    assert_false(is_in("::1", "0.0.0.0/0"));
    assert_true(is_in("::1", "::1"));
    assert_true(is_in("2001:db8::5", "2001:db8::/33"));
    assert_false(is_in("2001:db8:8000::5", "2001:db8::/33"));
    assert_true(is_in("::ffff:127.0.0.1", "127.0.0.0/8"));
    assert_true(is_in("fe80::1", "::/0"));
}

static void test_malformed(void **state) {
    (void)state;
    static const char *const bad[] = {"",         "x",         "1.2.3",      "1.2.3.4/33",
                                      "1.2.3.4/", "::1/129",   "1.2.3.4/-1", "1.2.3.4/8/8",
                                      " ::1",     "localhost", "[::1]"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(client_network_is_valid(str_from(bad[i])));
    client_address_t unused;
    assert_int_equal(client_address_parse((str_t){"::1\0", 4}, &unused), ERR_INVALID);
}

static void assert_resolves(const char *peer, const char *forwarded, const char *expected) {
    const client_network_t trusted[] = {network("127.0.0.0/8"), network("10.0.0.0/8")};
    client_address_t from = address(peer);
    client_address_t found = client_address_resolve(&from, str_from(forwarded), trusted, 2);
    char text[CLIENT_ADDRESS_TEXT];
    client_address_format(&found, text);
    assert_string_equal(text, expected);
}

static void test_resolve(void **state) {
    (void)state;
    assert_resolves("127.0.0.1", "", "127.0.0.1");
    assert_resolves("127.0.0.1", "203.0.113.9", "203.0.113.9");
    /* What a client made up stands before what our proxies wrote. */
    assert_resolves("127.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9");
    assert_resolves("127.0.0.1", "1.1.1.1,203.0.113.9 , 10.0.0.7", "203.0.113.9");
    /* Who is no proxy of ours isn't believed. */
    assert_resolves("203.0.113.9", "1.1.1.1", "203.0.113.9");
    assert_resolves("127.0.0.1", "1.1.1.1, nonsense", "127.0.0.1");
    assert_resolves("127.0.0.1", "nonsense, 10.0.0.7", "10.0.0.7");
    assert_resolves("127.0.0.1", ",", "127.0.0.1");
    assert_resolves("127.0.0.1", "2001:db8::1", "2001:db8::1");
}

static void test_sockets(void **state) {
    (void)state;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    char text[CLIENT_ADDRESS_TEXT];
    inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
    inet_pton(AF_INET6, "2001:db8::2", &in6.sin6_addr);
    client_address_t found = client_address_of((const struct sockaddr *)(const void *)&in);
    client_address_format(&found, text);
    assert_string_equal(text, "192.0.2.1");
    found = client_address_of((const struct sockaddr *)(const void *)&in6);
    client_address_format(&found, text);
    assert_string_equal(text, "2001:db8::2");
}

static void test_subscriber(void **state) {
    (void)state;
    client_address_t four = address("192.0.2.1"), six = address("2001:db8:1:2:3:4:5:6");
    client_address_t same = client_address_subscriber(&four);
    client_address_t net = client_address_subscriber(&six), expected = address("2001:db8:1:2::");
    assert_memory_equal(&same, &four, sizeof(four));
    assert_memory_equal(&net, &expected, sizeof(net));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),   cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_resolve),    cmocka_unit_test(test_sockets),
        cmocka_unit_test(test_subscriber),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
