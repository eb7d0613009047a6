#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/peers.h"

typedef struct {
    users_t *users;
    presence_t *presence;
    peer_t g1, g2;
    strbuf_t told;
    const peer_t *deaf; /* can't be told now */
} fixture_t;

static bool record(void *ctx, peer_t *watcher, const user_t *user, presence_state_t state) {
    fixture_t *self = ctx;
    if (watcher == self->deaf)
        return false;
    strbuf_printf(&self->told, "%s %.*s %s %lld\n", watcher == &self->g1 ? "g1" : "g2",
                  STR_ARG(user_id(user)), state.online ? "on" : "off",
                  (long long)state.last_seen_ms);
    return true;
}

static void init(fixture_t *self, size_t max_watches, size_t max_unwritten) {
    presence_limits_t limits = {.grace_ms = 3000,
                                .settle_ms = 5000,
                                .max_watches_per_gateway = max_watches,
                                .max_unwritten = max_unwritten};
    *self = (fixture_t){.users = users_new()};
    self->presence = presence_new(&limits, self->users, 0);
    presence_on_change(self->presence, record, self);
}

static void fini(fixture_t *self) {
    presence_unwatch_all(self->presence, &self->g1);
    presence_unwatch_all(self->presence, &self->g2);
    assert_int_equal(self->g1.watch_count, 0);
    presence_free(&self->presence);
    users_free(&self->users);
    strbuf_fini(&self->told);
}

static void expect(fixture_t *self, const char *told) {
    assert_string_equal(strbuf_cstr(&self->told), told);
    strbuf_clear(&self->told);
}

static void come(fixture_t *self, const char *name) {
    presence_socket_came(self->presence, users_hold(self->users, str_from(name)));
}

static void go(fixture_t *self, const char *name, int64_t now_ms) {
    user_t *user = users_find(self->users, str_from(name));
    presence_socket_went(self->presence, user, now_ms, now_ms + 1000000);
    users_release(self->users, user);
}

static presence_state_t watch(fixture_t *self, peer_t *peer, const char *name, int64_t now_ms) {
    presence_state_t state = {0};
    assert_int_equal(presence_watch(self->presence, peer, str_from(name), now_ms, &state), OK);
    return state;
}

static void take(void *ctx, str_t user, int64_t last_seen_ms) {
    fixture_t *self = ctx;
    strbuf_printf(&self->told, "%.*s=%lld ", STR_ARG(user), (long long)last_seen_ms);
}

static void every_watcher_is_told_once(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10);
    assert_false(watch(&f, &f.g1, "1", 9000).online);
    watch(&f, &f.g2, "1", 9000);
    watch(&f, &f.g2, "1", 9000);
    come(&f, "1");
    come(&f, "1");
    expect(&f, "g1 1 on 0\ng2 1 on 0\n");
    assert_int_equal(presence_online(f.presence), 1);
    assert_int_equal(presence_watches(f.presence), 2);
    go(&f, "1", 10000);
    go(&f, "1", 11000);
    presence_unwatch(f.presence, &f.g1, STR("1"));
    presence_tick(f.presence, 13999);
    expect(&f, "");
    assert_true(watch(&f, &f.g1, "1", 13999).online);
    presence_tick(f.presence, 14000);
    expect(&f, "g2 1 off 1011000\ng1 1 off 1011000\n");
    assert_int_equal(presence_online(f.presence), 0);
    fini(&f);
}

static void coming_back_in_the_grace_time_is_silent(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10);
    come(&f, "1");
    watch(&f, &f.g1, "1", 9000);
    for (int64_t at_ms = 10000; at_ms < 20000; at_ms += 2000) {
        go(&f, "1", at_ms);
        presence_tick(f.presence, at_ms + 1999);
        come(&f, "1");
    }
    presence_tick(f.presence, 99999);
    expect(&f, "");
    assert_int_equal(presence_unwritten(f.presence), 0);
    go(&f, "1", 100000);
    fini(&f);
}

