#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/user_events.h"

enum { SETTLE_MS = 5000, KEEP_MS = 60000, SETTLED = SETTLE_MS };

typedef struct {
    users_t *users;
    rooms_t *rooms;
    user_events_t *events;
    peer_t g1, g2, w1, w2;
    strbuf_t record;
} fixture_t;

static const char *name_of(const fixture_t *self, const peer_t *peer) {
    return peer == &self->g1 ? "g1" : peer == &self->g2 ? "g2" : peer == &self->w1 ? "w1" : "w2";
}

static void on_send(void *ctx, peer_t *gateway, const envelope_t *event) {
    fixture_t *self = ctx;
    strbuf_printf(&self->record, "%s %.*s id=%d\n", name_of(self, gateway), STR_ARG(event->body),
                  (int)event->request_id);
}

static void on_done(void *ctx, peer_t *worker, const envelope_t *event) {
    fixture_t *self = ctx;
    strbuf_printf(&self->record, "%s done %.*s id=%d\n", name_of(self, worker),
                  STR_ARG(event->body), (int)event->request_id);
}

static const user_events_ops_t ops = {.send = on_send, .done = on_done};

static void init(fixture_t *self, size_t max_events, size_t max_bytes) {
    rooms_limits_t rooms = {.max_rooms = 100, .max_memberships_per_gateway = 100};
    user_events_limits_t limits = {.max_events = max_events,
                                   .max_bytes = max_bytes,
                                   .settle_ms = SETTLE_MS,
                                   .keep_ms = KEEP_MS};
    *self = (fixture_t){.g1 = {.role = ROLE_GATEWAY},
                        .g2 = {.role = ROLE_GATEWAY},
                        .w1 = {.role = ROLE_PERSIST},
                        .w2 = {.role = ROLE_PERSIST}};
    self->users = users_new();
    self->rooms = rooms_new(&rooms, self->users);
    self->events = user_events_new(&limits, &ops, self, 0);
}

static void leave_all(fixture_t *self, peer_t *gateway) {
    while (gateway->rooms)
        rooms_leave(self->rooms, gateway->rooms->members);
}

static void fini(fixture_t *self) {
    leave_all(self, &self->g1);
    leave_all(self, &self->g2);
    user_events_free(&self->events);
    rooms_free(&self->rooms);
    users_free(&self->users);
    strbuf_fini(&self->record);
}

static void expect(fixture_t *self, const char *text) {
    assert_string_equal(strbuf_cstr(&self->record), text);
    strbuf_clear(&self->record);
}

/* A socket of user 1. */
static void connect_at(fixture_t *self, peer_t *gateway) {
    rooms_join_t who = {.room = STR("user_1"), .user = STR("1"), .session = 7};
    membership_t *membership;
    bool created;
    assert_int_equal(rooms_join(self->rooms, gateway, &who, &membership, &created), OK);
}

static void add(fixture_t *self, peer_t *worker, const char *body, uint64_t id, int64_t now_ms) {
    envelope_t event = {
        .type = MSG_USER_EVENT, .request_id = id, .room = STR("user_1"), .body = str_from(body)};
    user_events_add(self->events, worker, &event, rooms_find(self->rooms, event.room), now_ms);
}

static void the_worker_is_answered_when_all_gateways_have_confirmed(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10000);
    connect_at(&f, &f.g1);
    connect_at(&f, &f.g2);
    add(&f, &f.w1, "added", 31, SETTLED);
    expect(&f, "g1 added id=1\ng2 added id=1\n");
    user_events_confirmed(f.events, &f.g1, 1, SETTLED);
    user_events_confirmed(f.events, &f.g1, 1, SETTLED);
    user_events_confirmed(f.events, &f.g2, 99, SETTLED);
    expect(&f, "");
    assert_int_equal(user_events_unanswered(f.events), 1);
    user_events_confirmed(f.events, &f.g2, 1, SETTLED);
    expect(&f, "w1 done added id=31\n");
    assert_int_equal(user_events_unanswered(f.events), 0);
    fini(&f);
}

static void who_is_nowhere_needs_no_gateway(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10000);
    add(&f, &f.w1, "added", 31, SETTLED);
    expect(&f, "w1 done added id=31\n");
    fini(&f);
}

/* Its gateways haven't said yet what sockets they have. */
static void at_first_events_wait_for_those_who_rejoin(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10000);
    add(&f, &f.w1, "added", 31, 10);
    add(&f, &f.w1, "removed", 32, 20);
    expect(&f, "");
    user_events_rejoined(f.events, &f.g2, STR("user_2"));
    expect(&f, "");
    user_events_rejoined(f.events, &f.g1, STR("user_1"));
    expect(&f, "g1 added id=1\ng1 removed id=2\n");
    user_events_confirmed(f.events, &f.g1, 1, 30);
    user_events_tick(f.events, SETTLED - 1);
    expect(&f, "");
    user_events_tick(f.events, SETTLED);
    expect(&f, "w1 done added id=31\n");
    user_events_confirmed(f.events, &f.g1, 2, SETTLED + 10);
    expect(&f, "w1 done removed id=32\n");
    fini(&f);
}

