#include "auth-worker/database.h"

#include <libpq-fe.h>
#include <sodium/randombytes.h>
#include <utlist.h>

#include "common/log.h"

typedef struct statement {
    struct statement *prev, *next;
    const char *sql;
    char *parameters[DATABASE_PARAMETERS_MAX];
    size_t parameters_n;
    database_done_fn done;
    void *ctx;
} statement_t;

typedef enum {
    DATABASE_WAITING,    /* until the next attempt */
    DATABASE_CONNECTING, /* on a thread */
    DATABASE_PREPARING,  /* connected; the session's settings are being made */
    DATABASE_UP,
    DATABASE_CLOSED, /* database_free() was called */
} database_state_t;

struct database {
    uv_loop_t *loop;
    database_settings_t settings;
    database_state_t state;
    PGconn *connection;
    uv_poll_t *poll;     /* of the connection's socket; frees itself when closed */
    uv_timer_t timer;    /* WAITING: the next attempt; with a statement under way: its deadline */
    uv_work_t connect;   /* CONNECTING */
    PGconn *connected;   /* what the thread made of it */
    bool connect_active; /* the thread hasn't reported back */
    bool timer_closed;
    statement_t *statements; /* the first is under way if `running`; the oldest first */
    size_t statements_n;
    bool running;
    uint64_t began_ns;   /* the statement under way */
    PGresult *result;    /* of the statement under way */
    const char *failure; /* the connection is to be given up for this reason, by the timer */
    uint64_t retry_ms;   /* before the next attempt to connect */
    char session_sql[128];
};

static void set_state(database_t *self, database_state_t state) {
    ASSERT(self->state != DATABASE_CLOSED);
    self->state = state;
}

static void statement_free(statement_t *statement) {
    for (size_t i = 0; i < statement->parameters_n; i++)
        free(statement->parameters[i]);
    free(statement);
}

/* Takes the oldest statement out and ends it. */
static void finish_first(database_t *self, err_t err, const PGresult *rows) {
    statement_t *first = self->statements;
    DL_DELETE(self->statements, first);
    self->statements_n--;
    self->running = false;
    first->done(first->ctx, err, rows);
    statement_free(first);
}

/* ---- losing the connection ---- */

static void free_poll(uv_handle_t *handle) {
    free(handle);
}

/* libuv lets go of the socket at once, so that libpq may close it. */
static void drop_connection(database_t *self) {
    if (self->poll)
        uv_close((uv_handle_t *)self->poll, free_poll);
    self->poll = NULL;
    PQclear(self->result);
    self->result = NULL;
    PQfinish(self->connection);
    self->connection = NULL;
    self->running = false;
}

static void on_timer(uv_timer_t *timer);

static void wait_before_retry(database_t *self) {
    uint64_t jitter_ms = randombytes_uniform((uint32_t)(self->retry_ms / 2 + 1));
    set_state(self, DATABASE_WAITING);
    uv_timer_start(&self->timer, on_timer, self->retry_ms - jitter_ms, 0);
    self->retry_ms *= 2;
    if (self->retry_ms > DATABASE_RETRY_MAX_MS)
        self->retry_ms = DATABASE_RETRY_MAX_MS;
}

/* Everything unanswered ends with it; callees that execute more are refused, for the state has
 * changed before. */
static void lose_connection(database_t *self, const char *reason) {
    log_warn("database_lost", log_text("connection", self->settings.name),
             log_text("reason", reason));
    drop_connection(self);
    wait_before_retry(self);
    while (self->statements)
        finish_first(self, ERR_UNAVAILABLE, NULL);
}

/* ---- running statements ---- */

static void on_socket(uv_poll_t *poll, int status, int events);

/* Sends what libpq still holds, and asks to be called when the socket can take or has more. */
static bool flush(database_t *self) {
    int pending = PQflush(self->connection);
    if (pending < 0)
        return false;
    return uv_poll_start(self->poll, UV_READABLE | (pending ? UV_WRITABLE : 0), on_socket) == 0;
}

