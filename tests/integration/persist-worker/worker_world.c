#include "worker_world.h"

#include <ftw.h>
#include <libpq-fe.h>
#include <unistd.h>
#include <utlist.h>

#include "common/brokers.h"
#include "keygen/keygen.h"

/* ---- the broker's side ---- */

static void on_up(void *ctx, link_peer_t *peer) {
    ((worker_world_t *)ctx)->peer = peer;
}

static void on_down(void *ctx, link_peer_t *peer, const char *reason) {
    (void)peer;
    (void)reason;
    ((worker_world_t *)ctx)->peer = NULL;
}

static char *copy_in(char *to, str_t *text) {
    if (text->n)
        memcpy(to, text->p, text->n);
    text->p = to;
    return to + text->n;
}

static void read_job(worker_world_t *self, heard_t *heard) {
    proto_stored_t stored;
    proto_read_marked_t marked;
    proto_members_changed_t changed;
    str_t body = heard->envelope.body;
    heard->job = heard->envelope.flags & ENVELOPE_REPLY ? heard->envelope.request_id : 0;
    if (heard->envelope.type == MSG_STORED) {
        assert_int_equal(proto_stored_decode(body, self->arena, &stored), OK);
        heard->job = stored.job;
        heard->epoch = stored.epoch;
    } else if (heard->envelope.type == MSG_READ_MARKED) {
        assert_int_equal(proto_read_marked_decode(body, self->arena, &marked), OK);
        heard->job = marked.job;
        heard->epoch = marked.epoch;
    } else if (heard->envelope.type == MSG_MEMBERS_CHANGED) {
        assert_int_equal(proto_members_changed_decode(body, self->arena, &changed), OK);
        heard->job = changed.job;
        heard->epoch = changed.epoch;
    }
}

static void on_deliver(void *ctx, link_peer_t *peer, const envelope_t *envelope) {
    worker_world_t *self = ctx;
    heard_t *heard =
        xcalloc(1, sizeof(*heard) + envelope->room.n + envelope->user.n + envelope->body.n);
    heard->envelope = *envelope;
    char *to = copy_in(heard->memory, &heard->envelope.room);
    to = copy_in(to, &heard->envelope.user);
    copy_in(to, &heard->envelope.body);
    read_job(self, heard);
    DL_APPEND(self->heard, heard);
    if (envelope->request_id == 0 || (envelope->flags & ENVELOPE_REPLY) || self->silent)
        return;
    envelope_t done = {.type = MSG_DONE,
                       .flags = ENVELOPE_REPLY,
                       .request_id = envelope->request_id,
                       .body = STR("\x80")};
    assert_int_equal(bus_server_send(self->server, peer, &done), OK);
}

static void on_refused(void *ctx, str_t routing_id, const char *what) {
    (void)ctx;
    fail_msg("%.*s refused: %s", STR_ARG(routing_id), what);
}

/* A worker that is killed while it connects. */
static void on_stranger(void *ctx, bus_stranger_t kind) {
    (void)ctx;
    (void)kind;
}

static const bus_server_handler_t handler = {.up = on_up,
                                             .down = on_down,
                                             .deliver = on_deliver,
                                             .refused = on_refused,
                                             .stranger = on_stranger};

void worker_world_start_server(worker_world_t *self) {
    bus_server_config_t config = {.name = "broker-1",
                                  .bind_endpoint = self->endpoint,
                                  .broker_digest = self->digest,
                                  .keys_directory = self->keys};
    assert_int_equal(bus_server_new(&self->loop, &config, &handler, self, &self->server), OK);
}

void worker_world_stop_server(worker_world_t *self) {
    bus_server_close(&self->server);
    self->peer = NULL;
}

/* ---- waiting ---- */

static void on_deadline(uv_timer_t *timer) {
    ((worker_world_t *)timer->data)->late = true;
}

static void set_deadline(worker_world_t *self, uint64_t ms) {
    self->late = false;
    uv_timer_start(&self->deadline, on_deadline, ms, 0);
}

static void turn(worker_world_t *self) {
    if (self->late)
        fail_msg("too late");
    uv_run(&self->loop, UV_RUN_ONCE);
}

void worker_world_turn(worker_world_t *self, uint64_t ms) {
    set_deadline(self, ms);
    uv_run(&self->loop, UV_RUN_ONCE);
    uv_timer_stop(&self->deadline);
}

void worker_world_until_up(worker_world_t *self) {
    set_deadline(self, 30000);
    while (!self->peer)
        turn(self);
    uv_timer_stop(&self->deadline);
}

static heard_t *find(worker_world_t *self, uint64_t job) {
    heard_t *heard = NULL;
    DL_FOREACH(self->heard, heard) {
        if (heard->job == job)
            return heard;
    }
    return NULL;
}

