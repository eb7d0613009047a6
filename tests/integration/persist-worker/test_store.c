/* Batches against a real PostgreSQL: what is stored, what comes back, and that nothing is doubled,
 * lost or left out of the count, whoever writes at the same time and whatever breaks. */
#include "store_world.h"

static world_t *world;

static int set_up(void **state) {
    (void)state;
    world = world_new(3);
    world_query(world, "truncate users, conversations, participants, messages, member_changes");
    job_t *jobs[] = {world_seen(world, "1", "Ann", "customer"),
                     world_seen(world, "2", "Bob", "photographer"), world_seen(world, "3", "", "")};
    world_write(world, jobs, 3);
    world_free_jobs(jobs, 3);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    world_free(&world);
    return 0;
}

/* Every conversation's seqs are 1 … head, and nobody's mark is beyond it. */
static void assert_no_holes(void) {
    assert_string_equal(
        world_query(world, "select count(*) from conversations c where head_seq <> (select count(*)"
                           " from messages m where m.conversation_id = c.conversation_id)"
                           " or head_seq <> (select coalesce(max(seq), 0) from messages m"
                           " where m.conversation_id = c.conversation_id)"
                           " or exists (select 1 from participants p where"
                           " p.conversation_id = c.conversation_id and last_read_seq > head_seq)"),
        "0");
}

static void test_users(void **state) {
    (void)state;
    assert_string_equal(world_query(world, "select id || ' ' || name || ' ' || role from users"
                                           " order by id"),
                        "1 Ann customer\n2 Bob photographer\n3 3 customer");
    world_write_one(world, world_seen(world, "2", "", ""));
    world_write_one(world, world_seen(world, "1", "Anna", ""));
    world_write_one(world, world_seen(world, "3", "", "service"));
    assert_string_equal(world_query(world, "select id || ' ' || name || ' ' || role from users"
                                           " order by id"),
                        "1 Anna customer\n2 Bob photographer\n3 3 service");
}

static void test_one_user_twice_in_a_batch(void **state) {
    (void)state;
    job_t *jobs[] = {world_seen(world, "7", "Old", "customer"),
                     world_seen(world, "7", "New", "customer")};
    world_write(world, jobs, 2);
    world_free_jobs(jobs, 2);
    assert_string_equal(world_query(world, "select name from users where id = '7'"), "New");
}

static void test_first_message_makes_the_conversation(void **state) {
    (void)state;
    store_written_t written =
        world_write_one(world, world_send(world, "conv_1_2", "2", "a", "Grüß \"Gott\"", 0));
    assert_int_equal(written.outcome, STORE_NEW);
    assert_int_equal(written.seq, 1);
    assert_string_equal(world_query(world, "select kind || ' ' || creator_id || ' ' || head_seq"
                                           " from conversations"),
                        "direct 2 1");
    assert_string_equal(world_query(world, "select user_id || ' ' || last_read_seq from"
                                           " participants order by 1"),
                        "1 0\n2 1");
    assert_string_equal(world_query(world, "select socket_id || ' ' || text from messages"),
                        "gateway-1-x Grüß \"Gott\"");
    assert_no_holes();
}

static void test_a_batch_of_many(void **state) {
    (void)state;
    job_t *jobs[] = {
        world_send(world, "conv_1_2", "1", "a", "one", 0),
        world_send(world, "conv_1_2", "2", "a", "two", 0),
        world_send(world, "conv_1_3", "3", "a", "one", 0),
        world_send(world, "conv_1_2", "1", "b", "three", 0),
        world_mark(world, "conv_1_2", "2", -1),
        world_mark(world, "conv_1_3", "1", 99),
    };
    store_written_t *written = world_write(world, jobs, 6);
    int64_t seqs[] = {1, 2, 1, 3, 3, 1};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(written[i].outcome, STORE_NEW);
        assert_int_equal(written[i].seq, seqs[i]);
    }
    world_free_jobs(jobs, 6);
    assert_string_equal(world_query(world, "select conversation_id || ' ' || user_id || ' ' ||"
                                           " last_read_seq from participants order by 1"),
                        "conv_1_2 1 3\nconv_1_2 2 3\nconv_1_3 1 1\nconv_1_3 3 1");
    assert_no_holes();
}

