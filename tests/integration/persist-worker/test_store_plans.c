/* Every statement's plan over tables with many rows: each row it needs is found by an index, so
 * that its cost doesn't grow with the tables. */
#include "store_world.h"

static PGconn *connection;

/* More pages than any statement here needs, and far fewer than the tables have. */
enum { PAGES_MAX = 400 };

static PGresult *execute(const char *sql) {
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    return result;
}

static void run(const char *sql) {
    PQclear(execute(sql));
}

static const char fill[] =
    "insert into users (id, name, role) select n::text, 'U', 'customer'"
    " from generate_series(1, 40000) n;"
    "insert into conversations (conversation_id, kind, creator_id, head_seq, created_at,"
    " last_activity_at) select 'conv_' || n || '_' || n + 20000, 'direct', n::text, 10, now(),"
    " now() - n * interval '1 second' from generate_series(1, 20000) n;"
    "insert into participants (conversation_id, user_id, joined_at)"
    " select 'conv_' || n || '_' || n + 20000, unnest(array[n, n + 20000])::text, now()"
    " from generate_series(1, 20000) n;"
    "insert into conversations (conversation_id, kind, title, creator_id, head_seq, created_at,"
    " last_activity_at) select 'group_' || n, 'group', 'T', '1', 0, now(), now()"
    " from generate_series(1, 1000) n;"
    "insert into participants (conversation_id, user_id, joined_at)"
    " select 'group_' || n, unnest(array[n % 50, n % 50 + 50])::text, now()"
    " from generate_series(1, 1000) n;"
    "insert into member_changes (conversation_id, members_version, user_id, added, changed_by,"
    " changed_at) select 'group_' || n, v, v::text, true, '1', now()"
    " from generate_series(1, 1000) n, generate_series(1, 20) v;"
    "insert into messages (conversation_id, seq, id, sender_id, client_id, text, created_at)"
    " select 'conv_' || n || '_' || n + 20000, s, gen_random_uuid(), n::text, s::text,"
    " repeat('x', 100), now() from generate_series(1, 20000) n, generate_series(1, 10) s;";

static int set_up(void **state) {
    (void)state;
    world_t *world = world_new(1); /* brings the schema */
    world_free(&world);
    connection = PQconnectdb(getenv("DATABASE_URL"));
    run(fill);
    run("vacuum analyze");
    /* As db.c has it. */
    run("set plan_cache_mode = force_generic_plan; set jit = off; set enable_seqscan = off;"
        " set enable_hashjoin = off; set enable_mergejoin = off");
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        strbuf_t sql = {0};
        strbuf_printf(&sql, "prepare \"%s\" as %s", statement_name((statement_t)i),
                      statement_sql((statement_t)i));
        run(strbuf_cstr(&sql));
        strbuf_fini(&sql);
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    PQfinish(connection);
    return 0;
}

#define CONVERSATIONS "array['conv_7_20007', 'conv_19000_39000', 'conv_300_20300']"

static const char *const arguments[STATEMENT_COUNT] = {
    [STATEMENT_UPSERT_USERS] = "array['7', '39000', 'new'], array['U', 'V', ''], array['', '', '']",
    [STATEMENT_CREATE_DIRECT] = "array['conv_7_8', 'conv_7_20007'], array['7', '7'], array['8', "
                                "'20007'], array['7', '7'], 1",
    [STATEMENT_LOCK] = CONVERSATIONS,
    [STATEMENT_SEND] =
        CONVERSATIONS ", array['7', '19000', '300'], array['5', 'a', 'b'], array['x', 'x', 'x'],"
                      " array[null, 3, null]::bigint[], array[null, null, null]::text[],"
                      " array[gen_random_uuid(), gen_random_uuid(), gen_random_uuid()]",
    [STATEMENT_MARK_READ] = CONVERSATIONS
    ", array['7', '39000', '300'], array[null, 5, 99]::bigint[], array['20007', '19000', '20300']",
    [STATEMENT_LAST_SEEN] = "array['7', '39000'], array[1767225600000, 1767225600000]",
    [STATEMENT_PUT_USER] = "'7', 'V', 'customer'",
    [STATEMENT_CREATE_GROUP] = "'group_new', 'T', '7', array['7', '8', '39000']",
    [STATEMENT_ADD_PARTICIPANTS] = "'group_7', '7', array['100', '39000'], 1000",
    [STATEMENT_REMOVE_PARTICIPANT] = "'group_7', '7', '57'",
    [STATEMENT_CONVERSATION] = "'conv_7_20007', '7', '20007'",
    [STATEMENT_PARTICIPANTS] = CONVERSATIONS,
    [STATEMENT_USERS] = "array['7', '39000']",
    [STATEMENT_MESSAGES_AFTER] = "'conv_7_20007', 3, 9, 50",
    [STATEMENT_MESSAGES_BEFORE] = "'conv_7_20007', 9, 50",
    [STATEMENT_HEADS] = CONVERSATIONS,
    [STATEMENT_READS_AFTER] = "'conv_7_20007', now() - interval '1 day'",
    [STATEMENT_CHANGES] = "'7', now() - interval '1 day', 100",
    [STATEMENT_LIST] = "'7', null, null, 21",
    [STATEMENT_LOAD_GROUP] = "'group_7'",
    [STATEMENT_LAST_MESSAGES] = CONVERSATIONS,
    [STATEMENT_UNREAD] = CONVERSATIONS ", array['', '19000', '']",
};

/* The number behind the first `word` of the text, 0 without one. */
static long number_after(const char *text, const char *word) {
    const char *at = strstr(text, word);
    return at ? strtol(at + strlen(word), NULL, 10) : 0;
}

static void check_plan(statement_t statement, const char *values) {
    strbuf_t sql = {0}, plan = {0};
    assert_non_null(values);
    strbuf_printf(&sql, "explain (analyze, buffers, costs off, timing off) execute \"%s\"(%s)",
                  statement_name(statement), values);
    PQclear(execute("begin"));
    PGresult *result = execute(strbuf_cstr(&sql));
    for (int row = 0; row < PQntuples(result); row++) {
        strbuf_append(&plan, str_from(PQgetvalue(result, row, 0)));
        strbuf_append_char(&plan, '\n');
    }
    PQclear(result);
    PQclear(execute("rollback"));
    const char *text = strbuf_cstr(&plan);
    const char *buffers = strstr(text, "Buffers:");
    for (const char *at = text; (at = strstr(at, "Seq Scan on ")); at++) {
        if (strncmp(at, "Seq Scan on database_state", 26) != 0) /* one row */
            fail_msg("%s reads a whole table:\n%s", statement_name(statement), text);
    }
    for (const char *at = text; (at = strstr(at, "Rows Removed by Filter: ")); at++) {
        if (number_after(at, ": ") > 100)
            fail_msg("%s reads rows in vain:\n%s", statement_name(statement), text);
    }
    long pages = 0;
    if (buffers)
        pages = number_after(buffers, "hit=") + number_after(buffers, "read=");
    if (!buffers || pages > PAGES_MAX)
        fail_msg("%s touches %ld pages:\n%s", statement_name(statement), pages, text);
    print_message("%-20s %4ld pages\n", statement_name(statement), pages);
    strbuf_fini(&sql);
    strbuf_fini(&plan);
}

static void test_plans(void **state) {
    (void)state;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        check_plan((statement_t)i, arguments[i]);
}

static void test_plan_of_a_later_page(void **state) {
    (void)state;
    check_plan(STATEMENT_LIST, "'7', now(), 'group_7', 21");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_plan_of_a_later_page),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
