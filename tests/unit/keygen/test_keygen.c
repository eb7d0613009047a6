/* keygen: the directory of keys, made whole, never made anew, and added to when a key is changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/keyring_files.h"
#include "common/read_file.h"
#include "keygen/keygen.h"

typedef struct {
    char directory[64];
    strbuf_t path;
    strbuf_t report;
    strbuf_t problem;
} world_t;

static const char *path_of(world_t *world, const char *name) {
    strbuf_clear(&world->path);
    strbuf_printf(&world->path, "%s/keys/%s", world->directory, name);
    return strbuf_cstr(&world->path);
}

static err_t fill(world_t *world) {
    strbuf_clear(&world->report);
    strbuf_clear(&world->problem);
    char *directory = str_dup(str_from(path_of(world, "")));
    err_t err = keygen_fill(directory, &world->report, &world->problem);
    free(directory);
    return err;
}

static keyring_t public_keys(world_t *world) {
    keyring_t ring;
    assert_int_equal(keyring_read(path_of(world, "public.keys"), &ring, &world->problem), OK);
    return ring;
}

static key_pair_t pair_of(world_t *world, role_t role) {
    key_pair_t pair;
    char name[64];
    snprintf(name, sizeof(name), "%s.key", role_name(role));
    assert_int_equal(keyring_read_secret(path_of(world, name), role, &pair, &world->problem), OK);
    return pair;
}

static void write_file(world_t *world, const char *name, const char *text) {
    FILE *file = fopen(path_of(world, name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state) {
    world_t *world = xcalloc(1, sizeof(*world));
    assert_true(sodium_init() >= 0);
    strcpy(world->directory, "/tmp/parley-keygen-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    world_t *world = *state;
    static const char *const names[] = {"broker.key", "gateway.key",        "rest.key",
                                        "rest.old",   "persist-worker.key", "auth-worker.key",
                                        "public.keys"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(path_of(world, names[i]));
    /* Nothing else was left there. */
    assert_true(rmdir(path_of(world, "")) == 0 || access(world->path.p, F_OK) != 0);
    rmdir(world->directory);
    strbuf_fini(&world->path);
    strbuf_fini(&world->report);
    strbuf_fini(&world->problem);
    free(world);
    return 0;
}

static void test_makes_a_key_for_every_service(void **state) {
    world_t *world = *state;
    struct stat found;
    assert_int_equal(fill(world), OK);
    keyring_t ring = public_keys(world);
    assert_int_equal(ring.n, 5);
    for (unsigned role = 1; role <= ROLE_BROKER; role <<= 1) {
        key_pair_t pair = pair_of(world, (role_t)role);
        assert_int_equal(keyring_role(&ring, str_from(pair.public_key)), role);
        assert_int_equal(stat(strbuf_cstr(&world->path), &found), 0);
        assert_int_equal(found.st_mode & 0777, 0600);
    }
    assert_int_equal(stat(path_of(world, "public.keys"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0644);
}

static void test_doing_it_again_changes_nothing(void **state) {
    world_t *world = *state;
    strbuf_t before = {0}, after = {0};
    assert_int_equal(fill(world), OK);
    key_pair_t first = pair_of(world, ROLE_AUTH);
    assert_int_equal(read_file(path_of(world, "public.keys"), 9999, &before, &world->problem), OK);
    assert_int_equal(fill(world), OK);
    assert_int_equal(world->report.n, 0);
    assert_int_equal(read_file(path_of(world, "public.keys"), 9999, &after, &world->problem), OK);
    assert_true(str_eq(strbuf_str(&before), strbuf_str(&after)));
    assert_string_equal(pair_of(world, ROLE_AUTH).secret_key, first.secret_key);
    strbuf_fini(&before);
    strbuf_fini(&after);
}

static void test_a_changed_key_counts_beside_the_old_one(void **state) {
    world_t *world = *state;
    assert_int_equal(fill(world), OK);
    key_pair_t old = pair_of(world, ROLE_REST);
    char *from = str_dup(str_from(path_of(world, "rest.key")));
    assert_int_equal(rename(from, path_of(world, "rest.old")), 0);
    free(from);
    assert_int_equal(fill(world), OK);
    key_pair_t now = pair_of(world, ROLE_REST);
    keyring_t ring = public_keys(world);
    assert_string_not_equal(now.secret_key, old.secret_key);
    assert_int_equal(ring.n, 6);
    assert_int_equal(keyring_role(&ring, str_from(old.public_key)), ROLE_REST);
    assert_int_equal(keyring_role(&ring, str_from(now.public_key)), ROLE_REST);
}

static void test_faults_leave_what_is_there(void **state) {
    world_t *world = *state;
    assert_int_equal(fill(world), OK);
    write_file(world, "public.keys", "gateway rubbish\n");
    assert_int_equal(fill(world), ERR_INVALID);
    assert_non_null(strstr(strbuf_cstr(&world->problem), "public.keys: line 1: "));
    unlink(path_of(world, "public.keys"));
    key_pair_t gateway = pair_of(world, ROLE_GATEWAY);
    strbuf_t text = {0};
    strbuf_printf(&text, "gateway %s\n", gateway.secret_key);
    write_file(world, "rest.key", strbuf_cstr(&text)); /* another service's */
    assert_int_equal(fill(world), ERR_INVALID);
    assert_non_null(strstr(strbuf_cstr(&world->problem), "rest.key: has not just the key of rest"));
    assert_null(strstr(world->problem.p, gateway.secret_key));
    assert_int_equal(keygen_fill("/proc/no-such-place", &world->report, &world->problem), ERR_IO);
    strbuf_fini(&text);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_makes_a_key_for_every_service),
        TEST(test_doing_it_again_changes_nothing),
        TEST(test_a_changed_key_counts_beside_the_old_one),
        TEST(test_faults_leave_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
