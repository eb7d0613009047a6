#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/envelope_copy.h"

static void copy_owns_what_the_original_borrowed(void **state) {
    (void)state;
    char room[] = "conv_1_2", user[] = "1", body[] = "body";
    envelope_t original = {.type = 40,
                           .request_id = 7,
                           .session = 8,
                           .trace = {.id = {1, 2, 3}},
                           .room = {room, 8},
                           .user = {user, 1},
                           .body = {body, 4}};
    envelope_t *copy = envelope_copy_new(&original);
    memset(room, 'x', sizeof(room));
    memset(user, 'x', sizeof(user));
    memset(body, 'x', sizeof(body));
    assert_true(str_eq(copy->room, STR("conv_1_2")));
    assert_true(str_eq(copy->user, STR("1")));
    assert_true(str_eq(copy->body, STR("body")));
    assert_int_equal(copy->type, 40);
    assert_int_equal(copy->request_id, 7);
    assert_int_equal(copy->session, 8);
    assert_memory_equal(copy->trace.id, original.trace.id, TRACE_ID_BYTES);
    assert_int_equal(envelope_copy_bytes(copy), sizeof(envelope_t) + 13);
    free(copy);
}

static void empty_texts_are_fine(void **state) {
    (void)state;
    envelope_t *copy = envelope_copy_new(&(envelope_t){.type = 3});
    assert_int_equal(copy->room.n + copy->user.n + copy->body.n, 0);
    free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_owns_what_the_original_borrowed),
        cmocka_unit_test(empty_texts_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
