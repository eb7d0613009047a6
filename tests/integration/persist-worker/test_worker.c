/* The whole worker: jobs in by the bus, rows in PostgreSQL, answers and facts out, and what happens
 * when the database or the broker goes away. */
#include "worker_world.h"

#include <signal.h>

#include "common/clock.h"

static worker_world_t *world;

static const char GROUP[] = "group_0190a0b0-0000-7000-8000-000000000001";

static void assert_query(const char *sql, const char *wanted) {
    char *text = worker_world_query(sql);
    assert_string_equal(text, wanted);
    free(text);
}

static int set_up(void **state) {
    (void)state;
    world = worker_world_new();
    const char *names[] = {"1", "2", "3"};
    for (size_t i = 0; i < 3; i++)
        worker_world_answer(world, worker_world_user(world, names[i], "Ann"), MSG_DONE);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    worker_world_free(&world);
    worker_world_empty();
    return 0;
}

static void test_send(void **state) {
    (void)state;
    uint64_t job = worker_world_send(world, "conv_1_2", "1", "a", "Hello \"you\"");
    const heard_t *heard = worker_world_answer(world, job, MSG_STORED);
    proto_stored_t stored;
    assert_int_equal(proto_stored_decode(heard->envelope.body, world->arena, &stored), OK);
    assert_int_equal(stored.seq, 1);
    assert_int_equal(stored.duplicate, 0);
    assert_int_equal(stored.epoch, bus_server_incarnation(world->server));
    assert_int_equal(heard->envelope.session, job + 1000);
    assert_int_equal(heard->envelope.trace.id[3], 7);
    assert_true(heard->envelope.request_id != 0 && !(heard->envelope.flags & ENVELOPE_REPLY));
    assert_memory_equal(stored.message.p, "{\"id\":\"", 7);
    assert_non_null(memmem(stored.message.p, stored.message.n,
                           ",\"conversationId\":\"conv_1_2\",\"seq\":1,\"senderId\":\"1\","
                           "\"text\":\"Hello \\\"you\\\"\",\"clientId\":\"a\",\"createdAt\":\"",
                           97));
    /* Everybody in the conversation learns of it, the sender with nothing unread. */
    const char *update = worker_world_event(world, "2", "conversation_updated");
    assert_non_null(strstr(update, "{\"conversationId\":\"conv_1_2\",\"lastMessage\":{\"id\":"));
    assert_non_null(strstr(update, "},\"unreadCount\":1}"));
    assert_non_null(
        strstr(worker_world_event(world, "1", "conversation_updated"), "},\"unreadCount\":0}"));
}

static void test_many_at_once(void **state) {
    (void)state;
    enum { JOBS = 1000 };
    uint64_t jobs[JOBS];
    for (size_t i = 0; i < JOBS; i++) {
        char client_id[16];
        snprintf(client_id, sizeof(client_id), "%zu", i / 2); /* each twice */
        jobs[i] =
            worker_world_send(world, i % 4 < 2 ? "conv_1_2" : "conv_1_3", "1", client_id, "x");
    }
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(worker_world_stored(world, jobs[i]), i / 4 + 1);
    assert_query("select count(*) from messages", "500");
}

static void test_order_of_messages_and_marks(void **state) {
    (void)state;
    enum { ROUNDS = 100 };
    uint64_t marks[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        char client_id[16];
        snprintf(client_id, sizeof(client_id), "%d", i);
        worker_world_send(world, "conv_1_2", "1", client_id, "x");
        marks[i] = worker_world_mark(world, "conv_1_2", "2");
    }
    for (int i = 0; i < ROUNDS; i++) {
        proto_read_marked_t marked;
        const heard_t *heard = worker_world_answer(world, marks[i], MSG_READ_MARKED);
        assert_int_equal(proto_read_marked_decode(heard->envelope.body, world->arena, &marked), OK);
        assert_int_equal(marked.seq, i + 1);
        assert_int_equal(marked.advanced, 1);
        assert_true(marked.read_at_ms > 1700000000000);
    }
}

