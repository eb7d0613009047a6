#include "persist-worker/db.h"

#include "common/log.h"
#include "persist-worker/db_address.h"

enum {
    CONNECT_TIMEOUT_MS = 5000,
    PAUSE_MIN_MS = 50,
    PAUSE_MAX_MS = 500,        /* a try costs little, and sends wait meanwhile */
    WATCHDOG_MARGIN_MS = 3000, /* over the server's own timeouts */
};

typedef enum {
    STATE_PAUSE,      /* waits before the next try */
    STATE_RESOLVING,  /* asks for the host's address */
    STATE_CONNECTING, /* libpq's handshake */
    STATE_SETTINGS,   /* the session's settings are being made */
    STATE_SET_UP,     /* the handler's set_up runs */
    STATE_PREPARING,  /* the statements are being prepared */
    STATE_READY,      /* waits for a script */
    STATE_RUNNING,    /* runs one */
    STATE_CLOSED,
} state_t;

struct db {
    uv_loop_t *loop;
    const db_config_t *config;
    const db_handler_t *handler;
    void *ctx;
    state_t state;
    db_address_t *address;
    PGconn *connection;
    uv_poll_t *poll; /* on the connection's socket; closes on its own */
    int polled_fd;
    uv_timer_t timer; /* pause, or the bound on what is under way */
    int64_t pause_ms;
    uint64_t connects;
    /* the script or preparation that runs */
    size_t expected;
    size_t got;
    PGresult *results[STATEMENT_COUNT];
    PGresult *failure; /* the first that failed */
    db_done_fn done;
    void *arg;
    void (*text_done)(void *arg, PGresult *last);
    void *text_arg;
};

_Static_assert((int)DB_SCRIPT_MAX <= (int)STATEMENT_COUNT, "results hold a script's, too");

/* ---- scripts ---- */

void db_script_clear(db_script_t *self) {
    self->n = 0;
}

void db_script_fini(db_script_t *self) {
    for (size_t i = 0; i < DB_SCRIPT_MAX; i++)
        pg_params_fini(&self->params[i]);
    self->n = 0;
}

pg_params_t *db_script_add(db_script_t *self, statement_t statement) {
    ASSERT(self->n < DB_SCRIPT_MAX);
    self->statements[self->n] = statement;
    pg_params_t *params = &self->params[self->n++];
    pg_params_clear(params);
    return params;
}

/* ---- states ---- */

static void connect_now(db_t *self);
static void pump(db_t *self);
static void lose(db_t *self, const char *why);

static void on_timer(uv_timer_t *timer) {
    db_t *self = timer->data;
    if (self->state == STATE_PAUSE)
        connect_now(self);
    else
        lose(self, "no answer in time");
}

/* The only place that changes the state. `bound_ms`: after that long in it, the connection is given
 * up (a pause: made); 0: no bound. */
static void set_state(db_t *self, state_t state, int64_t bound_ms) {
    self->state = state;
    uv_timer_stop(&self->timer);
    if (bound_ms)
        uv_timer_start(&self->timer, on_timer, (uint64_t)bound_ms, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    (void)status; /* libpq finds out itself */
    (void)events;
    pump(poll->data);
}

static void free_handle(uv_handle_t *handle) {
    free(handle);
}

static void unpoll(db_t *self) {
    if (!self->poll)
        return;
    uv_poll_stop(self->poll);
    uv_close((uv_handle_t *)self->poll, free_handle);
    self->poll = NULL;
}

/* Waits for these events on the connection's socket, which libpq may have changed. */
static void poll_for(db_t *self, int events) {
    int fd = PQsocket(self->connection);
    if (self->poll && fd != self->polled_fd)
        unpoll(self);
    if (fd < 0)
        return;
    if (!self->poll) {
        self->poll = xcalloc(1, sizeof(*self->poll));
        self->poll->data = self;
        self->polled_fd = fd;
        ASSERT(uv_poll_init(self->loop, self->poll, fd) == 0);
    }
    uv_poll_start(self->poll, events, on_poll);
}

static void clear_results(db_t *self) {
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        PQclear(self->results[i]);
        self->results[i] = NULL;
    }
    PQclear(self->failure);
    self->failure = NULL;
    self->got = self->expected = 0;
}

