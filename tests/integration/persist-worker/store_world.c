#include "store_world.h"

#include "common/clock.h"
#include "common/log.h"

static world_line_t *line_of(world_t *self, const db_t *db) {
    for (size_t i = 0; i < self->n; i++) {
        if (self->lines[i].db == db || !self->lines[i].db)
            return &self->lines[i];
    }
    return NULL;
}

static void set_up(void *ctx, db_t *db) {
    migrate_run(((world_t *)ctx)->migrate, db);
}

static void on_ready(void *ctx, db_t *db) {
    (void)ctx;
    (void)db;
}

static void on_lost(void *ctx, db_t *db, const char *why) {
    world_t *self = ctx;
    world_line_t *line = line_of(self, db);
    log_warn("lost", log_text("reason", why));
    line->losses++;
    seen_clear(line->known.users);
    seen_clear(line->known.conversations);
}

/* The first connection brings the schema. */
static const db_handler_t first_handler = {set_up, on_ready, on_lost};
static const db_handler_t other_handler = {NULL, on_ready, on_lost};

static void on_deadline(uv_timer_t *timer) {
    ((world_t *)timer->data)->late = true;
}

world_t *world_new(size_t connections) {
    world_t *self = xcalloc(1, sizeof(*self));
    log_init("test", "store", LOG_LEVEL_WARN);
    uv_loop_init(&self->loop);
    uv_timer_init(&self->loop, &self->deadline);
    self->deadline.data = self;
    self->config = (db_config_t){.url = getenv("DATABASE_URL"),
                                 .application_name = "store-test",
                                 .statement_timeout_ms = 5000,
                                 .lock_timeout_ms = 2000};
    assert_non_null(self->config.url);
    self->migrate = migrate_new();
    self->arena = proto_arena_new();
    self->n = connections;
    for (size_t i = 0; i < connections; i++) {
        world_line_t *line = &self->lines[i];
        line->known = (store_known_t){seen_new(1000), seen_new(1000)};
        line->db = db_new(&self->loop, &self->config, i ? &other_handler : &first_handler, self);
        world_connected(self, i);
    }
    return self;
}

void world_free(world_t **self_in) {
    world_t *self = *self_in;
    *self_in = NULL;
    for (size_t i = 0; i < self->n; i++) {
        world_line_t *line = &self->lines[i];
        db_close(&line->db);
        seen_free(&line->known.users);
        seen_free(&line->known.conversations);
        db_script_fini(&line->script);
        for (size_t k = 0; k < WORLD_JOBS_MAX; k++)
            strbuf_fini(&line->texts[k]);
    }
    uv_close((uv_handle_t *)&self->deadline, NULL);
    uv_run(&self->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&self->loop), 0);
    migrate_free(&self->migrate);
    proto_arena_free(&self->arena);
    strbuf_fini(&self->answer);
    free(self);
}

void world_until(world_t *self, const bool *condition, bool wanted) {
    self->late = false;
    uv_timer_start(&self->deadline, on_deadline, 30000, 0);
    while (*condition != wanted && !self->late)
        uv_run(&self->loop, UV_RUN_ONCE);
    uv_timer_stop(&self->deadline);
    assert_false(self->late);
}

void world_connected(world_t *self, size_t line) {
    self->late = false;
    uv_timer_start(&self->deadline, on_deadline, 30000, 0);
    while (!db_is_ready(self->lines[line].db) && !self->late)
        uv_run(&self->loop, UV_RUN_ONCE);
    uv_timer_stop(&self->deadline);
    assert_false(self->late);
}

/* ---- jobs ---- */

job_t *world_job(world_t *self, uint16_t type, const char *room, const char *user, strbuf_t *body) {
    envelope_t envelope = {.type = type,
                           .room = str_from(room),
                           .user = str_from(user),
                           .request_id = ++self->made,
                           .body = strbuf_str(body)};
    job_t *job = job_new(&envelope, 0, 1, clock_now_ms(), 15000);
    const char *why = "";
    memcpy(job->id.bytes, &self->made, sizeof(self->made));
    job->id.bytes[6] = 0x70;
    job->id.bytes[8] = 0x80;
    code_t code = job_check(job, self->arena, &why);
    if (code)
        fail_msg("job_check: %s: %s", code_name(code), why);
    strbuf_fini(body);
    return job;
}

job_t *world_send(world_t *self, const char *room, const char *user, const char *client_id,
                  const char *text, uint64_t reply_to) {
    strbuf_t body = {0};
    proto_send_t send = {.text = str_from(text),
                         .client_id = str_from(client_id),
                         .reply_to = reply_to,
                         .socket_id = STR("gateway-1-x")};
    proto_send_encode(&send, &body);
    return world_job(self, MSG_SEND, room, user, &body);
}