static void test_refusals(void **state) {
    (void)state;
    strbuf_t body = {0};
    worker_world_refused(world, worker_world_send(world, "conv_1_2", "3", "a", "x"),
                         CODE_FORBIDDEN);
    worker_world_refused(world, worker_world_send(world, GROUP, "3", "a", "x"), CODE_FORBIDDEN);
    worker_world_refused(world, worker_world_send(world, "conv_2_1", "1", "a", "x"),
                         CODE_INVALID_PAYLOAD);
    worker_world_refused(world, worker_world_send(world, "conv_1_2", "1", "a", ""),
                         CODE_INVALID_PAYLOAD);
    worker_world_refused(world, worker_world_send(world, "conv_1_2", "1", "a", "\xff"),
                         CODE_INVALID_PAYLOAD);
    worker_world_refused(world, worker_world_ask(world, MSG_SEND, "conv_1_2", "1", &body),
                         CODE_INVALID_PAYLOAD);
    worker_world_refused(world, worker_world_join(world, GROUP, "3", -1), CODE_FORBIDDEN);
    worker_world_refused(world, worker_world_join(world, "conv_1_2", "3", -1), CODE_FORBIDDEN);
    worker_world_refused(
        world, worker_world_history(world, "conv_1_2", "3", (proto_history_t){.limit = 5}),
        CODE_FORBIDDEN);
    worker_world_refused(
        world, worker_world_history(world, "conv_1_2", "1", (proto_history_t){.limit = 0}),
        CODE_INVALID_PAYLOAD);
    proto_send_t send = {.text = STR("x"), .client_id = STR("r"), .reply_to = 5};
    proto_send_encode(&send, &body);
    worker_world_refused(world, worker_world_ask(world, MSG_SEND, "conv_1_2", "1", &body),
                         CODE_NOT_FOUND);
}

static void test_unknown_partner(void **state) {
    (void)state;
    int64_t began_ms = clock_now_ms();
    uint64_t never = worker_world_send(world, "conv_1_98", "1", "a", "x");
    uint64_t joined = worker_world_join(world, "conv_1_98", "1", -1);
    uint64_t soon = worker_world_send(world, "conv_1_99", "1", "a", "first");
    uint64_t next = worker_world_send(world, "conv_1_99", "1", "b", "second");
    while (clock_now_ms() - began_ms < 250)
        worker_world_turn(world, 20);
    worker_world_answer(world, worker_world_user(world, "99", "Zoe"), MSG_DONE);
    assert_int_equal(worker_world_stored(world, soon), 1);
    assert_int_equal(worker_world_stored(world, next), 2);
    worker_world_refused(world, never, CODE_NOT_FOUND);
    worker_world_refused(world, joined, CODE_NOT_FOUND);
    assert_in_range(clock_now_ms() - began_ms, 900, 5000);
}

static void test_join(void **state) {
    (void)state;
    proto_conversation_t joined;
    const heard_t *heard =
        worker_world_answer(world, worker_world_join(world, "conv_1_2", "1", 0), MSG_CONVERSATION);
    assert_int_equal(proto_conversation_decode(heard->envelope.body, world->arena, &joined), OK);
    assert_int_equal(joined.head_seq, 0);
    assert_int_equal(joined.participant_ids.n, 2);
    assert_int_equal(joined.generation.n, 36);
    assert_true(str_eq(joined.conversation, STR("{\"id\":\"conv_1_2\",\"kind\":\"direct\"}")));
    assert_query("select count(*) from conversations", "0");

    for (int i = 1; i <= 3; i++) {
        char client_id[16];
        snprintf(client_id, sizeof(client_id), "%d", i);
        worker_world_stored(world, worker_world_send(world, "conv_1_2", "2", client_id, "x"));
    }
    heard =
        worker_world_answer(world, worker_world_join(world, "conv_1_2", "1", 1), MSG_CONVERSATION);
    assert_int_equal(proto_conversation_decode(heard->envelope.body, world->arena, &joined), OK);
    assert_int_equal(joined.head_seq, 3);
    assert_int_equal(joined.seqs.n, 2);
    assert_int_equal(joined.seqs.items[0], 2);
    assert_int_equal(joined.truncated, 0);
    assert_true(str_eq(joined.participants,
                       STR("[{\"id\":\"1\",\"name\":\"Ann\",\"role\":\"customer\",\"lastReadSeq\":"
                           "0,\"lastSeenAt\":null},{\"id\":\"2\",\"name\":\"Ann\",\"role\":"
                           "\"customer\",\"lastReadSeq\":3,\"lastSeenAt\":null}]")));

    heard =
        worker_world_answer(world, worker_world_join(world, "conv_1_2", "1", -1), MSG_CONVERSATION);
    assert_int_equal(proto_conversation_decode(heard->envelope.body, world->arena, &joined), OK);
    assert_int_equal(joined.messages.n, 0);
    assert_int_equal(joined.truncated, 0);

    heard =
        worker_world_answer(world, worker_world_join(world, "conv_1_2", "1", 4), MSG_CONVERSATION);
    assert_int_equal(proto_conversation_decode(heard->envelope.body, world->arena, &joined), OK);
    assert_int_equal(joined.reset, 1);
    assert_int_equal(joined.messages.n, 0);
}

