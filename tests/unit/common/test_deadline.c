/* deadline: checked against a plain array over a long random run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/deadline.h"
#include "common/err.h"

#define NODES 200

typedef struct {
    int id;
    deadline_t deadline;
} timed_t;

static void test_order(void **state) {
    (void)state;
    deadline_heap_t heap = {0};
    timed_t a = {.id = 1}, b = {.id = 2}, c = {.id = 3};
    assert_int_equal(deadline_next(&heap), INT64_MAX);
    assert_null(deadline_pop_due(&heap, INT64_MAX));
    deadline_add(&heap, &a.deadline, 30);
    deadline_add(&heap, &b.deadline, 10);
    deadline_add(&heap, &c.deadline, 20);
    assert_int_equal(deadline_next(&heap), 10);
    assert_null(deadline_pop_due(&heap, 9));
    deadline_t *due = deadline_pop_due(&heap, 10);
    assert_int_equal(DEADLINE_OWNER(due, timed_t, deadline)->id, 2);
    assert_false(deadline_is_set(&b.deadline));
    deadline_add(&heap, &c.deadline, 40);
    assert_ptr_equal(deadline_pop_due(&heap, 100), &a.deadline);
    assert_ptr_equal(deadline_pop_due(&heap, 100), &c.deadline);
    assert_null(deadline_pop_due(&heap, 100));
    deadline_remove(&heap, &c.deadline);
    deadline_heap_fini(&heap);
}

static void test_fini_releases_nodes(void **state) {
    (void)state;
    deadline_heap_t heap = {0};
    deadline_t node = {0};
    deadline_add(&heap, &node, -5);
    deadline_heap_fini(&heap);
    assert_false(deadline_is_set(&node));
    deadline_add(&heap, &node, 7);
    assert_int_equal(deadline_next(&heap), 7);
    deadline_remove(&heap, &node);
    deadline_heap_fini(&heap);
}

static int64_t earliest(const deadline_t *nodes) {
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < NODES; i++) {
        if (deadline_is_set(&nodes[i]) && nodes[i].at_ms < least)
            least = nodes[i].at_ms;
    }
    return least;
}

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void test_against_array(void **state) {
    (void)state;
    static deadline_t nodes[NODES];
    deadline_heap_t heap = {0};
    uint32_t seed = 1;
    for (int step = 0; step < 20000; step++) {
        deadline_t *node = &nodes[next_random(&seed) % NODES];
        int64_t at_ms = (int64_t)(next_random(&seed) % 500);
        switch (next_random(&seed) % 4) {
        case 0:
            deadline_remove(&heap, node);
            break;
        case 1: {
            int64_t least = earliest(nodes);
            deadline_t *due = deadline_pop_due(&heap, at_ms);
            assert_int_equal(due != NULL, least <= at_ms);
            assert_true(!due || (due->at_ms == least && !deadline_is_set(due)));
            break;
        }
        default:
            deadline_add(&heap, node, at_ms);
        }
        assert_int_equal(deadline_next(&heap), earliest(nodes));
    }
    deadline_heap_fini(&heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_fini_releases_nodes),
        cmocka_unit_test(test_against_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
