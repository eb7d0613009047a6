#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/envelope_copy.h"
#include "broker/rights.h"

#define ROOM "group_01890000-0000-7000-8000-000000000001"
#define OTHER "group_01890000-0000-7000-8000-000000000002"

typedef struct {
    rights_t *rights;
    strbuf_t record; /* "load …" and "<request id> <decision>" lines */
    bool refuse_loads;
} fixture_t;

static bool load(void *ctx, str_t room, int64_t now_ms) {
    (void)now_ms;
    fixture_t *self = ctx;
    if (self->refuse_loads)
        return false;
    strbuf_printf(&self->record, "load %c\n", room.p[room.n - 1]);
    return true;
}

static void decided(void *ctx, peer_t *peer, const envelope_t *request, rights_decision_t decision,
                    int64_t now_ms) {
    (void)peer;
    (void)now_ms;
    static const char *const names[] = {"allowed", "forbidden", "not", "gone"};
    fixture_t *self = ctx;
    strbuf_printf(&self->record, "%llu %s\n", (unsigned long long)request->request_id,
                  names[decision]);
}

static const rights_ops_t ops = {.load = load, .decided = decided};

static void init(fixture_t *self, size_t cache_bytes, size_t waiting, size_t waiting_bytes) {
    rights_limits_t limits = {.max_cache_bytes = cache_bytes,
                              .max_waiting_per_room = waiting,
                              .max_waiting_bytes = waiting_bytes};
    *self = (fixture_t){0};
    self->rights = rights_new(&limits, &ops, self);
}

static void fini(fixture_t *self) {
    assert_string_equal(strbuf_cstr(&self->record), "");
    rights_free(&self->rights);
    strbuf_fini(&self->record);
}

static void expect(fixture_t *self, const char *lines) {
    assert_string_equal(strbuf_cstr(&self->record), lines);
    strbuf_clear(&self->record);
}

static err_t wait_for(fixture_t *self, const char *room, const char *user, uint64_t id,
                      bool fresh) {
    envelope_t request = {.room = str_from(room), .user = str_from(user), .request_id = id};
    return rights_wait(self->rights, (peer_t *)self, &request, fresh, 0);
}

static void loaded(fixture_t *self, const char *room, uint64_t version, const char *members) {
    str_t ids[16];
    size_t n = 0;
    for (const char *p = members; *p; p++)
        ids[n++] = (str_t){p, 1};
    rights_loaded(self->rights, str_from(room), &(rights_list_t){version, ids, n}, 0);
}

static void changed(fixture_t *self, uint64_t version, const char *added, const char *removed) {
    str_t in = {added, strlen(added)}, out = {removed, strlen(removed)};
    rights_change_t change = {.version = version,
                              .added = &in,
                              .added_n = in.n > 0,
                              .removed = &out,
                              .removed_n = out.n > 0};
    rights_changed(self->rights, STR(ROOM), &change);
}

static rights_answer_t check(fixture_t *self, const char *user) {
    return rights_check(self->rights, STR(ROOM), str_from(user));
}

static void direct_conversations_need_no_load(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10000, 10, 10000);
    assert_int_equal(rights_check(f.rights, STR("conv_1_2"), STR("1")), RIGHTS_ALLOWED);
    assert_int_equal(rights_check(f.rights, STR("conv_1_2"), STR("2")), RIGHTS_ALLOWED);
    assert_int_equal(rights_check(f.rights, STR("conv_1_2"), STR("3")), RIGHTS_FORBIDDEN);
    assert_int_equal(rights_check(f.rights, STR("conv_1_2"), STR("")), RIGHTS_FORBIDDEN);
    assert_int_equal(rights_check(f.rights, STR("conv_2_1"), STR("1")), RIGHTS_INVALID);
    assert_int_equal(rights_check(f.rights, STR("user_1"), STR("1")), RIGHTS_INVALID);
    assert_int_equal(rights_check(f.rights, STR(""), STR("1")), RIGHTS_INVALID);
    fini(&f);
}

static void one_load_serves_all_that_wait(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10000, 10, 10000);
    assert_int_equal(check(&f, "1"), RIGHTS_WAIT);
    for (uint64_t id = 1; id <= 3; id++)
        assert_int_equal(wait_for(&f, ROOM, "1", id, false), OK);
    assert_int_equal(rights_waiting(f.rights), 3);
    loaded(&f, ROOM, 5, "12");
    expect(&f, "load 1\n1 allowed\n2 allowed\n3 allowed\n");
    assert_int_equal(rights_waiting_bytes(f.rights), 0);
    assert_int_equal(check(&f, "2"), RIGHTS_ALLOWED);
    assert_int_equal(check(&f, "3"), RIGHTS_WAIT);
    fini(&f);
}