static void test_join_truncated(void **state) {
    (void)state;
    worker_world_stored(world, worker_world_send(world, "conv_1_2", "2", "first", "x"));
    worker_world_run(
        "insert into messages (conversation_id, seq, id, sender_id, client_id, text, created_at)"
        " select 'conv_1_2', n, gen_random_uuid(), '1', n::text, 'x', now()"
        " from generate_series(2, 600) as n;"
        " update conversations set head_seq = 600");
    proto_conversation_t joined;
    const heard_t *heard =
        worker_world_answer(world, worker_world_join(world, "conv_1_2", "1", 0), MSG_CONVERSATION);
    assert_int_equal(proto_conversation_decode(heard->envelope.body, world->arena, &joined), OK);
    assert_int_equal(joined.messages.n, 500);
    assert_int_equal(joined.truncated, 1);
    heard = worker_world_answer(world, worker_world_join(world, "conv_1_2", "1", 500),
                                MSG_CONVERSATION);
    assert_int_equal(proto_conversation_decode(heard->envelope.body, world->arena, &joined), OK);
    assert_int_equal(joined.messages.n, 100);
    assert_int_equal(joined.truncated, 0);
    /* Long texts: as many as fit, the rest with the next join. */
    worker_world_run("update messages set text = repeat('x', 8000)");
    heard = worker_world_answer(world, worker_world_join(world, "conv_1_2", "1", 400),
                                MSG_CONVERSATION);
    assert_int_equal(proto_conversation_decode(heard->envelope.body, world->arena, &joined), OK);
    assert_in_range(joined.messages.n, 100, 140);
    assert_int_equal(joined.truncated, 1);
    assert_int_equal(joined.seqs.items[0], 401);
}

static void test_history(void **state) {
    (void)state;
    for (int i = 1; i <= 10; i++) {
        char client_id[16];
        snprintf(client_id, sizeof(client_id), "%d", i);
        worker_world_stored(world, worker_world_send(world, "conv_1_2", "2", client_id, "x"));
    }
    static const struct {
        proto_history_t ask;
        const char *user;
        uint64_t first, last, next_before;
    } cases[] = {
        {{.limit = 4}, "1", 7, 10, 7},
        {{.present = 1 << 1, .before = 7, .limit = 4}, "1", 3, 6, 3},
        {{.present = 1 << 1, .before = 3, .limit = 4}, "1", 1, 2, 0},
        {{.present = 1 << 2, .after = 8, .limit = 4}, "1", 9, 10, 9},
        {{.present = 1 << 2, .after = 0, .limit = 4}, "1", 1, 4, 0},
        {{.present = 6, .after = 2, .before = 5, .limit = 4}, "1", 3, 4, 3},
        {{.present = 1 << 2, .after = 8, .limit = 4, .trusted = 1}, "", 9, 10, 9},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        proto_messages_t page;
        uint64_t job = worker_world_history(world, "conv_1_2", cases[i].user, cases[i].ask);
        const heard_t *heard = worker_world_answer(world, job, MSG_MESSAGES);
        assert_int_equal(proto_messages_decode(heard->envelope.body, world->arena, &page), OK);
        assert_int_equal(page.head_seq, 10);
        assert_int_equal(page.seqs.items[0], cases[i].first);
        assert_int_equal(page.seqs.items[page.seqs.n - 1], cases[i].last);
        assert_int_equal(page.next_before, cases[i].next_before);
    }
}

static void test_heads(void **state) {
    (void)state;
    worker_world_stored(world, worker_world_send(world, "conv_1_2", "1", "a", "x"));
    worker_world_stored(world, worker_world_send(world, "conv_1_2", "1", "b", "x"));
    strbuf_t body = {0};
    str_t rooms[] = {STR("conv_1_3"), STR("conv_1_2"), str_from(GROUP)};
    proto_heads_encode(&(proto_heads_t){.rooms = {rooms, 3}}, &body);
    proto_head_seqs_t heads;
    const heard_t *heard = worker_world_answer(
        world, worker_world_ask(world, MSG_HEADS, "conv_1_2", "", &body), MSG_HEAD_SEQS);
    assert_int_equal(proto_head_seqs_decode(heard->envelope.body, world->arena, &heads), OK);
    assert_int_equal(heads.seqs.n, 3);
    assert_int_equal(heads.seqs.items[0], 0);
    assert_int_equal(heads.seqs.items[1], 2);
    assert_int_equal(heads.seqs.items[2], 0);
    assert_int_equal(heads.generation.n, 36);
}

/* The database is killed and comes back while messages flow: none is lost or doubled. */
static void test_connections_killed(void **state) {
    (void)state;
    enum { JOBS = 600 };
    uint64_t jobs[JOBS];
    for (size_t i = 0; i < JOBS; i++) {
        char client_id[16];
        snprintf(client_id, sizeof(client_id), "%zu", i);
        jobs[i] = worker_world_send(world, i % 2 ? "conv_1_2" : "conv_1_3", "1", client_id, "x");
        if (i % 50 == 0)
            worker_world_run("select pg_terminate_backend(pid) from pg_stat_activity"
                             " where application_name like 'parley/%'");
        worker_world_turn(world, 1);
    }
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(worker_world_stored(world, jobs[i]), i / 2 + 1);
    assert_query("select count(*) from messages", "600");
}

