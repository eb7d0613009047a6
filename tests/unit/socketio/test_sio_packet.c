/* sio_packet: Socket.IO packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/socketio/sio_packet.h"
#include "tests/unit/socketio/recorder.h"

static const sio_limits_t limits = {.max_attachments = 10, .max_depth = 8};

static void test_decodes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        sio_type_t type;
        const char *nsp;
        int64_t id;
        const char *name, *args;
    } cases[] = {
        {"0", SIO_CONNECT, "/", -1, "", ""},
        {"0{\"token\":\"a\"}", SIO_CONNECT, "/", -1, "", ""},
        {"0/custom", SIO_CONNECT, "/custom", -1, "", ""},
        {"0/custom?a=b,", SIO_CONNECT, "/custom?a=b", -1, "", ""},
        {"0/custom,{}", SIO_CONNECT, "/custom", -1, "", ""},
        {"1", SIO_DISCONNECT, "/", -1, "", ""},
        {"1/custom,", SIO_DISCONNECT, "/custom", -1, "", ""},
        {"2[\"a\"]", SIO_EVENT, "/", -1, "\"a\"", ""},
        {"2[\"a\",1,\"2\",{\"3\":[true]}]", SIO_EVENT, "/", -1, "\"a\"", "1,\"2\",{\"3\":[true]}"},
        {"2[ \"a\" , 1 ]", SIO_EVENT, "/", -1, "\"a\"", "1"},
        {"212[\"a\"]", SIO_EVENT, "/", 12, "\"a\"", ""},
        {"2/custom,0[\"a\"]", SIO_EVENT, "/custom", 0, "\"a\"", ""},
        {"2[7,1]", SIO_EVENT, "/", -1, "7", "1"},
        {"2[\"error\"]", SIO_EVENT, "/", -1, "\"error\"", ""},
        {"37[]", SIO_ACK, "/", 7, "", ""},
        {"37[ ]", SIO_ACK, "/", 7, "", ""},
        {"39007199254740991[1]", SIO_ACK, "/", 9007199254740991, "", "1"},
        {"51-[\"a\",{\"_placeholder\":true,\"num\":0}]", SIO_BINARY_EVENT, "/", -1, "\"a\"",
         "{\"_placeholder\":true,\"num\":0}"},
        {"51-/n,3[\"a\"]", SIO_BINARY_EVENT, "/n", 3, "\"a\"", ""},
        {"62-1[]", SIO_BINARY_ACK, "/", 1, "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sio_incoming_t in;
        assert_int_equal(sio_decode(str_from(cases[i].text), &limits, &in), OK);
        assert_int_equal(in.type, cases[i].type);
        assert_true(str_eq(in.nsp, str_from(cases[i].nsp)));
        assert_int_equal(in.has_id ? (int64_t)in.id : -1, cases[i].id);
        assert_true(str_eq(in.name, str_from(cases[i].name)));
        assert_true(str_eq(in.args, str_from(cases[i].args)));
    }
}

static void test_refuses(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "7",
        "a",
        "-1",
        "0[]",
        "0\"a\"",
        "0null",
        "0{",
        "0{}x",
        "0{}{}",
        "1{}",
        "1[]",
        /* events */
        "2",
        "2{}",
        "2\"a\"",
        "2[]",
        "2[null]",
        "2[{}]",
        "2[[\"a\"]]",
        "2[true]",
        "2[{\"toString\":\"foo\"}]",
        "2[\"a\"",
        "2[\"a\"]]",
        "2[\"connect\"]",
        "2[\"connect_error\"]",
        "2[\"disconnect\"]",
        "2[\"disconnecting\"]",
        "2[\"newListener\"]",
        "2[\"removeListener\"]",
        "2[\"dis\\u0063onnect\"]",
        "299999999999999999999[\"a\"]",
        "2/custom[\"a\"]",
        "2 [\"a\"]x",
        /* acknowledgements */
        "3[]",
        "3",
        "31",
        "31{}",
        "3/custom,[]",
        /* a client sends no CONNECT_ERROR */
        "4",
        "4{}",
        "4\"a\"",
        /* attachments */
        "5",
        "5-[\"a\"]",
        "50-[\"a\"]",
        "5[\"a\"]",
        "51[\"a\"]",
        "5-1-[\"a\"]",
        "51.5-[\"a\"]",
        "599999999999999999999-[\"a\"]",
        "51-",
        "51-{}",
        "61-[]",
        "60-1[]",
        "51-[\"a\",{\"_placeholder\":true,\"num\":1}]",
        "51-[\"a\",{\"_placeholder\":true,\"num\":-1}]",
        "51-[\"a\",{\"_placeholder\":true,\"num\":0.5}]",
        "51-[\"a\",{\"_placeholder\":true,\"num\":\"splice\"}]",
        "51-[\"a\",{\"_placeholder\":true}]",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sio_incoming_t in;
        assert_int_equal(sio_decode(str_from(bad[i]), &limits, &in), ERR_INVALID);
    }
}

