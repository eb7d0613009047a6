/* What bounds a link: bytes that the other side hasn't read, requests that wait for answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/link_dialer.h"

static void test_what_is_told_counts_as_read(void **state) {
    (void)state;
    link_flow_t flow = {.sent = 100};
    link_flow_told(&flow, 40);
    assert_int_equal(link_flow_unread(&flow), 60);
}

static void test_a_count_that_cannot_be_is_ignored(void **state) {
    (void)state;
    link_flow_t flow = {.sent = 100, .sent_read = 40};
    link_flow_told(&flow, 101);
    link_flow_told(&flow, UINT64_MAX);
    link_flow_told(&flow, 39);
    assert_int_equal(link_flow_unread(&flow), 60);
}

static void test_much_that_was_read_is_told_at_once(void **state) {
    (void)state;
    link_flow_t flow = {0};
    assert_false(link_flow_read(&flow, LINK_TELL_BYTES - 1));
    assert_true(link_flow_read(&flow, 1));
    flow.read_told = flow.read;
    assert_false(link_flow_read(&flow, 1));
}

static void test_behind_is_more_than_its_bound(void **state) {
    (void)state;
    link_flow_t flow = {.sent = LINK_BEHIND_BYTES};
    assert_false(link_flow_is_behind(&flow));
    flow.sent++;
    assert_true(link_flow_is_behind(&flow));
}

/* ---- requests without an answer ---- */

static bool transmit(void *ctx, str_t frame) {
    (void)ctx, (void)frame;
    return false;
}

static void on_reply(void *arg, err_t err, const envelope_t *reply) {
    (void)arg, (void)err, (void)reply;
}

/* How many requests it takes until it refuses one, and how many until it was crowded. */
static size_t fill(const dialer_config_t *config, size_t *crowded_at_out) {
    static const dialer_ops_t ops = {.transmit = transmit};
    envelope_t envelope = {.type = MSG_TYPING, .room = STR("conv_1_2"), .body = STR("\x80")};
    link_request_t request = {.envelope = &envelope, .timeout_ms = 1000, .on_reply = on_reply};
    dialer_t *dialer = dialer_new(config, &ops, NULL);
    *crowded_at_out = 0;
    while (dialer_request(dialer, &request, 1)) {
        if (!*crowded_at_out && dialer_is_crowded(dialer))
            *crowded_at_out = dialer_pending(dialer);
    }
    size_t taken = dialer_pending(dialer);
    assert_true(dialer_pending_bytes(dialer) <= config->max_pending_bytes);
    dialer_free(&dialer);
    return taken;
}

static void test_requests_are_bounded_in_number(void **state) {
    (void)state;
    dialer_config_t config = {
        .name = "g", .incarnation = 1, .max_pending_bytes = 1 << 20, .max_pending = 10};
    size_t crowded_at;
    assert_int_equal(fill(&config, &crowded_at), 10);
    assert_int_equal(crowded_at, 6);
}

static void test_requests_are_bounded_in_bytes(void **state) {
    (void)state;
    dialer_config_t config = {.name = "g", .incarnation = 1, .max_pending_bytes = 100000};
    size_t crowded_at;
    size_t taken = fill(&config, &crowded_at);
    /* what keeping one costs is counted, too, and is more than the frame */
    assert_in_range(taken, 100000 / 600, 100000 / 150);
    assert_in_range(crowded_at, taken / 2, taken / 2 + 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_told_counts_as_read),
        cmocka_unit_test(test_a_count_that_cannot_be_is_ignored),
        cmocka_unit_test(test_much_that_was_read_is_told_at_once),
        cmocka_unit_test(test_behind_is_more_than_its_bound),
        cmocka_unit_test(test_requests_are_bounded_in_number),
        cmocka_unit_test(test_requests_are_bounded_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