static void no_counts_only_from_a_later_load(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10000, 10, 10000);
    assert_int_equal(wait_for(&f, ROOM, "3", 1, false), OK);
    assert_int_equal(wait_for(&f, ROOM, "4", 2, false), OK);
    loaded(&f, ROOM, 5, "1");
    expect(&f, "load 1\n1 forbidden\nload 1\n");
    loaded(&f, ROOM, 6, "14");
    expect(&f, "2 allowed\n");
    fini(&f);
}

static void changes_move_the_cache_forward_only(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10000, 10, 10000);
    changed(&f, 4, "", "1");
    assert_int_equal(wait_for(&f, ROOM, "1", 1, false), OK);
    loaded(&f, ROOM, 5, "12");
    expect(&f, "load 1\n1 allowed\n");
    changed(&f, 5, "", "1");
    changed(&f, 4, "", "1");
    assert_int_equal(check(&f, "1"), RIGHTS_ALLOWED);
    changed(&f, 6, "3", "1");
    assert_int_equal(check(&f, "1"), RIGHTS_WAIT);
    assert_int_equal(check(&f, "3"), RIGHTS_ALLOWED);
    changed(&f, 8, "1", "");
    assert_int_equal(rights_groups(f.rights), 0);
    assert_int_equal(rights_cache_bytes(f.rights), 0);
    fini(&f);
}

static void older_load_does_not_replace_a_newer_list(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10000, 10, 10000);
    assert_int_equal(wait_for(&f, ROOM, "1", 1, false), OK);
    loaded(&f, ROOM, 5, "12");
    assert_int_equal(wait_for(&f, ROOM, "", 2, true), OK);
    loaded(&f, ROOM, 4, "123");
    expect(&f, "load 1\n1 allowed\nload 1\n2 allowed\n");
    assert_int_equal(check(&f, "3"), RIGHTS_WAIT);
    fini(&f);
}

static void load_before_a_change_is_thrown_away(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10000, 10, 10000);
    assert_int_equal(wait_for(&f, ROOM, "1", 1, false), OK);
    changed(&f, 6, "", "1");
    loaded(&f, ROOM, 5, "12");
    expect(&f, "load 1\nload 1\n");
    loaded(&f, ROOM, 6, "2");
    expect(&f, "1 forbidden\n");
    assert_int_equal(wait_for(&f, ROOM, "", 2, true), OK);
    changed(&f, 9, "", "2");
    assert_int_equal(check(&f, "2"), RIGHTS_WAIT);
    loaded(&f, ROOM, 9, "3");
    expect(&f, "load 1\nload 1\n");
    loaded(&f, ROOM, 9, "3");
    expect(&f, "2 allowed\n");
    fini(&f);
}

static void fresh_wants_a_load_that_was_asked_for_later(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10000, 10, 10000);
    assert_int_equal(wait_for(&f, ROOM, "1", 1, false), OK);
    assert_int_equal(wait_for(&f, ROOM, "", 2, true), OK);
    assert_int_equal(wait_for(&f, ROOM, "", 3, true), OK);
    assert_true(rights_cached(f.rights, STR(ROOM), STR("9"), true));
    loaded(&f, ROOM, 5, "1");
    expect(&f, "load 1\n1 allowed\nload 1\n");
    assert_false(rights_cached(f.rights, STR(ROOM), STR("9"), true));
    loaded(&f, ROOM, 5, "1");
    expect(&f, "2 allowed\n3 allowed\n");
    fini(&f);
}

static void unknown_group_is_not_kept(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10000, 10, 10000);
    assert_int_equal(wait_for(&f, ROOM, "1", 1, false), OK);
    assert_int_equal(wait_for(&f, ROOM, "1", 2, false), OK);
    loaded(&f, ROOM, 0, "");
    expect(&f, "load 1\n1 forbidden\nload 1\n");
    changed(&f, 1, "5", "");
    loaded(&f, ROOM, 0, "");
    expect(&f, "load 1\n");
    loaded(&f, ROOM, 1, "15");
    expect(&f, "2 allowed\n");
    fini(&f);
}