static pid_t postmaster(void) {
    char *directory = worker_world_query("show data_directory"), path[300];
    long pid = 0;
    snprintf(path, sizeof(path), "%s/postmaster.pid", directory);
    free(directory);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", &pid), 1);
    fclose(file);
    return (pid_t)pid;
}

static void test_database_frozen(void **state) {
    (void)state;
    char *pids = worker_world_query("select string_agg(pid::text, ' ') from pg_stat_activity"
                                    " where application_name like 'parley/%'");
    pid_t server = postmaster();
    kill(server, SIGSTOP);
    for (char *p = pids; *p; p += strspn(p, " "))
        kill((pid_t)strtol(p, &p, 10), SIGSTOP);
    world->deadline_ms = 500;
    int64_t began_ms = clock_now_ms();
    uint64_t out = worker_world_send(world, "conv_1_2", "1", "out", "x");
    while (clock_now_ms() - began_ms < 100)
        worker_world_turn(world, 10);
    uint64_t waiting = worker_world_send(world, "conv_1_2", "1", "waiting", "x");
    worker_world_refused(world, waiting, CODE_UNAVAILABLE);
    assert_in_range(clock_now_ms() - began_ms, 550, 3000);
    for (char *p = pids; *p; p += strspn(p, " "))
        kill((pid_t)strtol(p, &p, 10), SIGCONT);
    kill(server, SIGCONT);
    free(pids);
    /* What was being written is told when its outcome is known, however late. */
    assert_int_equal(worker_world_stored(world, out), 1);
    world->deadline_ms = 15000;
    assert_int_equal(
        worker_world_stored(world, worker_world_send(world, "conv_1_2", "1", "n", "x")), 2);
    assert_query("select count(*) from messages where client_id = 'waiting'", "0");
}

/* A fact that nobody confirmed is told to the broker's next life, once more. */
static void test_facts_outlive_the_broker(void **state) {
    (void)state;
    world->silent = true;
    uint64_t job = worker_world_send(world, "conv_1_2", "1", "a", "x");
    assert_int_equal(worker_world_stored(world, job), 1);
    worker_world_stop_server(world);
    world->silent = false;
    worker_world_start_server(world);
    worker_world_until_up(world);
    while (worker_world_count(world, job) < 2)
        worker_world_turn(world, 1000);
    /* An answer to another life's job isn't sent: its number means nothing there. */
    assert_int_equal(worker_world_count(world, job), 2);
}

/* SIGTERM in the middle: what was begun is told, the rest is left for another worker. */
static void test_drained_under_load(void **state) {
    (void)state;
    enum { JOBS = 1500 };
    uint64_t jobs[JOBS];
    for (size_t i = 0; i < JOBS; i++) {
        char client_id[16];
        snprintf(client_id, sizeof(client_id), "%zu", i);
        jobs[i] = worker_world_send(world, i % 2 ? "conv_1_2" : "conv_1_3", "1", client_id, "x");
    }
    worker_world_stored(world, jobs[0]);
    uv_process_kill(&world->process, SIGTERM);
    int64_t began_ms = clock_now_ms();
    while (world->running)
        worker_world_turn(world, 1000);
    assert_int_equal(world->exit_code, 0);
    assert_in_range(clock_now_ms() - began_ms, 0, 3000);
    size_t told = 0;
    for (size_t i = 0; i < JOBS; i++)
        told += worker_world_count(world, jobs[i]);
    char count[16];
    snprintf(count, sizeof(count), "%zu", told);
    assert_query("select count(*) from messages", count);
}

/* Rows that somebody took away behind the worker's back are made anew. */
static void test_truncated_behind_its_back(void **state) {
    (void)state;
    worker_world_stored(world, worker_world_send(world, "conv_1_2", "1", "a", "x"));
    worker_world_run("truncate users, conversations, participants, messages cascade");
    worker_world_run("insert into users (id, name, role) values ('2', 'Bob', 'customer')");
    assert_int_equal(
        worker_world_stored(world, worker_world_send(world, "conv_1_2", "1", "b", "x")), 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_send),
        TEST(test_many_at_once),
        TEST(test_order_of_messages_and_marks),
        TEST(test_refusals),
        TEST(test_unknown_partner),
        TEST(test_join),
        TEST(test_join_truncated),
        TEST(test_history),
        TEST(test_heads),
        TEST(test_connections_killed),
        TEST(test_database_frozen),
        TEST(test_facts_outlive_the_broker),
        TEST(test_drained_under_load),
        TEST(test_truncated_behind_its_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