static void start_next(database_t *self) {
    statement_t *first = self->statements;
    if (self->running || !first)
        return;
    self->running = true;
    self->began_ns = uv_hrtime();
    uv_timer_start(&self->timer, on_timer,
                   (uint64_t)(self->settings.statement_timeout_ms + DATABASE_GRACE_MS), 0);
    self->failure = "no answer in time";
    if (PQsendQueryParams(self->connection, first->sql, (int)first->parameters_n, NULL,
                          (const char *const *)first->parameters, NULL, NULL, 0) == 1 &&
        flush(self))
        return;
    self->failure = "a statement can't be sent";
    uv_timer_start(&self->timer, on_timer, 0, 0); /* later: nobody is called back from within */
}

static void enqueue(database_t *self, statement_t *statement) {
    DL_APPEND(self->statements, statement);
    self->statements_n++;
    start_next(self);
}

/* What may pass by itself: connections, resources, locks, time-outs, a server that is stopping, a
 * standby, and tables that persist-worker has still to make. */
static bool is_transient(const char *sqlstate) {
    if (!sqlstate[0])
        return true; /* libpq's own: the connection broke */
    static const char *const states[] = {"08", "40", "53", "57", "55P03", "25006", "42P01"};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strncmp(sqlstate, states[i], strlen(states[i])) == 0)
            return true;
    }
    return false;
}

/* The server's message stays out of the log where it may quote values. */
static err_t result_error(database_t *self, const PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return OK;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    sqlstate = sqlstate ? sqlstate : "";
    bool quotes_values = strncmp(sqlstate, "22", 2) == 0 || !message;
    log_refused("statement_failed", log_text("connection", self->settings.name),
                log_text("sqlstate", sqlstate), log_text("message", quotes_values ? "" : message));
    return is_transient(sqlstate) ? ERR_UNAVAILABLE : ERR_IO;
}

static void finish_statement(database_t *self) {
    PGresult *result = self->result;
    self->result = NULL;
    uv_timer_stop(&self->timer);
    if (self->settings.took)
        self->settings.took(self->settings.ctx, (double)(uv_hrtime() - self->began_ns) / 1e9);
    err_t err = result_error(self, result);
    finish_first(self, err, err == OK ? result : NULL);
    PQclear(result);
}

static void on_socket(uv_poll_t *poll, int status, int events) {
    database_t *self = poll->data;
    if (status < 0 || ((events & UV_READABLE) && PQconsumeInput(self->connection) != 1) ||
        !flush(self)) {
        lose_connection(self, "the connection broke");
        return;
    }
    while (self->running && !PQisBusy(self->connection)) {
        PGresult *result = PQgetResult(self->connection);
        if (!result) {
            finish_statement(self);
            break;
        }
        PQclear(self->result);
        self->result = result;
    }
    if (self->connection && PQstatus(self->connection) == CONNECTION_BAD)
        lose_connection(self, "the server closed the connection");
    else if (self->state == DATABASE_UP)
        start_next(self);
}

/* ---- connecting ---- */

/* On a thread: nothing of self but the settings and `connected`, which nobody else touches
 * meanwhile. */
static void on_connect_work(uv_work_t *request) {
    database_t *self = request->data;
    char seconds[12];
    snprintf(seconds, sizeof(seconds), "%d", DATABASE_CONNECT_SECONDS);
    const char *keywords[] = {"dbname",           "application_name", "connect_timeout",
                              "tcp_user_timeout", "client_encoding",  NULL};
    const char *values[] = {
        self->settings.url, self->settings.name, seconds, "10000", "UTF8", NULL};
    self->connected = PQconnectdbParams(keywords, values, 1);
}

static void on_session_ready(void *ctx, err_t err, const PGresult *rows) {
    database_t *self = ctx;
    (void)rows;
    if (self->state != DATABASE_PREPARING)
        return;
    if (err != OK) {
        lose_connection(self, "the session can't be prepared");
        return;
    }
    set_state(self, DATABASE_UP);
    self->retry_ms = DATABASE_RETRY_MIN_MS;
    log_info("database_up", log_text("connection", self->settings.name));
}

static void ignore_notice(void *ctx, const PGresult *notice) {
    (void)ctx;
    (void)notice;
}

static void prepare_session(database_t *self, PGconn *connection) {
    self->connection = connection;
    set_state(self, DATABASE_PREPARING);
    PQsetNoticeReceiver(connection, ignore_notice, NULL);
    self->poll = xcalloc(1, sizeof(*self->poll));
    self->poll->data = self;
    ASSERT(uv_poll_init(self->loop, self->poll, PQsocket(connection)) == 0);
    statement_t *statement = xcalloc(1, sizeof(*statement));
    statement->sql = self->session_sql;
    statement->done = on_session_ready;
    statement->ctx = self;
    if (PQsetnonblocking(connection, 1) == 0) {
        enqueue(self, statement);
    } else {
        statement_free(statement);
        lose_connection(self, "the connection can't be made non-blocking");
    }
}

