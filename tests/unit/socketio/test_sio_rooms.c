/* sio_rooms: named sets of sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/socketio/sio_world.h"

static sio_world_t world;
static sio_socket_t *a, *b;

static sio_socket_t *join_new_client(const char *ws) {
    sio_world_open(&world, ws);
    sio_world_text(&world, "0");
    sio_world_turn(&world);
    sio_socket_t *last = sio_namespace_first(world.main);
    while (sio_socket_next(last))
        last = sio_socket_next(last);
    return last;
}

static int set_up(void **state) {
    static const sio_handlers_t none = {0};
    (void)state;
    world = sio_world_new(&(sio_options_t){0}, &none);
    a = join_new_client("wa");
    b = join_new_client("wb");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    sio_world_end(&world);
    return 0;
}

static const char *send_to(const char *room, const sio_socket_t *except) {
    sio_packet_t *packet = sio_packet_new(world.main, STR("x"), (str_t){0}, (sio_attachments_t){0});
    sio_room_send(world.main, str_from(room), packet, except);
    sio_packet_unref(&packet);
    return sio_world_turn(&world);
}

static void test_membership(void **state) {
    (void)state;
    sio_join(a, STR("r"));
    sio_join(a, STR("r"));
    sio_join(b, STR("r"));
    sio_join(b, STR(""));
    assert_int_equal(sio_room_size(world.main, STR("r")), 2);
    assert_int_equal(sio_room_size(world.main, STR("")), 1);
    assert_int_equal(sio_room_size(world.other, STR("r")), 0);
    assert_true(sio_in_room(a, STR("r")));
    assert_false(sio_in_room(a, STR("")));
    assert_string_equal(send_to("r", NULL), "wa <- 42[\"x\"]\nwb <- 42[\"x\"]\n");
    assert_string_equal(send_to("r", a), "wb <- 42[\"x\"]\n");
    assert_string_equal(send_to("none", NULL), "");
    sio_leave(a, STR("r"));
    sio_leave(a, STR("r"));
    sio_leave(a, STR("none"));
    assert_string_equal(send_to("r", NULL), "wb <- 42[\"x\"]\n");
}

static void test_closing_leaves_all_rooms(void **state) {
    (void)state;
    sio_join(a, STR("r"));
    sio_join(a, STR("s"));
    sio_join(b, STR("s"));
    sio_close(a, EIO_CLOSE_SERVER);
    sio_join(a, STR("t"));
    sio_world_turn(&world);
    assert_int_equal(sio_room_size(world.main, STR("r")), 0);
    assert_int_equal(sio_room_size(world.main, STR("s")), 1);
    assert_int_equal(sio_room_size(world.main, STR("t")), 0);
}

static void test_many_rooms(void **state) {
    (void)state;
    char name[32];
    for (int i = 0; i < 5000; i++) {
        int n = snprintf(name, sizeof(name), "room-%d", i);
        sio_join(i % 2 ? a : b, (str_t){name, (size_t)n});
    }
    for (int i = 0; i < 5000; i++) {
        int n = snprintf(name, sizeof(name), "room-%d", i);
        assert_true(sio_in_room(i % 2 ? a : b, (str_t){name, (size_t)n}));
        assert_false(sio_in_room(i % 2 ? b : a, (str_t){name, (size_t)n}));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_membership),
        TEST(test_closing_leaves_all_rooms),
        TEST(test_many_rooms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
