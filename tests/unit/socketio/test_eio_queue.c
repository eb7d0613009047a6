/* eio_queue: packets in order, no memory when empty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/socketio/eio_queue.h"

static void push_number(eio_queue_t *queue, uint64_t number) {
    strbuf_t text = {0};
    strbuf_append_u64(&text, number);
    eio_packet_t *packet = eio_packet_text(strbuf_str(&text));
    eio_queue_push(queue, packet);
    eio_packet_unref(&packet);
    strbuf_fini(&text);
}

static void pop_number(eio_queue_t *queue, uint64_t expected) {
    uint64_t number;
    str_t frame = eio_packet_frame(eio_queue_first(queue));
    assert_int_equal(str_to_u64(str_from_offset(frame, 3), UINT64_MAX, &number), OK);
    assert_int_equal(number, expected);
    eio_queue_pop(queue);
}

static void test_keeps_order_while_it_grows_and_wraps(void **state) {
    (void)state;
    eio_queue_t queue = {0};
    uint64_t in = 0, out = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 7; i++)
            push_number(&queue, in++);
        for (int i = 0; i < 5; i++)
            pop_number(&queue, out++);
        assert_int_equal(queue.n, in - out);
    }
    while (out < in)
        pop_number(&queue, out++);
    assert_null(queue.ring);
    assert_int_equal(queue.cost, 0);
}

static void test_counts_what_waits(void **state) {
    (void)state;
    eio_queue_t queue = {0};
    eio_packet_t *packet = eio_packet_text(STR("hello"));
    eio_queue_push(&queue, packet);
    eio_queue_push(&queue, packet);
    assert_int_equal(queue.cost, 2 * eio_packet_cost(packet));
    assert_true(eio_packet_cost(packet) > eio_packet_size(packet));
    eio_queue_pop(&queue);
    assert_int_equal(queue.cost, eio_packet_cost(packet));
    eio_queue_pop(&queue);
    eio_packet_unref(&packet);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_order_while_it_grows_and_wraps),
        cmocka_unit_test(test_counts_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