static void disconnect(db_t *self) {
    unpoll(self);
    PQfinish(self->connection);
    self->connection = NULL;
}

/* Gives the connection up and tries again after a pause. */
static void lose(db_t *self, const char *why) {
    char reason[256];
    snprintf(reason, sizeof(reason), "%s", why);
    reason[strcspn(reason, "\n")] = '\0';
    bool running = self->state == STATE_RUNNING;
    db_done_fn done = self->done;
    void *arg = self->arg;
    set_state(self, STATE_PAUSE, self->pause_ms);
    self->pause_ms = self->pause_ms * 2 < PAUSE_MAX_MS ? self->pause_ms * 2 : PAUSE_MAX_MS;
    db_address_cancel(self->address);
    clear_results(self);
    disconnect(self);
    self->done = NULL;
    if (running)
        done(arg, &(db_outcome_t){.status = DB_LOST, .message = str_from(reason)});
    if (self->state == STATE_PAUSE)
        self->handler->lost(self->ctx, self, reason);
}

/* ---- connecting ---- */

static void become_ready(db_t *self) {
    set_state(self, STATE_READY, 0);
    poll_for(self, UV_READABLE); /* to notice a lost connection */
    self->handler->ready(self->ctx, self);
}

/* Sends the statements to prepare. */
static void prepare_all(db_t *self) {
    bool sent = PQenterPipelineMode(self->connection) == 1;
    for (int i = 0; i < STATEMENT_COUNT && sent; i++)
        sent = PQsendPrepare(self->connection, statement_name((statement_t)i),
                             statement_sql((statement_t)i), 0, NULL) == 1;
    sent = sent && PQpipelineSync(self->connection) == 1;
    if (!sent) {
        lose(self, PQerrorMessage(self->connection));
        return;
    }
    self->expected = STATEMENT_COUNT;
    set_state(self, STATE_PREPARING, self->config->statement_timeout_ms + WATCHDOG_MARGIN_MS);
    pump(self);
}

void db_prepared(db_t *self, bool ok) {
    if (self->state != STATE_SET_UP)
        return;
    if (ok)
        prepare_all(self);
    else
        lose(self, "set-up failed");
}

void db_run_text(db_t *self, const char *sql, int64_t timeout_ms,
                 void (*done)(void *arg, PGresult *last), void *arg) {
    ASSERT(self->state == STATE_SET_UP || self->state == STATE_SETTINGS);
    self->text_done = done;
    self->text_arg = arg;
    set_state(self, self->state, timeout_ms);
    if (PQsendQuery(self->connection, sql) != 1) {
        lose(self, PQerrorMessage(self->connection));
        return;
    }
    pump(self);
}

static void on_settings(void *arg, PGresult *last) {
    db_t *self = arg;
    if (!last) {
        lose(self, "the session's settings were refused");
        return;
    }
    set_state(self, STATE_SET_UP, 0);
    if (self->handler->set_up)
        self->handler->set_up(self->ctx, self);
    else
        prepare_all(self);
}

/* What every session needs, whatever DATABASE_URL says. Every statement is made for index look-ups
 * in nested loops; other plans only win on tables that are still small, and are kept too long. */
static void make_settings(db_t *self) {
    strbuf_t sql = {0};
    strbuf_printf(&sql,
                  "set synchronous_commit = on; set default_transaction_isolation ="
                  " 'read committed'; set statement_timeout = %lld; set lock_timeout = %lld;"
                  " set idle_in_transaction_session_timeout = '10s'; set jit = off;"
                  " set plan_cache_mode = force_generic_plan; set enable_seqscan = off;"
                  " set enable_hashjoin = off; set enable_mergejoin = off",
                  (long long)self->config->statement_timeout_ms,
                  (long long)self->config->lock_timeout_ms);
    self->connects++;
    set_state(self, STATE_SETTINGS, 0);
    db_run_text(self, strbuf_cstr(&sql), CONNECT_TIMEOUT_MS, on_settings, self);
    strbuf_fini(&sql);
}

