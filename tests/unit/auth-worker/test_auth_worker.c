/* parley-auth-worker as a process: this test is its broker, deploy/local/pg_private its database.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "common/brokers.h"
#include "common/bus_server.h"
#include "common/clock.h"
#include "loop_test.h"
#include "proto/proto.h"
#include "token_maker.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define VALID                                                                                      \
    "{\"userId\":\"ann\",\"name\":\"Ann\",\"role\":\"customer\",\"jti\":\"t-1\",\"exp\":"          \
    "4000000000}"

enum { MANY = 5000 };

static struct {
    char folder[64];
    char endpoint[96];
    brokers_t *brokers;
    uv_loop_t loop;
    bus_server_t *bus;
    link_peer_t *peer; /* the auth-worker, NULL while it isn't there */
    size_t links;      /* opened so far */
    uv_process_t process;
    bool exited;
    int64_t exit_status;
    uint64_t requests;
    uint64_t answered;
    uint64_t awaited_id; /* zeroed by its answer */
    /* The last answer. */
    uint64_t answer_id;
    uint16_t type;
    unsigned code;
    strbuf_t body;
} world;

/* ---- the broker ---- */

static void on_up(void *ctx, link_peer_t *peer) {
    (void)ctx;
    assert_int_equal(link_peer_role(peer), ROLE_AUTH);
    assert_string_equal(link_peer_name(peer), "auth-under-test");
    assert_true(link_peer_read_credit(peer) > 0);
    world.peer = peer;
    world.links++;
}

static void on_down(void *ctx, link_peer_t *peer, const char *reason) {
    (void)ctx;
    (void)peer;
    (void)reason;
    world.peer = NULL;
}

static void on_deliver(void *ctx, link_peer_t *peer, const envelope_t *envelope) {
    (void)ctx;
    (void)peer;
    assert_int_equal(envelope->flags, ENVELOPE_REPLY);
    world.answered++;
    world.answer_id = envelope->request_id;
    if (world.awaited_id == envelope->request_id)
        world.awaited_id = 0;
    world.type = envelope->type;
    world.code = envelope->code;
    strbuf_clear(&world.body);
    strbuf_append(&world.body, envelope->body);
}

static void on_refused(void *ctx, str_t routing_id, const char *what) {
    (void)ctx;
    (void)routing_id;
    fail_msg("the broker refused: %s", what);
}

/* A worker that ends while it connects. */
static void on_stranger(void *ctx, bus_stranger_t kind) {
    (void)ctx;
    (void)kind;
}

static const bus_server_handler_t bus_handler = {.up = on_up,
                                                 .down = on_down,
                                                 .deliver = on_deliver,
                                                 .refused = on_refused,
                                                 .stranger = on_stranger};

/* ---- the worker's process ---- */

static void on_exit_of_worker(uv_process_t *process, int64_t status, int term_signal) {
    (void)process;
    world.exited = true;
    world.exit_status = term_signal ? -term_signal : status;
}

static bool has_exited(void *ctx) {
    (void)ctx;
    return world.exited;
}

static bool is_linked(void *ctx) {
    (void)ctx;
    return world.peer != NULL;
}

static bool is_gone(void *ctx) {
    (void)ctx;
    return world.peer == NULL;
}

static bool is_answered(void *ctx) {
    (void)ctx;
    return world.answered >= world.requests;
}

static bool is_awaited_answered(void *ctx) {
    (void)ctx;
    return world.awaited_id == 0;
}

/* Starts it; `variables` (NULL at the end) come on top of what every test needs. */
static void spawn(const char *argument, const char *const *variables) {
    char brokers[128], path[] = PARLEY_AUTH_WORKER;
    char *arguments[] = {path, (char *)(uintptr_t)argument, NULL};
    snprintf(brokers, sizeof(brokers), "BROKERS=%s", world.endpoint);
    char *environment[16] = {
        brokers,          "INSTANCE=auth-under-test", "ADMIN_LISTEN=127.0.0.1:0",
        "LOG_LEVEL=warn", "PASSWORD_MEMORY_KIB=8192", "PASSWORD_PASSES=1"};
    for (size_t i = 6; *variables; i++)
        environment[i] = (char *)(uintptr_t)*variables++;
    uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
                                    {.flags = UV_IGNORE},
                                    {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO}};
    uv_process_options_t options = {.file = path,
                                    .args = arguments,
                                    .env = environment,
                                    .stdio = stdio,
                                    .stdio_count = 3,
                                    .exit_cb = on_exit_of_worker};
    world.exited = false;
    world.process.data = &world;
    assert_int_equal(uv_spawn(&world.loop, &world.process, &options), 0);
}

static void on_process_closed(uv_handle_t *handle) {
    handle->data = NULL;
}