static void times_last_seen_wait_in_order_within_a_bound(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 2);
    static const char *const names[] = {"1", "2", "3"};
    for (int64_t i = 0; i < 3; i++) {
        come(&f, names[i]);
        go(&f, names[i], 10000 + i);
        presence_tick(f.presence, 20000 + i);
    }
    assert_int_equal(presence_unwritten(f.presence), 2);
    assert_int_equal(presence_dropped(f.presence), 1);
    come(&f, "2");
    go(&f, "2", 30000);
    presence_tick(f.presence, 40000);
    assert_int_equal(presence_unwritten(f.presence), 2);
    presence_take_unwritten(f.presence, 1, take, &f);
    expect(&f, "3=1010002 ");
    presence_take_unwritten(f.presence, 9, take, &f);
    expect(&f, "2=1030000 ");
    assert_int_equal(users_count(f.users), 0);
    fini(&f);
}

static void watches_of_a_gateway_have_a_limit(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 1, 10);
    watch(&f, &f.g1, "1", 9000);
    presence_state_t ignored;
    assert_int_equal(presence_watch(f.presence, &f.g1, STR("2"), 9000, &ignored), ERR_LIMIT);
    watch(&f, &f.g1, "1", 9000);
    watch(&f, &f.g2, "2", 9000);
    presence_unwatch(f.presence, &f.g1, STR("2"));
    presence_unwatch(f.presence, &f.g1, STR("1"));
    watch(&f, &f.g1, "2", 9000);
    assert_int_equal(users_count(f.users), 1);
    fini(&f);
}

static void nothing_is_said_before_the_broker_has_settled(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10);
    assert_false(watch(&f, &f.g1, "1", 10).online);
    assert_false(watch(&f, &f.g1, "2", 10).online);
    come(&f, "1");
    go(&f, "1", 100);
    come(&f, "3");
    presence_tick(f.presence, 4999);
    expect(&f, "g1 1 on 0\n");
    presence_tick(f.presence, 5000);
    presence_take_unwritten(f.presence, 9, take, &f);
    assert_non_null(strstr(strbuf_cstr(&f.told), "g1 2 off 0\n"));
    assert_non_null(strstr(strbuf_cstr(&f.told), "g1 1 off 1000100\n"));
    assert_non_null(strstr(strbuf_cstr(&f.told), "\n1=1000100 "));
    strbuf_clear(&f.told);
    assert_false(watch(&f, &f.g2, "2", 5001).online);
    presence_tick(f.presence, 99999);
    expect(&f, "");
    go(&f, "3", 99999);
    fini(&f);
}

static void who_could_not_be_told_is_told_the_latest_later(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10, 10);
    presence_tick(f.presence, 5000);
    watch(&f, &f.g1, "1", 6000);
    watch(&f, &f.g1, "2", 6000);
    watch(&f, &f.g2, "1", 6000);
    f.deaf = &f.g1;
    come(&f, "1");
    come(&f, "2");
    expect(&f, "g2 1 on 0\n");
    assert_int_equal(presence_owed(f.presence), 2);
    presence_pay(f.presence, 100);
    expect(&f, "");
    go(&f, "1", 7000);
    presence_tick(f.presence, 10000);
    expect(&f, "g2 1 off 1007000\n");
    assert_int_equal(presence_owed(f.presence), 2); /* not three */
    f.deaf = NULL;
    presence_pay(f.presence, 1);
    assert_int_equal(presence_owed(f.presence), 1);
    presence_pay(f.presence, 100);
    assert_non_null(strstr(strbuf_cstr(&f.told), "g1 1 off 1007000\n"));
    assert_non_null(strstr(strbuf_cstr(&f.told), "g1 2 on 0\n"));
    assert_int_equal(presence_owed(f.presence), 0);
    f.deaf = &f.g1;
    go(&f, "2", 11000);
    presence_tick(f.presence, 20000);
    assert_int_equal(presence_owed(f.presence), 1);
    presence_unwatch(f.presence, &f.g1, STR("2")); /* nobody is left to be told */
    assert_int_equal(presence_owed(f.presence), 0);
    fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_watcher_is_told_once),
        cmocka_unit_test(coming_back_in_the_grace_time_is_silent),
        cmocka_unit_test(times_last_seen_wait_in_order_within_a_bound),
        cmocka_unit_test(watches_of_a_gateway_have_a_limit),
        cmocka_unit_test(nothing_is_said_before_the_broker_has_settled),
        cmocka_unit_test(who_could_not_be_told_is_told_the_latest_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