static void ignore_notice(void *arg, const PGresult *result) {
    (void)arg;
    (void)result;
}

static void continue_connecting(db_t *self) {
    unpoll(self); /* libpq may close the socket and open another of the same number */
    switch (PQconnectPoll(self->connection)) {
    case PGRES_POLLING_READING:
        poll_for(self, UV_READABLE);
        return;
    case PGRES_POLLING_WRITING:
        poll_for(self, UV_WRITABLE);
        return;
    case PGRES_POLLING_OK:
        if (PQsetnonblocking(self->connection, 1) == 0) {
            make_settings(self);
            return;
        }
        break;
    default:
        break;
    }
    lose(self, PQerrorMessage(self->connection));
}

static void on_address(void *arg, const char *const *keywords, const char *const *values) {
    db_t *self = arg;
    if (!keywords) {
        lose(self, "the host name isn't known");
        return;
    }
    self->connection = PQconnectStartParams(keywords, values, 0);
    ASSERT(self->connection);
    PQsetNoticeReceiver(self->connection, ignore_notice, NULL);
    set_state(self, STATE_CONNECTING, CONNECT_TIMEOUT_MS);
    if (PQstatus(self->connection) == CONNECTION_BAD)
        lose(self, PQerrorMessage(self->connection));
    else
        poll_for(self, UV_WRITABLE);
}

static void connect_now(db_t *self) {
    set_state(self, STATE_RESOLVING, CONNECT_TIMEOUT_MS);
    db_address_resolve(self->address, on_address, self);
}

/* ---- running ---- */

void db_run(db_t *self, const db_script_t *script, db_done_fn done, void *arg) {
    ASSERT(self->state == STATE_READY && script->n > 0);
    bool sent = true;
    for (size_t i = 0; i < script->n && sent; i++) {
        const char *values[PG_PARAMS_MAX];
        int lengths[PG_PARAMS_MAX], formats[PG_PARAMS_MAX];
        const pg_params_t *params = &script->params[i];
        for (size_t k = 0; k < params->n; k++) {
            values[k] = pg_params_value(params, k, &lengths[k]);
            formats[k] = 1;
        }
        sent = PQsendQueryPrepared(self->connection, statement_name(script->statements[i]),
                                   (int)params->n, values, lengths, formats, 1) == 1;
    }
    sent = sent && PQpipelineSync(self->connection) == 1;
    self->expected = script->n;
    self->done = done;
    self->arg = arg;
    int64_t bound_ms = self->config->statement_timeout_ms + WATCHDOG_MARGIN_MS;
    /* What could not be sent ends as lost, but later than this call. */
    set_state(self, STATE_RUNNING, sent ? bound_ms : 1);
    if (sent)
        poll_for(self, PQflush(self->connection) == 1 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    else
        unpoll(self); /* libpq may have closed the socket */
}

/* The pipeline is at its end: everything was committed, or nothing. */
static void finish(db_t *self) {
    if (PQstatus(self->connection) == CONNECTION_BAD) {
        lose(self, PQerrorMessage(self->connection));
        return;
    }
    PGresult *results[STATEMENT_COUNT];
    PGresult *failure = self->failure;
    size_t n = self->got;
    bool preparing = self->state == STATE_PREPARING;
    memcpy(results, self->results, sizeof(results));
    memset(self->results, 0, sizeof(self->results));
    self->failure = NULL;
    db_outcome_t outcome = {.status = failure ? DB_FAILED : DB_OK, .results = results, .n = n};
    if (failure) {
        outcome.sqlstate = str_from(PQresultErrorField(failure, PG_DIAG_SQLSTATE));
        outcome.message = str_from(PQresultErrorField(failure, PG_DIAG_MESSAGE_PRIMARY));
    }
    db_done_fn done = self->done;
    self->done = NULL;
    clear_results(self);
    if (!failure && preparing)
        self->pause_ms = PAUSE_MIN_MS;
    set_state(self, STATE_READY, 0);
    if (preparing && failure)
        lose(self, PQresultErrorMessage(failure));
    else if (!preparing)
        done(self->arg, &outcome);
    for (size_t i = 0; i < n; i++)
        PQclear(results[i]);
    PQclear(failure);
    if (self->state == STATE_READY)
        become_ready(self);
}

/* One result of a pipeline; false when it was the last. */
static bool take_result(db_t *self, PGresult *result) {
    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        PQclear(result);
        finish(self);
        return false;
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        if (self->got < self->expected) {
            self->results[self->got++] = result;
            return true;
        }
        break;
    case PGRES_PIPELINE_ABORTED:
        break;
    default:
        if (!self->failure) {
            self->failure = result;
            return true;
        }
        break;
    }
    PQclear(result);
    return true;
}