static void free_if_closed(database_t *self) {
    if (self->state == DATABASE_CLOSED && self->timer_closed && !self->connect_active)
        free(self);
}

static void on_connected(uv_work_t *request, int status) {
    database_t *self = request->data;
    PGconn *connection = self->connected;
    self->connect_active = false;
    self->connected = NULL;
    ASSERT(status == 0);
    if (self->state == DATABASE_CLOSED) {
        PQfinish(connection);
        free_if_closed(self);
        return;
    }
    if (PQstatus(connection) == CONNECTION_OK) {
        prepare_session(self, connection);
        return;
    }
    log_refused("database_unreachable", log_text("connection", self->settings.name),
                log_text("reason", connection ? PQerrorMessage(connection) : "no memory"));
    PQfinish(connection);
    wait_before_retry(self);
}

static void begin_connecting(database_t *self) {
    set_state(self, DATABASE_CONNECTING);
    self->connect.data = self;
    self->connect_active = true;
    ASSERT(uv_queue_work(self->loop, &self->connect, on_connect_work, on_connected) == 0);
}

static void on_timer(uv_timer_t *timer) {
    database_t *self = timer->data;
    if (self->state == DATABASE_WAITING)
        begin_connecting(self);
    else if (self->running)
        lose_connection(self, self->failure);
}

/* ---- the interface ---- */

bool database_url_is_valid(str_t url) {
    char *text = str_dup(url);
    PQconninfoOption *options = PQconninfoParse(text, NULL);
    bool valid = options != NULL;
    PQconninfoFree(options);
    free(text);
    return valid;
}

database_t *database_new(uv_loop_t *loop, const database_settings_t *settings) {
    database_t *self = xcalloc(1, sizeof(*self));
    self->loop = loop;
    self->settings = *settings;
    self->retry_ms = DATABASE_RETRY_MIN_MS;
    snprintf(self->session_sql, sizeof(self->session_sql),
             "SELECT set_config('statement_timeout', '%lld', false),"
             " set_config('synchronous_commit', 'on', false)",
             (long long)settings->statement_timeout_ms);
    ASSERT(uv_timer_init(loop, &self->timer) == 0);
    self->timer.data = self;
    begin_connecting(self);
    return self;
}

static void on_timer_closed(uv_handle_t *handle) {
    database_t *self = handle->data;
    self->timer_closed = true;
    free_if_closed(self);
}

void database_free(database_t **self) {
    database_t *database = *self;
    statement_t *statement, *next;
    if (!database)
        return;
    *self = NULL;
    set_state(database, DATABASE_CLOSED);
    drop_connection(database);
    DL_FOREACH_SAFE(database->statements, statement, next) {
        DL_DELETE(database->statements, statement);
        statement_free(statement);
    }
    uv_close((uv_handle_t *)&database->timer, on_timer_closed);
}

err_t database_execute(database_t *self, const char *sql, const str_t *parameters, size_t count,
                       database_done_fn done, void *ctx) {
    ASSERT(count <= DATABASE_PARAMETERS_MAX);
    if (self->state != DATABASE_UP || self->statements_n >= self->settings.queue_max)
        return ERR_UNAVAILABLE;
    statement_t *statement = xcalloc(1, sizeof(*statement));
    statement->sql = sql;
    statement->parameters_n = count;
    for (size_t i = 0; i < count; i++)
        statement->parameters[i] = str_dup(parameters[i]);
    statement->done = done;
    statement->ctx = ctx;
    enqueue(self, statement);
    return OK;
}

bool database_is_up(const database_t *self) {
    return self->state == DATABASE_UP;
}

const char *database_state_name(const database_t *self) {
    switch (self->state) {
    case DATABASE_UP:
        return "up";
    case DATABASE_CONNECTING:
    case DATABASE_PREPARING:
        return "connecting";
    case DATABASE_WAITING:
    case DATABASE_CLOSED:
        return "down";
    }
    return "down";
}

size_t database_pending(const database_t *self) {
    return self->statements_n;
}
