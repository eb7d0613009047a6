/* sio_assemble: a binary packet that comes in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/socketio/sio_assemble.h"

static void test_assembles(void **state) {
    (void)state;
    static const sio_limits_t limits = {.max_attachments = 10, .max_depth = 8};
    char text[] = "52-/n,7[\"a\",{\"_placeholder\":true,\"num\":1}]";
    char bytes[] = "\1\2\3";
    sio_incoming_t in;
    assert_int_equal(sio_decode(str_from(text), &limits, &in), OK);
    sio_assembly_t *assembly = sio_assembly_new(str_from(text), &in);
    memset(text, 'x', sizeof(text) - 1); /* the text was only lent */
    assert_false(sio_assembly_add(assembly, (str_t){bytes, 3}));
    memset(bytes, 'x', sizeof(bytes) - 1);
    assert_true(sio_assembly_add(assembly, (str_t){"", 0}));

    const sio_incoming_t *packet = sio_assembly_packet(assembly);
    sio_attachments_t attachments = sio_assembly_attachments(assembly);
    assert_true(str_eq(packet->nsp, STR("/n")));
    assert_int_equal(packet->id, 7);
    assert_true(str_eq(packet->name, STR("\"a\"")));
    assert_true(str_eq(packet->args, STR("{\"_placeholder\":true,\"num\":1}")));
    assert_int_equal(attachments.n, 2);
    assert_memory_equal(attachments.items[0].p, "\1\2\3", 3);
    assert_int_equal(attachments.items[1].n, 0);
    sio_assembly_free(&assembly);
    assert_null(assembly);
}

static void test_the_main_namespace_is_not_in_the_text(void **state) {
    (void)state;
    static const sio_limits_t limits = {.max_attachments = 1, .max_depth = 8};
    str_t text = STR("51-[\"a\"]");
    sio_incoming_t in;
    assert_int_equal(sio_decode(text, &limits, &in), OK);
    sio_assembly_t *assembly = sio_assembly_new(text, &in);
    assert_true(str_eq(sio_assembly_packet(assembly)->nsp, STR("/")));
    sio_assembly_free(&assembly);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assembles),
        cmocka_unit_test(test_the_main_namespace_is_not_in_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