/* Reads what has come of a pipeline. Between its statements libpq says NULL. */
static void read_pipeline(db_t *self) {
    unsigned nothing = 0;
    while (!PQisBusy(self->connection)) {
        PGresult *result = PQgetResult(self->connection);
        nothing = result ? 0 : nothing + 1;
        if (nothing > 1 || (!result && PQstatus(self->connection) == CONNECTION_BAD)) {
            if (PQstatus(self->connection) == CONNECTION_BAD)
                lose(self, self->failure ? PQresultErrorMessage(self->failure)
                                         : PQerrorMessage(self->connection));
            return;
        }
        if (result && !take_result(self, result))
            return;
    }
}

/* Reads what has come of a text; its last result goes to the callback. */
static void read_text(db_t *self) {
    while (!PQisBusy(self->connection)) {
        PGresult *result = PQgetResult(self->connection);
        if (result) {
            PQclear(self->results[0]);
            self->results[0] = result;
            continue;
        }
        PGresult *last = self->results[0];
        self->results[0] = NULL;
        ExecStatusType status = PQresultStatus(last);
        bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
        if (!ok)
            log_warn("database_setup_failed", log_text("reason", PQresultErrorMessage(last)));
        self->text_done(self->text_arg, ok ? last : NULL);
        PQclear(last);
        return;
    }
}

/* Does what libpq can do now. */
static void pump(db_t *self) {
    if (self->state == STATE_CONNECTING) {
        continue_connecting(self);
        return;
    }
    if (PQconsumeInput(self->connection) == 0) {
        lose(self, PQerrorMessage(self->connection));
        return;
    }
    int unsent = PQflush(self->connection);
    if (unsent < 0) {
        lose(self, PQerrorMessage(self->connection));
        return;
    }
    poll_for(self, unsent ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    if (self->state == STATE_SETTINGS || self->state == STATE_SET_UP)
        read_text(self);
    else if (self->state == STATE_RUNNING || self->state == STATE_PREPARING)
        read_pipeline(self);
    else if (PQstatus(self->connection) == CONNECTION_BAD)
        lose(self, PQerrorMessage(self->connection));
}

/* ---- life ---- */

db_t *db_new(uv_loop_t *loop, const db_config_t *config, const db_handler_t *handler, void *ctx) {
    db_t *self = xcalloc(1, sizeof(*self));
    self->loop = loop;
    self->config = config;
    self->handler = handler;
    self->ctx = ctx;
    self->pause_ms = PAUSE_MIN_MS;
    self->address = db_address_new(loop, config->url, config->application_name);
    ASSERT(uv_timer_init(loop, &self->timer) == 0);
    self->timer.data = self;
    set_state(self, STATE_PAUSE, 1);
    return self;
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

void db_close(db_t **self_in) {
    db_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    set_state(self, STATE_CLOSED, 0);
    clear_results(self);
    disconnect(self);
    db_address_free(&self->address);
    uv_close((uv_handle_t *)&self->timer, on_closed);
}

bool db_is_ready(const db_t *self) {
    return self->state == STATE_READY;
}

bool db_is_connected(const db_t *self) {
    return self->state == STATE_READY || self->state == STATE_RUNNING;
}

uint64_t db_connects(const db_t *self) {
    return self->connects;
}
