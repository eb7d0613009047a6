/* PostgreSQL alone, fed with durable batches as well as it can be: the storage's floor.
 *
 *   pg_private run postgres_floor [SECONDS]
 *
 * The same work as a message needs in any of the compared systems: its seq, its row with the unique
 * key that makes a repetition harmless, the conversation's head, committed with fsync. One prepared
 * statement a batch, from one or two connections at once. Prints a JSON array, one object for each
 * size of batch and number of connections. */
#include <poll.h>
#include <time.h>

#include <libpq-fe.h>

#include "tests/load/histogram.h"

enum { CONVERSATIONS = 1000, CONNECTIONS_MAX = 2 };

static const char schema[] =
    "set client_min_messages = warning;"
    "drop table if exists floor_messages, floor_heads;"
    "create table floor_heads (conversation_id text collate \"C\" primary key,"
    " head_seq bigint not null default 0) with (fillfactor = 70);"
    "create table floor_messages (conversation_id text collate \"C\" not null, seq bigint not null,"
    " id uuid not null default gen_random_uuid(), sender_id text collate \"C\" not null,"
    " client_id text collate \"C\" not null, text text not null,"
    " created_at timestamptz not null default now(), primary key (conversation_id, seq),"
    " unique (conversation_id, sender_id, client_id));"
    "insert into floor_heads select 'conv_' || n || '_x' from generate_series(0, 999) n";

/* $1 conversations, $2 client ids, $3 texts. */
static const char statement[] =
    "with input as materialized ("
    " select w.*, h.head_seq + row_number() over (partition by w.conversation_id order by w.n) as "
    "seq"
    " from unnest($1::text[], $2::text[], $3::text[]) with ordinality"
    "   as w (conversation_id, client_id, text, n)"
    " join floor_heads h on h.conversation_id = w.conversation_id"
    "), inserted as ("
    " insert into floor_messages (conversation_id, seq, sender_id, client_id, text)"
    " select conversation_id, seq, '1', client_id, text from input on conflict do nothing"
    "), heads as ("
    " update floor_heads h set head_seq = f.seq from (select conversation_id, max(seq) as seq"
    "   from input group by conversation_id) as f where h.conversation_id = f.conversation_id"
    ") select seq from input order by n";

typedef struct {
    PGconn *db;
    size_t number;
    int64_t began_ns;
    bool busy;
} writer_t;

static uint64_t client_ids;

static int64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static _Noreturn void fail(PGconn *db) {
    fprintf(stderr, "postgres_floor: %s", PQerrorMessage(db));
    exit(1);
}

static void execute(PGconn *db, const char *sql) {
    PGresult *result = PQexec(db, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail(db);
    PQclear(result);
}

static PGconn *connect_database(void) {
    const char *url = getenv("DATABASE_URL");
    PGconn *db = PQconnectdb(url ? url : "");
    if (PQstatus(db) != CONNECTION_OK)
        fail(db);
    execute(db, "set synchronous_commit = on");
    return db;
}

/* Each writer has conversations of its own, as the compared systems see to it. */
static void start_batch(writer_t *writer, size_t writers, size_t rows) {
    strbuf_t conversations = {0}, clients = {0}, texts = {0};
    for (size_t i = 0; i < rows; i++) {
        const char *separator = i ? "," : "{";
        uint64_t n = client_ids++;
        size_t conversation =
            (size_t)(n * 7919) % (CONVERSATIONS / writers) * writers + writer->number;
        strbuf_printf(&conversations, "%sconv_%zu_x", separator, conversation);
        strbuf_printf(&clients, "%s%llu", separator, (unsigned long long)n);
        strbuf_printf(&texts,
                      "%s\"load %llu a message of ordinary length, as people write them to each "
                      "other when they agree on a date\"",
                      separator, (unsigned long long)n);
    }
    strbuf_append_char(&conversations, '}');
    strbuf_append_char(&clients, '}');
    strbuf_append_char(&texts, '}');
    const char *values[] = {strbuf_cstr(&conversations), strbuf_cstr(&clients),
                            strbuf_cstr(&texts)};
    writer->began_ns = clock_ns();
    writer->busy = true;
    if (!PQsendQueryPrepared(writer->db, "send", 3, values, NULL, NULL, 0))
        fail(writer->db);
    strbuf_fini(&conversations);
    strbuf_fini(&clients);
    strbuf_fini(&texts);
}

/* Has the batch been committed? */
static bool finish_batch(writer_t *writer) {
    if (!PQconsumeInput(writer->db))
        fail(writer->db);
    while (!PQisBusy(writer->db)) {
        PGresult *result = PQgetResult(writer->db);
        if (!result) {
            writer->busy = false;
            return true;
        }
        if (PQresultStatus(result) != PGRES_TUPLES_OK)
            fail(writer->db);
        PQclear(result);
    }
    return false;
}

static void measure(writer_t *all, size_t writers, size_t rows, double seconds, bool first) {
    histogram_t *batches = xcalloc(1, sizeof(*batches));
    strbuf_t out = {0};
    int64_t start = clock_ns(), end = start + (int64_t)(seconds * 1e9), last = start;
    for (size_t w = 0; w < writers; w++)
        start_batch(&all[w], writers, rows);
    for (size_t busy = writers; busy > 0;) {
        struct pollfd fds[CONNECTIONS_MAX];
        for (size_t w = 0; w < writers; w++)
            fds[w] = (struct pollfd){all[w].busy ? PQsocket(all[w].db) : -1, POLLIN, 0};
        poll(fds, writers, -1);
        for (size_t w = 0; w < writers; w++) {
            if (!fds[w].revents || !finish_batch(&all[w]))
                continue;
            last = clock_ns();
            histogram_add(batches, last - all[w].began_ns);
            if (last < end)
                start_batch(&all[w], writers, rows);
            else
                busy--;
        }
    }
    strbuf_printf(&out, "%s{\"connections\":%zu,\"rows\":%zu,\"messages_per_s\":%.0f,\"batch\":",
                  first ? "[" : ",", writers, rows,
                  (double)(batches->count * rows) * 1e9 / (double)(last - start));
    histogram_write_json(batches, &out);
    printf("%s}", strbuf_cstr(&out));
    strbuf_fini(&out);
    free(batches);
}

int main(int argc, char **argv) {
    static const size_t sizes[] = {1, 50, 100, 200, 400, 800};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
    writer_t writers[CONNECTIONS_MAX];
    for (size_t w = 0; w < CONNECTIONS_MAX; w++) {
        writers[w] = (writer_t){.db = connect_database(), .number = w};
        if (w == 0)
            execute(writers[w].db, schema);
        PQclear(PQprepare(writers[w].db, "send", statement, 0, NULL));
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (size_t n = 1; n <= CONNECTIONS_MAX; n++)
            measure(writers, n, sizes[i], seconds, i == 0 && n == 1);
    puts("]");
    for (size_t w = 0; w < CONNECTIONS_MAX; w++)
        PQfinish(writers[w].db);
    return 0;
}