static void test_limits(void **state) {
    (void)state;
    sio_incoming_t in;
    assert_int_equal(sio_decode(STR("510-[\"a\"]"), &limits, &in), OK);
    assert_int_equal(sio_decode(STR("511-[\"a\"]"), &limits, &in), ERR_LIMIT);
    assert_int_equal(sio_decode(STR("54294967295-[\"a\"]"), &limits, &in), ERR_LIMIT);
    assert_int_equal(sio_decode(STR("2[\"a\",[[[[[[[0]]]]]]]]"), &limits, &in), OK);
    assert_int_equal(sio_decode(STR("2[\"a\",[[[[[[[[0]]]]]]]]]"), &limits, &in), ERR_LIMIT);
}

/* Quadratic work on long digits or names would not end within the test's time. */
static void test_long_fields(void **state) {
    (void)state;
    static const char heads[] = {'0', '2', '5'};
    static const char fills[] = {'1', '/', 'a', '-', '"'};
    enum { LENGTH = 4000000 };
    char *text = xmalloc(LENGTH);
    for (size_t i = 0; i < sizeof(heads); i++) {
        for (size_t k = 0; k < sizeof(fills); k++) {
            sio_incoming_t in;
            memset(text, fills[k], LENGTH);
            text[0] = heads[i];
            err_t err = sio_decode((str_t){text, LENGTH}, &limits, &in);
            assert_true(err != OK || (heads[i] == '0' && fills[k] == '/'));
        }
    }
    free(text);
}

static const char *encoded(const sio_outgoing_t *outgoing) {
    static const eio_handlers_t none = {0};
    eio_server_t *server =
        eio_server_create(&(eio_server_options_t){0}, &none, &recorder_transport);
    eio_session_t session = {.server = server, .ws = "w"};
    sio_packet_t *packet = sio_packet_encode(outgoing);
    sio_packet_t *other = sio_packet_ref(packet);
    sio_packet_send(packet, &session);
    sio_packet_unref(&packet);
    sio_packet_unref(&other);
    eio_session_flush(&session, 0);
    server->dirty = NULL;
    eio_server_destroy(&server);
    return recorder_take();
}

static void test_encodes(void **state) {
    (void)state;
    static const str_t buffers[] = {{"\1\2\3", 3}, {"", 0}};
    sio_attachments_t two = {buffers, 2};
    assert_string_equal(encoded(&(sio_outgoing_t){
                            .type = SIO_CONNECT, .nsp = STR("/"), .args = STR("{\"sid\":\"a\"}")}),
                        "w <- 40{\"sid\":\"a\"}\n");
    assert_string_equal(encoded(&(sio_outgoing_t){.type = SIO_DISCONNECT, .nsp = STR("/custom")}),
                        "w <- 41/custom,\n");
    assert_string_equal(encoded(&(sio_outgoing_t){.type = SIO_EVENT,
                                                  .nsp = STR("/"),
                                                  .has_name = true,
                                                  .name = STR("a\"b"),
                                                  .args = STR("1,{}")}),
                        "w <- 42[\"a\\\"b\",1,{}]\n");
    assert_string_equal(encoded(&(sio_outgoing_t){.type = SIO_EVENT,
                                                  .nsp = STR("/c"),
                                                  .has_id = true,
                                                  .id = 0,
                                                  .has_name = true,
                                                  .name = STR("a")}),
                        "w <- 42/c,0[\"a\"]\n");
    assert_string_equal(
        encoded(&(sio_outgoing_t){.type = SIO_ACK, .nsp = STR("/"), .has_id = true, .id = 12}),
        "w <- 4312[]\n");
    assert_string_equal(encoded(&(sio_outgoing_t){.type = SIO_ACK,
                                                  .nsp = STR("/c"),
                                                  .has_id = true,
                                                  .id = 1,
                                                  .args = STR("2"),
                                                  .attachments = two}),
                        "w <- 462-/c,1[2]\nw <- (3 bytes)\nw <- (0 bytes)\n");
    recorder_fini();
}

static void test_next_arg(void **state) {
    (void)state;
    static const char *const expected[] = {"{\"a\":[1,2]}", "\"x,y\"", "3"};
    str_t args = STR("{\"a\":[1,2]} , \"x,y\",3"), arg;
    for (size_t i = 0; i < 3; i++) {
        assert_true(sio_next_arg(&args, &arg));
        assert_true(str_eq(arg, str_from(expected[i])));
    }
    assert_false(sio_next_arg(&args, &arg));
    args = (str_t){0};
    assert_false(sio_next_arg(&args, &arg));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decodes), cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_long_fields),
        cmocka_unit_test(test_encodes), cmocka_unit_test(test_next_arg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