static void test_a_repeated_send_gives_the_first_back(void **state) {
    (void)state;
    world_write_one(world, world_send(world, "conv_1_2", "1", "a", "first", 0));
    world_write_one(world, world_send(world, "conv_1_2", "1", "b", "second", 1));
    job_t *jobs[] = {world_send(world, "conv_1_2", "1", "b", "altered", 0),
                     world_send(world, "conv_1_2", "1", "c", "third", 0),
                     world_send(world, "conv_1_2", "2", "b", "not the same sender", 0)};
    store_written_t *written = world_write(world, jobs, 3);
    assert_int_equal(written[0].outcome, STORE_UNCHANGED);
    assert_int_equal(written[0].seq, 2);
    const char *id = world_query(world, "select id from messages where seq = 2");
    assert_memory_equal(world->lines[0].texts[0].p, "{\"id\":\"", 7);
    assert_memory_equal(world->lines[0].texts[0].p + 7, id, 36);
    assert_non_null(strstr(strbuf_cstr(&world->lines[0].texts[0]),
                           "\"text\":\"second\",\"clientId\":\"b\",\"replyTo\":1,"));
    assert_int_equal(written[1].seq, 3);
    assert_int_equal(written[2].outcome, STORE_NEW);
    assert_int_equal(written[2].seq, 4);
    world_free_jobs(jobs, 3);
    assert_no_holes();
}

static void test_reply_targets(void **state) {
    (void)state;
    world_write_one(world, world_send(world, "conv_1_2", "1", "a", "first", 0));
    job_t *jobs[] = {world_send(world, "conv_1_2", "1", "b", "to nothing", 2),
                     world_send(world, "conv_1_2", "1", "c", "to the first", 1)};
    store_written_t *written = world_write(world, jobs, 2);
    assert_int_equal(written[0].outcome, STORE_NO_REPLY_TARGET);
    assert_int_equal(written[1].outcome, STORE_NEW);
    assert_int_equal(written[1].seq, 2);
    world_free_jobs(jobs, 2);
    assert_no_holes();
}

static void test_unknown_partner(void **state) {
    (void)state;
    assert_int_equal(
        world_write_one(world, world_send(world, "conv_1_99", "1", "a", "hello?", 0)).outcome,
        STORE_NO_CONVERSATION);
    assert_int_equal(world_write_one(world, world_mark(world, "conv_1_99", "1", -1)).outcome,
                     STORE_NO_CONVERSATION);
    assert_int_equal(world_write_one(world, world_mark(world, "conv_1_2", "1", -1)).outcome,
                     STORE_EMPTY);
    assert_string_equal(world_query(world, "select count(*) from conversations"), "0");
    /* He comes; the same send works. */
    world_write_one(world, world_seen(world, "99", "Zoe", "customer"));
    assert_int_equal(
        world_write_one(world, world_send(world, "conv_1_99", "1", "a", "hello?", 0)).seq, 1);
}

static void test_the_sender_needs_no_introduction(void **state) {
    (void)state;
    assert_int_equal(
        world_write_one(world, world_send(world, "conv_1_50", "50", "a", "I am new", 0)).outcome,
        STORE_NEW);
    assert_string_equal(world_query(world, "select name from users where id = '50'"), "50");
}

static void test_marks(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) {
        char client_id[16];
        snprintf(client_id, sizeof(client_id), "c%d", i);
        world_write_one(world, world_send(world, "conv_1_2", "1", client_id, "x", 0));
    }
    store_written_t written = world_write_one(world, world_mark(world, "conv_1_2", "2", 3));
    assert_int_equal(written.outcome, STORE_NEW);
    assert_int_equal(written.seq, 3);
    int64_t at_ms = written.at_ms;
    written = world_write_one(world, world_mark(world, "conv_1_2", "2", 2));
    assert_int_equal(written.outcome, STORE_UNCHANGED);
    assert_int_equal(written.seq, 3);
    assert_int_equal(written.at_ms, at_ms);
    assert_int_equal(world_write_one(world, world_mark(world, "conv_1_2", "2", 99)).seq, 5);
    assert_int_equal(world_write_one(world, world_mark(world, "conv_1_2", "2", -1)).outcome,
                     STORE_UNCHANGED);
}