static bool is_process_closed(void *ctx) {
    (void)ctx;
    return world.process.data == NULL;
}

static void wait_for_exit(int64_t expected) {
    run_until(&world.loop, has_exited, NULL);
    assert_int_equal(world.exit_status, expected);
    uv_close((uv_handle_t *)&world.process, on_process_closed);
    run_until(&world.loop, is_process_closed, NULL);
}

static const char *database_url(void) {
    static char variable[1024];
    snprintf(variable, sizeof(variable), "DATABASE_URL=%s", getenv("DATABASE_URL"));
    return variable;
}

static void send_body(uint16_t type, str_t body);

static bool is_answered_or_linked_anew(void *ctx) {
    const size_t *links = ctx;
    return is_answered(NULL) || world.links != *links;
}

/* On a slow machine a worker says hello again before it reads the first welcome, and what came on
 * the first link is lost: this broker doesn't repeat it. So an answered request must show that the
 * link is the last one. */
static void settle_link(void) {
    size_t links;
    do {
        run_until(&world.loop, is_linked, NULL);
        links = world.links;
        world.answered = world.requests = 0;
        send_body(MSG_AUTH_VERIFY, STR(""));
        run_until(&world.loop, is_answered_or_linked_anew, &links);
    } while (world.links != links);
    world.answered = world.requests = 0;
}

static void start_worker(const char *database) {
    const char *variables[] = {database, "JWT_SECRET=" SECRET, NULL};
    spawn(NULL, variables);
    settle_link();
}

static void stop_worker(void) {
    assert_int_equal(uv_process_kill(&world.process, SIGTERM), 0);
    wait_for_exit(0);
    run_until(&world.loop, is_gone, NULL); /* by GOODBYE: long before the lease would end */
}

/* ---- requests ---- */

static void send_body(uint16_t type, str_t body) {
    envelope_t envelope = {
        .type = type, .request_id = 1000 + ++world.requests, .deadline_ms = 10000, .body = body};
    assert_int_equal(bus_server_send(world.bus, world.peer, &envelope), OK);
}

static void ask(uint16_t type, strbuf_t *body) {
    send_body(type, strbuf_str(body));
    strbuf_fini(body);
    run_until(&world.loop, is_answered, NULL);
    assert_int_equal(world.answer_id, 1000 + world.requests);
}

/* Consumes the token. */
static void ask_about(uint16_t type, char *token) {
    strbuf_t body = {0};
    proto_auth_verify_t message = {.token = str_from(token)};
    proto_auth_verify_encode(&message, &body); /* AUTH_REFRESH has the same form */
    free(token);
    ask(type, &body);
}

static void ask_to_register(const char *id) {
    strbuf_t body = {0};
    proto_auth_register_t message = {.id = str_from(id),
                                     .name = STR("Bob"),
                                     .password = STR("correct horse"),
                                     .role = STR("photographer"),
                                     .address = STR("10.0.0.1"),
                                     .idempotency_key = STR("key-1")};
    proto_auth_register_encode(&message, &body);
    ask(MSG_AUTH_REGISTER, &body);
}

static void ask_to_log_in(const char *id, const char *password) {
    strbuf_t body = {0};
    proto_auth_login_t message = {
        .id = str_from(id), .password = str_from(password), .address = STR("10.0.0.1")};
    proto_auth_login_encode(&message, &body);
    ask(MSG_AUTH_LOGIN, &body);
}

/* The token of the last answer; the caller frees it. */
static char *token_of_answer(const char *user_id) {
    proto_token_t token;
    proto_arena_t *arena = proto_arena_new();
    assert_int_equal(world.type, MSG_TOKEN);
    assert_int_equal(world.code, CODE_OK);
    assert_int_equal(proto_token_decode(strbuf_str(&world.body), arena, &token), OK);
    assert_true(str_eq(token.user_id, str_from(user_id)));
    char *text = str_dup(token.token);
    proto_arena_free(&arena);
    return text;
}

/* By what the token can be revoked; the caller frees it. */
static char *token_id_of(const char *token) {
    proto_identity_t identity;
    proto_arena_t *arena = proto_arena_new();
    ask_about(MSG_AUTH_VERIFY, str_dup(str_from(token)));
    assert_int_equal(world.type, MSG_IDENTITY);
    assert_int_equal(proto_identity_decode(strbuf_str(&world.body), arena, &identity), OK);
    assert_int_equal(identity.token_id.n, 36);
    char *id = str_dup(identity.token_id);
    proto_arena_free(&arena);
    return id;
}

static void assert_error(code_t code) {
    assert_int_equal(world.type, MSG_ERROR);
    assert_int_equal(world.code, code);
}