static void a_gateway_that_was_lost_is_waited_for_again(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10000);
    connect_at(&f, &f.g1);
    add(&f, &f.w1, "added", 31, 10000);
    expect(&f, "g1 added id=1\n");
    leave_all(&f, &f.g1);
    user_events_peer_down(f.events, &f.g1, 11000);
    add(&f, &f.w1, "removed", 32, 12000);
    user_events_tick(f.events, 15999);
    expect(&f, "");
    user_events_rejoined(f.events, &f.g1, STR("user_1"));
    expect(&f, "g1 added id=1\ng1 removed id=2\n");
    user_events_tick(f.events, 16000); /* it hasn't confirmed */
    expect(&f, "");
    user_events_peer_down(f.events, &f.g1, 17000);
    user_events_tick(f.events, 22000);
    expect(&f, "w1 done added id=31\nw1 done removed id=32\n");
    fini(&f);
}

static void a_worker_that_goes_is_not_answered(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10000);
    add(&f, &f.w1, "added", 31, 10);
    user_events_peer_down(f.events, &f.w1, 20);
    add(&f, &f.w1, "added", 31, 30);     /* it is back and repeats */
    user_events_tick(f.events, SETTLED); /* its end is no gateway's */
    expect(&f, "w1 done added id=31\n");
    fini(&f);
}

static void answered_events_are_told_to_those_who_come_back_late(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10000);
    add(&f, &f.w1, "added", 31, 10000);
    expect(&f, "w1 done added id=31\n");
    user_events_tick(f.events, 10000 + KEEP_MS - 1);
    user_events_rejoined(f.events, &f.g1, STR("user_1"));
    expect(&f, "g1 added id=1\n");
    user_events_confirmed(f.events, &f.g1, 1, 10000 + KEEP_MS - 1);
    expect(&f, "");
    user_events_tick(f.events, 10000 + KEEP_MS);
    user_events_rejoined(f.events, &f.g1, STR("user_1"));
    expect(&f, "");
    assert_int_equal(user_events_count(f.events), 0);
    fini(&f);
}

static void over_the_limits_answered_ones_go_first(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 2, 10000);
    connect_at(&f, &f.g1);
    add(&f, &f.w1, "a", 31, SETTLED);
    add(&f, &f.w1, "b", 32, SETTLED);
    user_events_confirmed(f.events, &f.g1, 2, SETTLED);
    expect(&f, "g1 a id=1\ng1 b id=2\nw1 done b id=32\n");
    add(&f, &f.w1, "c", 33, SETTLED);
    expect(&f, "g1 c id=3\n");
    assert_int_equal(user_events_unkept(f.events), 0);
    add(&f, &f.w2, "d", 34, SETTLED);
    expect(&f, "g1 d id=0\nw2 done d id=34\n");
    assert_int_equal(user_events_unkept(f.events), 1);
    user_events_rejoined(f.events, &f.g1, STR("user_1"));
    expect(&f, "g1 a id=1\ng1 c id=3\n");
    fini(&f);
}

static void bytes_are_limited_too(void **state) {
    (void)state;
    fixture_t f;
    char large[600];
    init(&f, 10, 1000);
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    add(&f, &f.w1, large, 31, 0);
    size_t bytes = user_events_bytes(f.events);
    assert_in_range(bytes, 600, 1000);
    add(&f, &f.w1, large, 32, 0);
    assert_int_equal(user_events_bytes(f.events), bytes);
    assert_int_equal(user_events_unkept(f.events), 1);
    user_events_tick(f.events, SETTLED);
    add(&f, &f.w1, large, 33, SETTLED);
    assert_int_equal(user_events_bytes(f.events), bytes);
    assert_int_equal(user_events_unkept(f.events), 1);
    fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worker_is_answered_when_all_gateways_have_confirmed),
        cmocka_unit_test(who_is_nowhere_needs_no_gateway),
        cmocka_unit_test(at_first_events_wait_for_those_who_rejoin),
        cmocka_unit_test(a_gateway_that_was_lost_is_waited_for_again),
        cmocka_unit_test(a_worker_that_goes_is_not_answered),
        cmocka_unit_test(answered_events_are_told_to_those_who_come_back_late),
        cmocka_unit_test(over_the_limits_answered_ones_go_first),
        cmocka_unit_test(bytes_are_limited_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