static void test_strangers_write_nothing_in_groups(void **state) {
    (void)state;
    const char *group = "group_0190a0b0-0000-7000-8000-000000000001";
    world_query(world,
                "insert into conversations (conversation_id, kind, title, creator_id,"
                " created_at, last_activity_at) values ('%s', 'group', 'T', '1', now(),"
                " now())",
                group);
    world_query(world, "insert into participants values ('%s', '1', 0, null, now())", group);
    job_t *jobs[] = {world_send(world, group, "2", "a", "let me in", 0),
                     world_send(world, group, "1", "a", "mine", 0),
                     world_mark(world, group, "2", -1)};
    store_written_t *written = world_write(world, jobs, 3);
    assert_int_equal(written[0].outcome, STORE_NOT_PARTICIPANT);
    assert_int_equal(written[1].outcome, STORE_NEW);
    assert_int_equal(written[1].seq, 1);
    assert_int_equal(written[2].outcome, STORE_NOT_PARTICIPANT);
    world_free_jobs(jobs, 3);
    const char *nowhere = "group_0190a0b0-0000-7000-8000-00000000ffff";
    assert_int_equal(
        world_write_one(world, world_send(world, nowhere, "1", "a", "anybody?", 0)).outcome,
        STORE_NO_CONVERSATION);
}

/* The same jobs on three connections at once, many times: each is stored once. */
static void test_concurrent_writers_of_the_same(void **state) {
    (void)state;
    enum { ROUNDS = 60, ROOMS = 8, JOBS = 64 };
    for (int round = 0; round < ROUNDS; round++) {
        job_t *jobs[3][JOBS];
        for (size_t line = 0; line < 3; line++) {
            for (size_t i = 0; i < JOBS; i++) {
                char room[32], client_id[32];
                size_t at = line == 1 ? JOBS - 1 - i : i; /* one of them the other way round */
                snprintf(room, sizeof(room), "conv_1_%zu", 100 + at % ROOMS);
                /* A third of them are each line's own. */
                snprintf(client_id, sizeof(client_id), "%d.%zu.%zu", round, at,
                         at % 3 == 0 ? line : 0);
                jobs[line][i] = world_send(world, room, "1", client_id, "x", 0);
            }
        }
        if (round == 0) {
            for (int i = 0; i < ROOMS; i++) {
                char user[16];
                snprintf(user, sizeof(user), "%d", 100 + i);
                world_write_one(world, world_seen(world, user, "", ""));
            }
        }
        for (size_t line = 0; line < 3; line++)
            world_start(world, line, jobs[line], JOBS);
        for (size_t line = 0; line < 3; line++) {
            world_wait(world, line);
            assert_int_equal(world->lines[line].status, DB_OK);
            for (size_t i = 0; i < JOBS; i++)
                assert_true(world->lines[line].written[i].outcome <= STORE_UNCHANGED);
            world_free_jobs(jobs[line], JOBS);
        }
    }
    assert_no_holes();
    /* 22 of 64 are each line's own, 42 common to the three. */
    char wanted[32];
    snprintf(wanted, sizeof(wanted), "%d", ROUNDS * (3 * 22 + 42));
    assert_string_equal(world_query(world, "select count(*) from messages"), wanted);
}

/* The back end is killed in the middle of batches; what is repeated is stored once. */
static void test_killed_in_the_middle(void **state) {
    (void)state;
    enum { ROUNDS = 40, JOBS = 100 };
    unsigned lost = 0;
    PGconn *killer = PQconnectdb(world->config.url);
    for (int round = 0; round < ROUNDS; round++) {
        job_t *jobs[JOBS];
        for (size_t i = 0; i < JOBS; i++) {
            char client_id[32];
            snprintf(client_id, sizeof(client_id), "%d.%zu", round, i);
            jobs[i] = world_send(world, i % 2 ? "conv_1_2" : "conv_1_3", "1", client_id, "x", 0);
        }
        world_start(world, 0, jobs, JOBS);
        /* A little later each round, from before the batch arrives to after its commit. */
        for (int turn = 0; turn < round % 4; turn++)
            uv_run(&world->loop, UV_RUN_NOWAIT);
        char sql[200];
        snprintf(sql, sizeof(sql),
                 "select pg_sleep(%f), pg_terminate_backend(pid) from pg_stat_activity"
                 " where application_name = 'store-test'",
                 round * 0.00025);
        PQclear(PQexec(killer, sql));
        world_wait(world, 0);
        if (world->lines[0].status == DB_LOST) {
            lost++;
            store_written_t *written = world_write(world, jobs, JOBS);
            for (size_t i = 0; i < JOBS; i++)
                assert_true(written[i].outcome <= STORE_UNCHANGED);
        }
        world_free_jobs(jobs, JOBS);
    }
    PQfinish(killer);
    assert_true(lost > 0);
    assert_no_holes();
    char wanted[32];
    snprintf(wanted, sizeof(wanted), "%d", ROUNDS * JOBS);
    assert_string_equal(world_query(world, "select count(*) from messages"), wanted);
}

