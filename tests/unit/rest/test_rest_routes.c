/* routes: the table, matching, 404 against 405, percent-encoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest/routes.h"

#define assert_str(actual, expected) assert_true(str_eq(actual, str_from(expected)))

/* The result for a request; the match borrows from the storage, which the test frees. */
static routes_result_t match(unsigned method, const char *path, strbuf_t *storage,
                             route_match_t *match_out) {
    strbuf_clear(storage);
    return routes_match(method, str_from(path), storage, match_out);
}

static void test_every_row_is_found(void **state) {
    (void)state;
    strbuf_t storage = {0};
    for (unsigned id = 0; id < ROUTE_COUNT; id++) {
        route_match_t found;
        const route_t *row = routes_row((route_id_t)id);
        assert_int_equal(row->id, id);
        assert_int_equal(match(row->method, row->pattern, &storage, &found), ROUTES_FOUND);
        assert_ptr_equal(found.route, row);
    }
    strbuf_fini(&storage);
}

static void test_parameters(void **state) {
    (void)state;
    strbuf_t storage = {0};
    route_match_t found;
    assert_int_equal(
        match(METHOD_DELETE, "/conversations/group_1/participants/a%40b%2Fc", &storage, &found),
        ROUTES_FOUND);
    assert_int_equal(found.route->id, ROUTE_ID_REMOVE_PARTICIPANT);
    assert_str(found.parameters[0], "group_1");
    assert_str(found.parameters[1], "a@b/c");
    assert_int_equal(match(METHOD_GET, "/%75sers/%C3%A4", &storage, &found), ROUTES_FOUND);
    assert_str(found.parameters[0], "\xc3\xa4");
    assert_int_equal(match(METHOD_GET, "/users/a+b", &storage, &found), ROUTES_FOUND);
    assert_str(found.parameters[0], "a+b");
    strbuf_fini(&storage);
}

static void test_head_stands_for_get(void **state) {
    (void)state;
    strbuf_t storage = {0};
    route_match_t found;
    assert_int_equal(match(METHOD_HEAD, "/me", &storage, &found), ROUTES_FOUND);
    assert_int_equal(found.route->id, ROUTE_ID_ME);
    assert_int_equal(match(METHOD_HEAD, "/auth/login", &storage, &found), ROUTES_NO_METHOD);
    strbuf_fini(&storage);
}

static void test_no_path(void **state) {
    (void)state;
    static const char *const unknown[] = {
        "/",
        "/ME",
        "/me/",
        "//me",
        "/users",
        "/users/",
        "/users//",
        "/x",
        "/auth",
        "/a/b/c/d/e",
        "/conversations/x/messages/",
        "/conversations//messages",
        "/conversations/a/participants/b/c",
    };
    strbuf_t storage = {0};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
        route_match_t found;
        assert_int_equal(match(METHOD_GET, unknown[i], &storage, &found), ROUTES_NO_PATH);
        assert_null(found.route);
        assert_int_equal(found.allowed, 0);
    }
    strbuf_fini(&storage);
}

static void test_no_method(void **state) {
    (void)state;
    strbuf_t storage = {0}, allow = {0};
    route_match_t found;
    assert_int_equal(match(METHOD_DELETE, "/users/1", &storage, &found), ROUTES_NO_METHOD);
    assert_null(found.route);
    routes_append_allow(found.allowed, &allow);
    assert_str(strbuf_str(&allow), "GET, HEAD, PUT, OPTIONS");
    assert_int_equal(match(METHOD_OPTIONS, "/conversations", &storage, &found), ROUTES_NO_METHOD);
    strbuf_clear(&allow);
    routes_append_allow(found.allowed, &allow);
    assert_str(strbuf_str(&allow), "GET, HEAD, POST, OPTIONS");
    assert_int_equal(match(0, "/me", &storage, &found), ROUTES_NO_METHOD); /* BREW */
    strbuf_fini(&storage);
    strbuf_fini(&allow);
}

static void test_bad_path(void **state) {
    (void)state;
    static const char *const bad[] = {"",         "*",          "me",           "/users/%",
                                      "/%4",      "/users/%zz", "/users/a%00b", "/a/b/c/d/e/%g0",
                                      "/users/%2"};
    strbuf_t storage = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        route_match_t found;
        assert_int_equal(match(METHOD_GET, bad[i], &storage, &found), ROUTES_BAD_PATH);
    }
    strbuf_fini(&storage);
}

static void test_methods(void **state) {
    (void)state;
    assert_int_equal(routes_method(STR("GET")), METHOD_GET);
    assert_int_equal(routes_method(STR("DELETE")), METHOD_DELETE);
    assert_int_equal(routes_method(STR("get")), 0);
    assert_int_equal(routes_method(STR("PATCH")), 0);
    assert_int_equal(routes_method(STR("")), 0);
}

static void test_percent_decode(void **state) {
    (void)state;
    strbuf_t out = {0};
    assert_int_equal(routes_percent_decode(STR("a%2fB+%7E"), true, &out), OK);
    assert_str(strbuf_str(&out), "a/B ~");
    strbuf_clear(&out);
    assert_int_equal(routes_percent_decode(STR("+"), false, &out), OK);
    assert_str(strbuf_str(&out), "+");
    assert_int_equal(routes_percent_decode((str_t){"a\0", 2}, false, &out), ERR_INVALID);
    assert_int_equal(routes_percent_decode(STR("%-1"), false, &out), ERR_INVALID);
    strbuf_fini(&out);
}

static void test_rights_and_limits(void **state) {
    (void)state;
    assert_int_equal(routes_row(ROUTE_ID_PUT_USER)->auth, ROUTE_SERVICE);
    assert_int_equal(routes_row(ROUTE_ID_REFRESH)->auth, ROUTE_TOKEN);
    for (unsigned id = 0; id < ROUTE_COUNT; id++) {
        const route_t *row = routes_row((route_id_t)id);
        bool open = id == ROUTE_ID_REGISTER || id == ROUTE_ID_LOGIN || routes_is_probe(row);
        assert_int_equal(row->auth == ROUTE_OPEN, open);
        if (row->method == METHOD_GET || row->method == METHOD_DELETE)
            assert_int_equal(row->body_limit, ROUTE_BODY_NONE);
    }
    /* The longest text in its longest spelling fits. */
    assert_true(routes_row(ROUTE_ID_SEND_MESSAGE)->body_limit >= 8000 * 12 + 4096);
}

static void test_print(void **state) {
    (void)state;
    strbuf_t out = {0};
    routes_print(&out);
    assert_true(str_starts_with(strbuf_str(&out), STR("POST /auth/register open\n")));
    assert_non_null(strstr(strbuf_cstr(&out), "\nPUT /users/{id} service\n"));
    strbuf_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_found),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_head_stands_for_get),
        cmocka_unit_test(test_no_path),
        cmocka_unit_test(test_no_method),
        cmocka_unit_test(test_bad_path),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_percent_decode),
        cmocka_unit_test(test_rights_and_limits),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
