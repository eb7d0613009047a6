#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/peers.h"

static void peers_are_counted_by_role(void **state) {
    (void)state;
    static const role_t roles[] = {ROLE_GATEWAY, ROLE_GATEWAY, ROLE_REST, ROLE_PERSIST, ROLE_AUTH};
    static const size_t counts[] = {2, 1, 1, 1};
    peers_t *peers = peers_new();
    peer_t *added[5];
    for (size_t i = 0; i < 5; i++)
        added[i] = peers_add(peers, roles[i], added);
    for (size_t i = 0; i < PEER_ROLES; i++) {
        assert_non_null(peers_role_names[i]);
        assert_int_equal(peers_count(peers, i), counts[i]);
    }
    assert_null(peers_role_names[PEER_ROLES]);
    assert_ptr_equal(peers_first(peers), added[0]);
    assert_ptr_equal(added[0]->link, added);
    for (size_t i = 0; i < 5; i++)
        peers_remove(peers, added[i]);
    assert_null(peers_first(peers));
    peers_free(&peers);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(peers_are_counted_by_role)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