static void test_a_refused_batch_leaves_nothing(void **state) {
    (void)state;
    world_query(world, "alter table messages add constraint refused check (text <> 'offender')");
    job_t *jobs[] = {world_send(world, "conv_1_2", "1", "a", "fine", 0),
                     world_send(world, "conv_1_2", "1", "b", "offender", 0)};
    world_start(world, 0, jobs, 2);
    world_wait(world, 0);
    assert_int_equal(world->lines[0].status, DB_FAILED);
    assert_string_equal(world->lines[0].sqlstate, "23514");
    assert_string_equal(world_query(world, "select count(*) from messages"), "0");
    assert_int_equal(world_write(world, jobs, 1)[0].seq, 1);
    world_free_jobs(jobs, 2);
    world_query(world, "alter table messages drop constraint refused");
    assert_no_holes();
}

static void test_a_lock_is_waited_for_and_given_up(void **state) {
    (void)state;
    world_write_one(world, world_send(world, "conv_1_2", "1", "a", "x", 0));
    PGconn *holder = PQconnectdb(world->config.url);
    PQclear(PQexec(holder, "begin; select 1 from conversations for update"));
    job_t *job = world_send(world, "conv_1_2", "1", "b", "y", 0);
    world_start(world, 0, &job, 1);
    world_wait(world, 0);
    assert_int_equal(world->lines[0].status, DB_FAILED);
    assert_string_equal(world->lines[0].sqlstate, "55P03");
    PQfinish(holder);
    assert_int_equal(world_write(world, &job, 1)[0].seq, 2);
    job_free(&job);
}

static void test_settings_whatever_the_url_says(void **state) {
    (void)state;
    assert_string_equal(
        world_query(world, "select count(*) from schema_migrations where number = 1"), "1");
    strbuf_t url = {0};
    char *usual = str_dup(str_from(getenv("DATABASE_URL")));
    strbuf_printf(&url, "%s%s", usual, "&options=-c%20synchronous_commit%3Doff");
    setenv("DATABASE_URL", strbuf_cstr(&url), 1);
    world_t *second = world_new(1);
    assert_string_equal(world_query(second, "show synchronous_commit"), "off");
    job_t *job = world_send(second, "conv_1_2", "1", "a", "x", 0);
    world_query(second, "create or replace function setting() returns trigger language plpgsql as"
                        " $$ begin new.text := current_setting('synchronous_commit'); return new;"
                        " end $$; drop trigger if exists setting on messages;"
                        " create trigger setting before insert on messages for each row"
                        " execute function setting()");
    world_write(second, &job, 1);
    job_free(&job);
    assert_string_equal(world_query(second, "select text from messages"), "on");
    world_query(second, "drop trigger setting on messages");
    world_free(&second);
    setenv("DATABASE_URL", usual, 1);
    free(usual);
    strbuf_fini(&url);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_users),
        TEST(test_one_user_twice_in_a_batch),
        TEST(test_first_message_makes_the_conversation),
        TEST(test_a_batch_of_many),
        TEST(test_a_repeated_send_gives_the_first_back),
        TEST(test_reply_targets),
        TEST(test_unknown_partner),
        TEST(test_the_sender_needs_no_introduction),
        TEST(test_marks),
        TEST(test_strangers_write_nothing_in_groups),
        TEST(test_concurrent_writers_of_the_same),
        TEST(test_killed_in_the_middle),
        TEST(test_a_refused_batch_leaves_nothing),
        TEST(test_a_lock_is_waited_for_and_given_up),
        TEST(test_settings_whatever_the_url_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