const heard_t *worker_world_answer(worker_world_t *self, uint64_t job, uint16_t type) {
    const heard_t *heard;
    set_deadline(self, 30000);
    while (!(heard = find(self, job)))
        turn(self);
    uv_timer_stop(&self->deadline);
    if (heard->envelope.type != type)
        fail_msg("%s (%s) instead of %s", proto_name(heard->envelope.type),
                 code_name(heard->envelope.code), proto_name(type));
    return heard;
}

void worker_world_refused(worker_world_t *self, uint64_t job, code_t code) {
    const heard_t *heard = worker_world_answer(self, job, MSG_ERROR);
    assert_string_equal(code_name(heard->envelope.code), code_name(code));
}

size_t worker_world_count(worker_world_t *self, uint64_t job) {
    heard_t *heard = NULL;
    size_t n = 0;
    DL_FOREACH(self->heard, heard) {
        n += heard->job == job;
    }
    return n;
}

static heard_t *find_event(worker_world_t *self, const char *user, const char *event,
                           str_t *payload_out) {
    heard_t *heard = NULL;
    DL_FOREACH(self->heard, heard) {
        proto_user_event_t message;
        if (heard->envelope.type != MSG_USER_EVENT || !str_eq(heard->envelope.user, str_from(user)))
            continue;
        assert_int_equal(proto_user_event_decode(heard->envelope.body, self->arena, &message), OK);
        *payload_out = message.payload;
        if (str_eq(message.event, str_from(event)))
            return heard;
    }
    return NULL;
}

const char *worker_world_event(worker_world_t *self, const char *user, const char *event) {
    heard_t *heard;
    str_t payload;
    set_deadline(self, 30000);
    while (!(heard = find_event(self, user, event, &payload)))
        turn(self);
    uv_timer_stop(&self->deadline);
    strbuf_clear(&self->answer);
    strbuf_append(&self->answer, payload);
    DL_DELETE(self->heard, heard);
    free(heard);
    return strbuf_cstr(&self->answer);
}

/* ---- life ---- */

static void on_worker_exit(uv_process_t *process, int64_t exit_code, int signal) {
    worker_world_t *self = process->data;
    self->exit_code = signal ? 128 + signal : exit_code;
    self->running = false;
}

static void start_worker(worker_world_t *self) {
    char brokers[120], keys[120], database[400], level[] = "LOG_LEVEL=warn";
    char admin[] = "ADMIN_LISTEN=127.0.0.1:0";
    snprintf(brokers, sizeof(brokers), "BROKERS=%s", self->endpoint);
    snprintf(keys, sizeof(keys), "BUS_KEYS=%s", self->keys);
    snprintf(database, sizeof(database), "DATABASE_URL=%s", getenv("DATABASE_URL"));
    // A test that crashes takes the worker along.
    char *arguments[] = {"setpriv", "--pdeathsig", "KILL", (char *)PERSIST_WORKER, NULL};
    char *environment[] = {brokers, keys, database, level, admin, NULL};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE}, {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = 2}};
    uv_process_options_t options = {.exit_cb = on_worker_exit,
                                    .file = arguments[0],
                                    .args = arguments,
                                    .env = environment,
                                    .stdio_count = 3,
                                    .stdio = stdio};
    self->process.data = self;
    assert_int_equal(uv_spawn(&self->loop, &self->process, &options), 0);
    self->running = true;
}

static void make_keys(worker_world_t *self) {
    strbuf_t report = {0}, problem = {0};
    snprintf(self->keys, sizeof(self->keys), "%s/keys", self->directory);
    assert_int_equal(keygen_fill(self->keys, &report, &problem), OK);
    strbuf_fini(&report);
    strbuf_fini(&problem);
}

char *worker_world_query(const char *sql) {
    PGconn *connection = PQconnectdb(getenv("DATABASE_URL"));
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fail_msg("%s", PQresultErrorMessage(result));
    char *text = str_dup(str_from(PQntuples(result) ? PQgetvalue(result, 0, 0) : ""));
    PQclear(result);
    PQfinish(connection);
    return text;
}

void worker_world_run(const char *sql) {
    free(worker_world_query(sql));
}

void worker_world_empty(void) {
    worker_world_run(
        "truncate users, conversations, participants, messages, member_changes cascade");
}

worker_world_t *worker_world_new(void) {
    worker_world_t *self = xcalloc(1, sizeof(*self));
    const char *why;
    brokers_t *brokers;
    strcpy(self->directory, "/tmp/parley-persist-XXXXXX");
    assert_non_null(mkdtemp(self->directory));
    snprintf(self->endpoint, sizeof(self->endpoint), "ipc://%s/b", self->directory);
    assert_int_equal(brokers_new(str_from(self->endpoint), &brokers, &why), OK);
    self->digest = brokers_digest(brokers);
    make_keys(self);
    brokers_free(&brokers);
    self->deadline_ms = 15000;
    self->arena = proto_arena_new();
    uv_loop_init(&self->loop);
    uv_timer_init(&self->loop, &self->deadline);
    self->deadline.data = self;
    worker_world_start_server(self);
    start_worker(self);
    worker_world_until_up(self);
    return self;
}