/* Waits until the worker has reached the database and the tables. */
static void wait_for_database(void) {
    do {
        ask_to_log_in("nobody", "any password");
    } while (world.code == CODE_UNAVAILABLE);
    assert_error(CODE_UNAUTHORIZED);
}

/* ---- tests ---- */

static void test_verify(void **state) {
    (void)state;
    proto_identity_t identity;
    proto_arena_t *arena = proto_arena_new();
    start_worker(database_url());
    ask_about(MSG_AUTH_VERIFY, make_hs256_token(HEADER, VALID, STR(SECRET)));
    assert_int_equal(world.type, MSG_IDENTITY);
    assert_int_equal(world.code, CODE_OK);
    assert_int_equal(proto_identity_decode(strbuf_str(&world.body), arena, &identity), OK);
    assert_true(str_eq(identity.user_id, STR("ann")));
    assert_true(str_eq(identity.name, STR("Ann")));
    assert_true(str_eq(identity.role, STR("customer")));
    assert_true(str_eq(identity.token_id, STR("t-1")));
    assert_true(identity.expires_at_ms == UINT64_C(4000000000000));
    ask_about(MSG_AUTH_VERIFY,
              make_hs256_token(HEADER, "{\"userId\":\"ann\",\"exp\":1}", STR(SECRET)));
    assert_error(CODE_TOKEN_EXPIRED);
    ask_about(MSG_AUTH_VERIFY,
              make_hs256_token(HEADER, "{\"userId\":\"ann\",\"exp\":1}", STR("another secret")));
    assert_error(CODE_UNAUTHORIZED);
    ask_about(MSG_AUTH_VERIFY, str_dup(STR("garbage")));
    assert_error(CODE_UNAUTHORIZED);
    proto_arena_free(&arena);
    stop_worker();
}

static void test_account(void **state) {
    (void)state;
    start_worker(database_url());
    wait_for_database();
    ask_to_register("bob");
    char *registered = token_of_answer("bob");
    char *first_id = token_id_of(registered);
    ask_about(MSG_AUTH_REFRESH, str_dup(str_from(registered)));
    char *second = token_of_answer("bob");
    ask_about(MSG_AUTH_REFRESH, str_dup(str_from(second)));
    char *third = token_of_answer("bob");
    char *third_id = token_id_of(third);
    assert_string_not_equal(registered, second); /* though within the same second */
    assert_string_not_equal(second, third);
    assert_string_equal(first_id, third_id); /* one login, to be revoked as one */
    free(registered);
    free(first_id);
    free(second);
    free(third);
    free(third_id);
    ask_to_log_in("bob", "correct horse");
    free(token_of_answer("bob"));
    ask_to_log_in("bob", "wrong password");
    assert_error(CODE_UNAUTHORIZED);
    ask_about(MSG_AUTH_REFRESH, str_dup(STR("garbage")));
    assert_error(CODE_UNAUTHORIZED);
    stop_worker();
}

/* Every request with every kind of wrong body is answered as refused, and the worker goes on. */
static void test_garbage(void **state) {
    (void)state;
    static const uint16_t types[] = {MSG_AUTH_VERIFY, MSG_AUTH_REGISTER, MSG_AUTH_LOGIN,
                                     MSG_AUTH_REFRESH};
    char huge[20000];
    memset(huge, 'x', sizeof(huge));
    const str_t bodies[] = {STR(""),
                            STR("\x80"),                 /* an empty map */
                            STR("\xdd\x05\xf5\xe1\x00"), /* a list of 100,000,000 */
                            STR("\x81\x01\xc0"),
                            STR("\xff\xff\xff"),
                            {huge, sizeof(huge)}};
    start_worker(database_url());
    for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++) {
            send_body(types[t], bodies[b]);
            run_until(&world.loop, is_answered, NULL);
            assert_int_equal(world.type, MSG_ERROR);
            assert_true(world.code == CODE_UNAUTHORIZED || world.code == CODE_INVALID_PAYLOAD);
        }
    }
    ask_about(MSG_AUTH_VERIFY, make_hs256_token(HEADER, VALID, STR(SECRET)));
    assert_int_equal(world.type, MSG_IDENTITY);
    stop_worker();
}

static void test_without_database(void **state) {
    (void)state;
    start_worker("DATABASE_URL=postgresql://nobody@127.0.0.1:1/none");
    ask_about(MSG_AUTH_VERIFY, make_hs256_token(HEADER, VALID, STR(SECRET)));
    assert_int_equal(world.type, MSG_IDENTITY);
    ask_about(MSG_AUTH_REFRESH, make_hs256_token(HEADER, VALID, STR(SECRET)));
    free(token_of_answer("ann"));
    ask_to_log_in("bob", "correct horse");
    assert_error(CODE_UNAVAILABLE);
    ask_to_register("carl");
    assert_error(CODE_UNAVAILABLE);
    stop_worker();
}

