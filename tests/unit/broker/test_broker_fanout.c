#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/fanout.h"
#include "broker/peers.h"

typedef struct {
    const peer_t *peers[4];
    uint64_t sessions[4];
    size_t n;
    const peer_t *left_out;
} record_t;

static bool record(void *ctx, peer_t *peer, const envelope_t *envelope) {
    record_t *self = ctx;
    if (peer == self->left_out)
        return false;
    assert_true(self->n < 4);
    self->peers[self->n] = peer;
    self->sessions[self->n++] = envelope->session;
    return true;
}

static void each_gateway_gets_one_and_only_the_causes_names_its_session(void **state) {
    (void)state;
    rooms_limits_t limits = {.max_rooms = 9, .max_memberships_per_gateway = 9};
    users_t *users = users_new();
    rooms_t *rooms = rooms_new(&limits, users);
    peer_t gateways[3] = {0};
    for (size_t i = 0; i < 6; i++) {
        rooms_join_t join = {.room = STR("conv_1_2"), .user = STR("1"), .session = i + 1};
        membership_t *membership;
        bool created;
        assert_int_equal(rooms_join(rooms, &gateways[i % 2], &join, &membership, &created), OK);
    }
    record_t sent = {0};
    fanout_sink_t sink = {.send = record, .ctx = &sent};
    room_t *room = rooms_find(rooms, STR("conv_1_2"));
    envelope_t event = {.type = 70, .session = 99};
    fanout_cause_t cause = {.peer = &gateways[1], .session = 4};
    assert_int_equal(fanout_room(&sink, room, &event, &cause), 2);
    assert_ptr_equal(sent.peers[0], &gateways[0]);
    assert_ptr_equal(sent.peers[1], &gateways[1]);
    assert_int_equal(sent.sessions[0], 0);
    assert_int_equal(sent.sessions[1], 4);
    assert_int_equal(fanout_room(&sink, room, &event, NULL), 2);
    assert_int_equal(sent.sessions[2], 0);
    assert_int_equal(sent.sessions[3], 0);
    sent.left_out = &gateways[0];
    sent.n = 0;
    assert_int_equal(fanout_room(&sink, room, &event, NULL), 1);
    for (size_t i = 0; i < 2; i++) {
        while (gateways[i].rooms)
            rooms_leave(rooms, gateways[i].rooms->members);
    }
    rooms_free(&rooms);
    users_free(&users);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gateway_gets_one_and_only_the_causes_names_its_session)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