static int remove_entry(const char *path, const struct stat *found, int kind, struct FTW *place) {
    (void)found;
    (void)kind;
    (void)place;
    return remove(path);
}

void worker_world_free(worker_world_t **self_in) {
    worker_world_t *self = *self_in;
    *self_in = NULL;
    if (self->running)
        uv_process_kill(&self->process, SIGTERM);
    set_deadline(self, 20000);
    while (self->running)
        turn(self);
    assert_int_equal(self->exit_code, 0);
    bus_server_close(&self->server);
    uv_close((uv_handle_t *)&self->process, NULL);
    uv_close((uv_handle_t *)&self->deadline, NULL);
    uv_run(&self->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&self->loop), 0);
    heard_t *heard = NULL, *following = NULL;
    DL_FOREACH_SAFE(self->heard, heard, following) {
        DL_DELETE(self->heard, heard);
        free(heard);
    }
    assert_int_equal(nftw(self->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    proto_arena_free(&self->arena);
    strbuf_fini(&self->answer);
    free(self);
}

/* ---- jobs ---- */

uint64_t worker_world_ask(worker_world_t *self, uint16_t type, const char *room, const char *user,
                          strbuf_t *body) {
    envelope_t envelope = {.type = type,
                           .request_id = ++self->jobs,
                           .session = self->jobs + 1000,
                           .deadline_ms = self->deadline_ms,
                           .room = str_from(room),
                           .user = str_from(user),
                           .body = strbuf_str(body)};
    memset(envelope.trace.id, 7, sizeof(envelope.trace.id));
    assert_non_null(self->peer);
    assert_int_equal(bus_server_send(self->server, self->peer, &envelope), OK);
    strbuf_fini(body);
    return self->jobs;
}

uint64_t worker_world_send(worker_world_t *self, const char *room, const char *user,
                           const char *client_id, const char *text) {
    strbuf_t body = {0};
    proto_send_t send = {.text = str_from(text), .client_id = str_from(client_id)};
    proto_send_encode(&send, &body);
    return worker_world_ask(self, MSG_SEND, room, user, &body);
}

uint64_t worker_world_mark(worker_world_t *self, const char *room, const char *user) {
    strbuf_t body = {0};
    proto_mark_read_encode(&(proto_mark_read_t){0}, &body);
    return worker_world_ask(self, MSG_MARK_READ, room, user, &body);
}

uint64_t worker_world_join(worker_world_t *self, const char *room, const char *user,
                           int64_t after) {
    strbuf_t body = {0};
    proto_join_t join = {0};
    if (after >= 0)
        join = (proto_join_t){.present = 1 << 1, .after = (uint64_t)after};
    proto_join_encode(&join, &body);
    return worker_world_ask(self, MSG_JOIN, room, user, &body);
}

uint64_t worker_world_history(worker_world_t *self, const char *room, const char *user,
                              proto_history_t history) {
    strbuf_t body = {0};
    proto_history_encode(&history, &body);
    return worker_world_ask(self, MSG_HISTORY, room, user, &body);
}

uint64_t worker_world_user(worker_world_t *self, const char *user, const char *name) {
    strbuf_t body = {0};
    char room[80];
    proto_user_seen_t seen = {.name = str_from(name), .role = STR("customer")};
    snprintf(room, sizeof(room), "user_%s", user);
    proto_user_seen_encode(&seen, &body);
    return worker_world_ask(self, MSG_USER_SEEN, room, user, &body);
}

uint64_t worker_world_create(worker_world_t *self, const char *room, const char *creator,
                             const char *const *users, size_t n) {
    strbuf_t body = {0};
    str_t list[100];
    for (size_t i = 0; i < n; i++)
        list[i] = str_from(users[i]);
    proto_create_conversation_t create = {.users = {list, n}, .title = STR("A \"group\"")};
    proto_create_conversation_encode(&create, &body);
    return worker_world_ask(self, MSG_CREATE_CONVERSATION, room, creator, &body);
}

uint64_t worker_world_stored(worker_world_t *self, uint64_t job) {
    proto_stored_t stored;
    const heard_t *heard = worker_world_answer(self, job, MSG_STORED);
    assert_int_equal(proto_stored_decode(heard->envelope.body, self->arena, &stored), OK);
    return stored.seq;
}

const char *worker_world_json(worker_world_t *self, uint64_t job) {
    proto_json_t json;
    const heard_t *heard = worker_world_answer(self, job, MSG_JSON);
    assert_int_equal(proto_json_decode(heard->envelope.body, self->arena, &json), OK);
    strbuf_clear(&self->answer);
    strbuf_append(&self->answer, json.json);
    return strbuf_cstr(&self->answer);
}