/* Logins under way when the worker is told to stop are answered before it goes. */
static void test_drain(void **state) {
    (void)state;
    strbuf_t body = {0};
    proto_auth_login_t message = {
        .id = STR("nobody"), .password = STR("any password"), .address = STR("10.0.0.2")};
    start_worker(database_url());
    wait_for_database();
    proto_auth_login_encode(&message, &body);
    for (int i = 0; i < 5; i++)
        send_body(MSG_AUTH_LOGIN, strbuf_str(&body));
    send_body(MSG_AUTH_VERIFY, STR("")); /* refused at once: it has read them all by then */
    world.awaited_id = 1000 + world.requests;
    run_until(&world.loop, is_awaited_answered, NULL);
    strbuf_fini(&body);
    stop_worker();
    assert_int_equal(world.answered, world.requests);
}

static void test_many(void **state) {
    (void)state;
    strbuf_t body = {0};
    char *token = make_hs256_token(HEADER, VALID, STR(SECRET));
    proto_auth_verify_t message = {.token = str_from(token)};
    proto_auth_verify_encode(&message, &body);
    start_worker(database_url());
    uint64_t began_ns = uv_hrtime();
    for (int i = 0; i < MANY; i++) {
        send_body(MSG_AUTH_VERIFY, strbuf_str(&body));
        if (i % 100 == 99)
            run_until(&world.loop, is_answered, NULL);
    }
    run_until(&world.loop, is_answered, NULL);
    double seconds = (double)(uv_hrtime() - began_ns) / 1e9;
    assert_int_equal(world.code, CODE_OK);
    print_message("%d HS256 tokens over the bus: %.0f a second\n", MANY, MANY / seconds);
    strbuf_fini(&body);
    free(token);
    stop_worker();
}

static void test_bad_configuration(void **state) {
    (void)state;
    const char *no_keys[] = {database_url(), NULL};
    const char *no_database[] = {"JWT_SECRET=" SECRET, NULL};
    const char *bad_database[] = {"JWT_SECRET=" SECRET, "DATABASE_URL=nonsense", NULL};
    const char *short_secret[] = {database_url(), "JWT_SECRET=secret", NULL};
    const char *no_file[] = {database_url(), "JWKS_FILE=/nonexistent/jwks.json", NULL};
    const char *good[] = {database_url(), "JWT_SECRET=" SECRET, NULL};
    spawn("--check-config", good);
    wait_for_exit(0);
    spawn("--check-config", no_keys);
    wait_for_exit(2);
    spawn("--check-config", no_database);
    wait_for_exit(2);
    spawn("--check-config", bad_database);
    wait_for_exit(2);
    spawn("--check-config", short_secret);
    wait_for_exit(2);
    spawn(NULL, no_file);
    wait_for_exit(1);
}

/* ---- the frame ---- */

static int apply_schema(void) {
    const char *url = getenv("DATABASE_URL");
    if (!url) {
        print_error("DATABASE_URL: run me under deploy/local/pg_private run\n");
        return -1;
    }
    PGconn *admin = PQconnectdb(url);
    PGresult *result =
        PQexec(admin, "create table users (id text primary key, name text, role text);"
                      "create table credentials (user_id text primary key, password_hash text,"
                      " registration_key text)");
    bool applied = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    PQfinish(admin);
    return applied ? 0 : -1;
}

static int open_broker(void **state) {
    (void)state;
    const char *why = "";
    snprintf(world.folder, sizeof(world.folder), "/tmp/parley-auth-XXXXXX");
    if (!mkdtemp(world.folder) || apply_schema() != 0)
        return -1;
    snprintf(world.endpoint, sizeof(world.endpoint), "ipc://%s/bus", world.folder);
    if (uv_loop_init(&world.loop) != 0 ||
        brokers_new(str_from(world.endpoint), &world.brokers, &why) != OK)
        return -1;
    bus_server_config_t config = {.name = "broker-of-the-test",
                                  .bind_endpoint = world.endpoint,
                                  .broker_digest = brokers_digest(world.brokers)};
    return bus_server_new(&world.loop, &config, &bus_handler, NULL, &world.bus);
}

static int close_broker(void **state) {
    (void)state;
    strbuf_t path = {0};
    bus_server_close(&world.bus);
    finish_loop(&world.loop);
    brokers_free(&world.brokers);
    strbuf_fini(&world.body);
    strbuf_printf(&path, "%s/bus", world.folder);
    unlink(strbuf_cstr(&path));
    strbuf_fini(&path);
    return rmdir(world.folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_account),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_without_database),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_bad_configuration),
    };
    return cmocka_run_group_tests(tests, open_broker, close_broker);
}
