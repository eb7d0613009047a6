/* read_queue: order, bounds, deadlines, retries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "job_maker.h"
#include "persist-worker/read_queue.h"

static job_t *add(read_queue_t *queue, const char *room) {
    job_t *job = make_job(MSG_JOIN, room, 0, 10);
    assert_int_equal(read_queue_add(queue, job), OK);
    return job;
}

static void test_order_and_bounds(void **state) {
    (void)state;
    read_queue_t *queue = read_queue_new(2, 100000);
    job_t *a = add(queue, "a"), *b = add(queue, "b"), *c = make_job(MSG_JOIN, "c", 0, 10);
    assert_int_equal(read_queue_add(queue, c), ERR_LIMIT);
    job_free(&c);
    assert_int_equal(read_queue_count(queue), 2);
    assert_ptr_equal(read_queue_take(queue, 0), a);
    read_queue_put_back(queue, a);
    assert_ptr_equal(read_queue_take(queue, 0), a);
    assert_ptr_equal(read_queue_take(queue, 0), b);
    assert_null(read_queue_take(queue, 0));
    assert_int_equal(read_queue_bytes(queue), 0);
    job_free(&a);
    job_free(&b);
    read_queue_free(&queue);
    queue = read_queue_new(10, 100);
    job_t *big = make_job(MSG_JOIN, "c", 0, 1000);
    assert_int_equal(read_queue_add(queue, big), ERR_LIMIT);
    job_free(&big);
    read_queue_free(&queue);
}

static void test_deadlines_and_retries(void **state) {
    (void)state;
    read_queue_t *queue = read_queue_new(10, 100000);
    job_t *a = add(queue, "a"), *b = add(queue, "b");
    assert_int_equal(read_queue_next_ms(queue), 1000);
    assert_ptr_equal(read_queue_take(queue, 0), a);
    read_queue_retry(queue, a, 100);
    assert_int_equal(read_queue_next_ms(queue), 100);
    assert_ptr_equal(read_queue_take(queue, 99), b);
    assert_null(read_queue_take(queue, 99));
    assert_ptr_equal(read_queue_take(queue, 100), a);
    read_queue_retry(queue, a, 5000);
    assert_null(read_queue_expire(queue, 999));
    assert_ptr_equal(read_queue_expire(queue, 1000), a);
    assert_int_equal(read_queue_next_ms(queue), INT64_MAX);
    job_free(&a);
    job_free(&b);
    read_queue_free(&queue);
}

static void test_drop_and_free(void **state) {
    (void)state;
    read_queue_t *queue = read_queue_new(10, 100000);
    job_t *a = add(queue, "a"), *b = add(queue, "b"), *c = add(queue, "c");
    b->broker = 1;
    assert_ptr_equal(read_queue_take(queue, 0), a);
    read_queue_retry(queue, a, 100);
    assert_ptr_equal(read_queue_drop(queue, 0), c);
    assert_ptr_equal(read_queue_drop(queue, 0), a);
    assert_null(read_queue_drop(queue, 0));
    job_free(&a);
    job_free(&c);
    read_queue_retry(queue, read_queue_take(queue, 0), 100);
    add(queue, "d");
    read_queue_free(&queue);
    assert_null(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_bounds),
        cmocka_unit_test(test_deadlines_and_retries),
        cmocka_unit_test(test_drop_and_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
