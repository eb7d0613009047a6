#include "persist-worker/migrate.h"

#include <sodium.h>

#include "common/log.h"

enum {
    LOCK_TIMEOUT_MS = 600000, /* another worker's migration may take long */
    CHECKSUM_BYTES = 16,
    CHECKSUM_TEXT = 2 * CHECKSUM_BYTES + 1,
};

struct migrate {
    db_t *db;
    strbuf_t sql;
    size_t applied; /* how many this run applies */
    bool done;
};

/* The number is any that nobody else uses in this database: "parley" in ASCII. */
static const char lock_sql[] =
    "begin; set local statement_timeout = 0; set local lock_timeout = 0;"
    " set local idle_in_transaction_session_timeout = 0; set local client_min_messages = warning;"
    " select pg_advisory_xact_lock(123563833845113);"
    " select to_regclass('schema_migrations') is not null";

static const char create_sql[] =
    "create table schema_migrations (number int primary key, name text not null,"
    " checksum text not null, applied_at timestamptz not null default now());";

migrate_t *migrate_new(void) {
    return xcalloc(1, sizeof(migrate_t));
}

void migrate_free(migrate_t **self) {
    if (*self)
        strbuf_fini(&(*self)->sql);
    free(*self);
    *self = NULL;
}

bool migrate_is_done(const migrate_t *self) {
    return self->done;
}

static void checksum(const char *sql, char text_out[CHECKSUM_TEXT]) {
    unsigned char hash[CHECKSUM_BYTES];
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)sql, strlen(sql), NULL, 0);
    sodium_bin2hex(text_out, CHECKSUM_TEXT, hash, sizeof(hash));
}

static void on_applied(void *arg, PGresult *last) {
    migrate_t *self = arg;
    if (last && self->applied)
        log_info("schema_migrated", log_u64("applied", self->applied));
    self->done = self->done || last;
    db_prepared(self->db, last != NULL);
}

/* The checksum that `applied` has for this migration, NULL when it isn't there. */
static const char *applied_checksum(const PGresult *applied, unsigned number) {
    for (int row = 0; applied && row < PQntuples(applied); row++) {
        uint64_t value;
        if (str_to_u64(str_from(PQgetvalue(applied, row, 0)), UINT32_MAX, &value) == OK &&
            value == number)
            return PQgetvalue(applied, row, 1);
    }
    return NULL;
}

/* Runs what `applied` (NULL: nothing yet) lacks. */
static void apply(migrate_t *self, const PGresult *applied) {
    self->applied = 0;
    for (size_t i = 0; i < migration_count; i++) {
        const migration_t *migration = &migrations[i];
        char sum[CHECKSUM_TEXT];
        checksum(migration->sql, sum);
        const char *known = applied_checksum(applied, migration->number);
        if (known && strcmp(known, sum) != 0) {
            log_error("schema_differs", log_text("migration", migration->name),
                      log_text("applied", known), log_text("expected", sum));
            db_prepared(self->db, false);
            return;
        }
        if (known)
            continue;
        self->applied++;
        strbuf_printf(&self->sql,
                      "%s;\ninsert into schema_migrations (number, name, checksum)"
                      " values (%u, '%s', '%s');\n",
                      migration->sql, migration->number, migration->name, sum);
    }
    strbuf_append(&self->sql, STR("commit"));
    db_run_text(self->db, strbuf_cstr(&self->sql), LOCK_TIMEOUT_MS, on_applied, self);
}

static void on_read(void *arg, PGresult *last) {
    migrate_t *self = arg;
    if (last)
        apply(self, last);
    else
        db_prepared(self->db, false);
}

static void on_locked(void *arg, PGresult *last) {
    migrate_t *self = arg;
    if (!last) {
        db_prepared(self->db, false);
        return;
    }
    strbuf_clear(&self->sql);
    if (PQgetvalue(last, 0, 0)[0] == 't') {
        db_run_text(self->db, "select number, checksum from schema_migrations", LOCK_TIMEOUT_MS,
                    on_read, self);
        return;
    }
    strbuf_append(&self->sql, str_from(create_sql));
    apply(self, NULL);
}

void migrate_run(migrate_t *self, db_t *db) {
    self->db = db;
    db_run_text(db, lock_sql, LOCK_TIMEOUT_MS, on_locked, self);
}
