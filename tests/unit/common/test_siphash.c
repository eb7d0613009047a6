/* siphash: the reference vector, and uthash over names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/siphash.h"

typedef struct {
    UT_hash_handle hh;
    char name[16];
} named_t;

/* The key 00 01 … 0f and the vectors of the SipHash-2-4 reference implementation. */
static void test_vectors(void **state) {
    (void)state;
    uint8_t key[SIPHASH_KEY_BYTES];
    for (uint8_t i = 0; i < sizeof(key); i++)
        key[i] = i;
    uint64_t without_key = siphash(STR("name"));
    siphash_set_key(key);
    assert_true(siphash(STR("name")) != without_key);
    static const char bytes[] = {0, 1, 2, 3, 4, 5, 6, 7};
    assert_true(siphash((str_t){bytes, 0}) == 0x726fdb47dd0e0e31u);
    assert_true(siphash((str_t){bytes, 1}) == 0x74f839c593dc67fdu);
    assert_true(siphash((str_t){bytes, 8}) == 0x93f5f5799a932462u);
}

static void test_uthash(void **state) {
    (void)state;
    static named_t items[1000];
    named_t *table = NULL, *found = NULL;
    for (int i = 0; i < 1000; i++) {
        snprintf(items[i].name, sizeof(items[i].name), "name-%d", i);
        HASH_ADD_STR(table, name, &items[i]);
    }
    assert_true(items[7].hh.hashv == (unsigned)siphash(STR("name-7")));
    HASH_FIND_STR(table, "name-999", found);
    assert_ptr_equal(found, &items[999]);
    HASH_FIND_STR(table, "name-1000", found);
    assert_null(found);
    HASH_CLEAR(hh, table);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors),
                                       cmocka_unit_test(test_uthash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