job_t *world_mark(world_t *self, const char *room, const char *user, int64_t seq) {
    strbuf_t body = {0};
    proto_mark_read_t mark = {.present = seq >= 0 ? 1 << 1 : 0,
                              .seq = seq >= 0 ? (uint64_t)seq : 0};
    proto_mark_read_encode(&mark, &body);
    return world_job(self, MSG_MARK_READ, room, user, &body);
}

job_t *world_seen(world_t *self, const char *user, const char *name, const char *role) {
    strbuf_t body = {0};
    char room[80];
    proto_user_seen_t seen = {.name = str_from(name), .role = str_from(role)};
    snprintf(room, sizeof(room), "user_%s", user);
    proto_user_seen_encode(&seen, &body);
    return world_job(self, MSG_USER_SEEN, room, user, &body);
}

void world_free_jobs(job_t **jobs, size_t n) {
    for (size_t i = 0; i < n; i++)
        job_free(&jobs[i]);
}

/* ---- runs ---- */

static void on_written(void *arg, const db_outcome_t *outcome) {
    world_line_t *line = arg;
    line->running = false;
    line->status = outcome->status;
    snprintf(line->sqlstate, sizeof(line->sqlstate), "%.*s", STR_ARG(outcome->sqlstate));
    if (outcome->status != DB_OK)
        return;
    store_batch_read(&line->batch, line->layout, outcome, line->written);
    store_batch_known(&line->batch, line->written, &line->known);
    for (size_t i = 0; i < line->batch.n; i++) {
        strbuf_clear(&line->texts[i]);
        if (line->batch.jobs[i]->envelope.type == MSG_SEND &&
            line->written[i].outcome <= STORE_UNCHANGED)
            entities_append_message(&line->texts[i], &line->written[i].message);
    }
}

void world_start(world_t *self, size_t index, job_t *const *jobs, size_t n) {
    world_line_t *line = &self->lines[index];
    assert_true(n <= WORLD_JOBS_MAX);
    world_connected(self, index);
    line->batch = (batch_t){jobs, n};
    line->layout = store_batch_script(&line->batch, &line->known, &line->script);
    line->status = DB_OK;
    if (line->script.n == 0) {
        on_written(line, &(db_outcome_t){.status = DB_OK});
        return;
    }
    line->running = true;
    db_run(line->db, &line->script, on_written, line);
}

void world_wait(world_t *self, size_t line) {
    world_until(self, &self->lines[line].running, false);
}

store_written_t *world_write(world_t *self, job_t *const *jobs, size_t n) {
    world_start(self, 0, jobs, n);
    world_wait(self, 0);
    assert_int_equal(self->lines[0].status, DB_OK);
    return self->lines[0].written;
}

store_written_t world_write_one(world_t *self, job_t *job) {
    store_written_t written = world_write(self, &job, 1)[0];
    job_free(&job);
    return written;
}

typedef struct {
    world_use_fn use;
    void *arg;
    const job_t *job;
    bool done;
} use_t;

static void on_used(void *arg, const db_outcome_t *outcome) {
    use_t *use = arg;
    if (outcome->status != DB_OK)
        fail_msg("%.*s %.*s", STR_ARG(outcome->sqlstate), STR_ARG(outcome->message));
    use->use(use->arg, use->job, outcome);
    use->done = true;
}

static void run_script(world_t *self, const job_t *job, world_use_fn use_fn, void *arg) {
    use_t use = {.use = use_fn, .arg = arg, .job = job};
    db_run(self->lines[0].db, &self->lines[0].script, on_used, &use);
    world_until(self, &use.done, true);
}

void world_run(world_t *self, world_use_fn use, void *arg) {
    run_script(self, NULL, use, arg);
}

void world_alone(world_t *self, job_t *job, world_use_fn use, void *arg) {
    world_connected(self, 0);
    store_alone_script(job, self->arena, &self->lines[0].script);
    run_script(self, job, use, arg);
    job_free(&job);
}

const char *world_query(world_t *self, const char *format, ...) {
    char sql[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    PGconn *connection = PQconnectdb(self->config.url);
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fail_msg("%s", PQresultErrorMessage(result));
    strbuf_clear(&self->answer);
    for (int row = 0; row < PQntuples(result); row++) {
        if (row > 0)
            strbuf_append_char(&self->answer, '\n');
        strbuf_append(&self->answer, str_from(PQgetvalue(result, row, 0)));
    }
    PQclear(result);
    PQfinish(connection);
    return strbuf_cstr(&self->answer);
}