static void failed_load_decides_nothing(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10000, 10, 10000);
    assert_int_equal(wait_for(&f, ROOM, "1", 1, false), OK);
    assert_int_equal(wait_for(&f, ROOM, "", 2, true), OK);
    rights_load_failed(f.rights, STR(ROOM), 0);
    expect(&f, "load 1\n1 not\n2 not\n");
    assert_int_equal(rights_groups(f.rights), 0);
    rights_load_failed(f.rights, STR(ROOM), 0);
    loaded(&f, ROOM, 1, "1");
    f.refuse_loads = true;
    assert_int_equal(wait_for(&f, ROOM, "1", 3, false), ERR_UNAVAILABLE);
    assert_int_equal(rights_groups(f.rights), 0);
    f.refuse_loads = false;
    assert_int_equal(wait_for(&f, ROOM, "1", 4, false), OK);
    assert_int_equal(wait_for(&f, ROOM, "", 5, true), OK);
    f.refuse_loads = true;
    loaded(&f, ROOM, 1, "1");
    expect(&f, "load 1\n4 allowed\n5 not\n");
    fini(&f);
}

static void lost_peer_is_not_waited_for(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10000, 10, 10000);
    assert_int_equal(wait_for(&f, ROOM, "1", 1, false), OK);
    rights_peer_down(f.rights, (peer_t *)&f.record, 0);
    expect(&f, "load 1\n");
    rights_peer_down(f.rights, (peer_t *)&f, 0);
    expect(&f, "1 gone\n");
    loaded(&f, ROOM, 1, "1");
    assert_int_equal(check(&f, "1"), RIGHTS_ALLOWED);
    fini(&f);
}

static void waiting_has_limits(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10000, 2, 10000);
    assert_int_equal(wait_for(&f, ROOM, "1", 1, false), OK);
    size_t one = rights_waiting_bytes(f.rights);
    rights_peer_down(f.rights, (peer_t *)&f, 0);
    expect(&f, "load 1\n1 gone\n");
    rights_free(&f.rights);
    strbuf_fini(&f.record);
    init(&f, 10000, 2, 3 * one);
    assert_int_equal(wait_for(&f, ROOM, "1", 1, false), OK);
    assert_int_equal(wait_for(&f, ROOM, "1", 2, false), OK);
    assert_int_equal(wait_for(&f, ROOM, "1", 3, false), ERR_LIMIT);
    assert_int_equal(wait_for(&f, OTHER, "1", 4, false), OK);
    assert_int_equal(wait_for(&f, OTHER, "1", 5, false), ERR_LIMIT);
    rights_peer_down(f.rights, (peer_t *)&f, 0);
    expect(&f, "load 1\nload 2\n1 gone\n2 gone\n4 gone\n");
    fini(&f);
}

static void least_recently_used_list_is_dropped(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 10000, 10, 10000);
    assert_int_equal(wait_for(&f, ROOM, "1", 1, false), OK);
    loaded(&f, ROOM, 1, "1");
    size_t one = rights_cache_bytes(f.rights);
    rights_free(&f.rights);
    strbuf_fini(&f.record);

    init(&f, 2 * one, 10, 10000);
    char room[] = ROOM;
    for (size_t i = 0; i < 3; i++) {
        room[sizeof(room) - 2] = "123"[i];
        assert_int_equal(wait_for(&f, room, "1", 1, false), OK);
        loaded(&f, room, 1, "1");
        assert_int_equal(check(&f, "1"), RIGHTS_ALLOWED);
        assert_true(rights_cache_bytes(f.rights) <= 2 * one);
    }
    expect(&f, "load 1\n1 allowed\nload 2\n1 allowed\nload 3\n1 allowed\n");
    assert_int_equal(rights_groups(f.rights), 2);
    assert_int_equal(rights_check(f.rights, STR(OTHER), STR("1")), RIGHTS_WAIT);
    fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(direct_conversations_need_no_load),
        cmocka_unit_test(one_load_serves_all_that_wait),
        cmocka_unit_test(no_counts_only_from_a_later_load),
        cmocka_unit_test(changes_move_the_cache_forward_only),
        cmocka_unit_test(older_load_does_not_replace_a_newer_list),
        cmocka_unit_test(load_before_a_change_is_thrown_away),
        cmocka_unit_test(fresh_wants_a_load_that_was_asked_for_later),
        cmocka_unit_test(unknown_group_is_not_kept),
        cmocka_unit_test(failed_load_decides_nothing),
        cmocka_unit_test(lost_peer_is_not_waited_for),
        cmocka_unit_test(waiting_has_limits),
        cmocka_unit_test(least_recently_used_list_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
