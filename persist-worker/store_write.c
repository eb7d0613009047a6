#include "persist-worker/store.h"

#include "common/ids.h"
#include "common/siphash.h"
#include "persist-worker/pg_rows.h"

static uint64_t profile_digest(str_t name, str_t role) {
    uint64_t parts[2] = {siphash(name), siphash(role)};
    return siphash((str_t){(const char *)parts, sizeof(parts)});
}

/* An empty profile says nothing: any stored one will do. */
static bool is_user_known(store_known_t *known, str_t id, str_t name, str_t role) {
    uint64_t digest;
    return seen_find(known->users, id, &digest) &&
           ((name.n == 0 && role.n == 0) || digest == profile_digest(name, role));
}

void store_user_known(store_known_t *known, str_t id, str_t name, str_t role) {
    if (!is_user_known(known, id, name, role))
        seen_put(known->users, id, profile_digest(name, role));
}

/* ---- users ---- */

typedef struct {
    str_t id, name, role;
    size_t order;
} profile_t;

/* What the job says about its user; false when it says nothing. */
static bool profile_of(const job_t *job, profile_t *out) {
    out->id = job->envelope.user;
    if (job->envelope.type == MSG_SEND) {
        out->name = job->body.send.name;
        out->role = job->body.send.role;
    } else if (job->envelope.type == MSG_USER_SEEN) {
        out->name = job->body.user_seen.name;
        out->role = job->body.user_seen.role;
    } else {
        return false;
    }
    return true;
}

static int compare_profiles(const void *a, const void *b) {
    const profile_t *x = a, *y = b;
    int by_id = str_compare(x->id, y->id);
    return by_id ? by_id : (x->order < y->order ? -1 : 1);
}

/* Adds the statement for these, each user once: what was said last. */
static void add_profiles(db_script_t *script, profile_t *profiles, size_t n) {
    size_t distinct = 0;
    qsort(profiles, n, sizeof(*profiles), compare_profiles);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 == n || !str_eq(profiles[i].id, profiles[i + 1].id))
            profiles[distinct++] = profiles[i];
    }
    pg_params_t *params = db_script_add(script, STATEMENT_UPSERT_USERS);
    pg_params_array_begin(params, PG_ARRAY_TEXT, distinct);
    for (size_t i = 0; i < distinct; i++)
        pg_params_element_text(params, profiles[i].id);
    pg_params_array_end(params);
    pg_params_array_begin(params, PG_ARRAY_TEXT, distinct);
    for (size_t i = 0; i < distinct; i++)
        pg_params_element_text(params, profiles[i].name);
    pg_params_array_end(params);
    pg_params_array_begin(params, PG_ARRAY_TEXT, distinct);
    for (size_t i = 0; i < distinct; i++)
        pg_params_element_text(params, profiles[i].role);
    pg_params_array_end(params);
}

void store_user_script(db_script_t *script, store_known_t *known, str_t id, str_t name,
                       str_t role) {
    if (!is_user_known(known, id, name, role))
        add_profiles(script, &(profile_t){.id = id, .name = name, .role = role}, 1);
}

static void script_users(const batch_t *batch, store_known_t *known, db_script_t *script) {
    profile_t *profiles = xcalloc(batch->n, sizeof(*profiles));
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++) {
        profile_t *profile = &profiles[n];
        profile->order = i;
        if (profile_of(batch->jobs[i], profile) &&
            !is_user_known(known, profile->id, profile->name, profile->role))
            n++;
    }
    if (n > 0)
        add_profiles(script, profiles, n);
    free(profiles);
}

/* ---- direct conversations ---- */

static int compare_rooms(const void *a, const void *b) {
    const job_t *x = *(job_t *const *)a, *y = *(job_t *const *)b;
    int by_room = str_compare(x->envelope.room, y->envelope.room);
    return by_room ? by_room : (x->order < y->order ? -1 : 1);
}

typedef enum { DIRECT_ID, DIRECT_FIRST, DIRECT_SECOND, DIRECT_CREATOR } direct_column_t;

static str_t direct_column(const job_t *job, direct_column_t column) {
    ids_room_t room = ids_parse_room(job->envelope.room);
    switch (column) {
    case DIRECT_ID:
        return job->envelope.room;
    case DIRECT_FIRST:
        return room.user;
    case DIRECT_SECOND:
        return room.other;
    default:
        return job->envelope.user;
    }
}

static void add_direct(db_script_t *script, job_t *const *jobs, size_t n) {
    pg_params_t *params = db_script_add(script, STATEMENT_CREATE_DIRECT);
    for (int column = DIRECT_ID; column <= DIRECT_CREATOR; column++) {
        pg_params_array_begin(params, PG_ARRAY_TEXT, n);
        for (size_t i = 0; i < n; i++)
            pg_params_element_text(params, direct_column(jobs[i], (direct_column_t)column));
        pg_params_array_end(params);
    }
    pg_params_i64(params, 0);
}

/* Makes the direct conversations that a message is for and that aren't known. */
static void script_direct(const batch_t *batch, store_known_t *known, db_script_t *script) {
    job_t **jobs = xcalloc(batch->n, sizeof(job_t *));
    size_t n = 0, distinct = 0;
    for (size_t i = 0; i < batch->n; i++) {
        job_t *job = batch->jobs[i];
        uint64_t number;
        if (job->envelope.type == MSG_SEND &&
            ids_parse_room(job->envelope.room).kind == IDS_DIRECT &&
            !seen_find(known->conversations, job->envelope.room, &number))
            jobs[n++] = job;
    }
    if (n > 0)
        qsort(jobs, n, sizeof(job_t *), compare_rooms);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !str_eq(jobs[i]->envelope.room, jobs[i - 1]->envelope.room))
            jobs[distinct++] = jobs[i];
    }
    if (distinct > 0)
        add_direct(script, jobs, distinct);
    free(jobs);
}

/* ---- messages and marks ---- */

static size_t count_of(const batch_t *batch, uint16_t type) {
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++)
        n += batch->jobs[i]->envelope.type == type;
    return n;
}

static void script_lock(const batch_t *batch, size_t n, db_script_t *script) {
    pg_params_t *params = db_script_add(script, STATEMENT_LOCK);
    pg_params_array_begin(params, PG_ARRAY_TEXT, n);
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->jobs[i]->envelope.type != MSG_USER_SEEN)
            pg_params_element_text(params, batch->jobs[i]->envelope.room);
    }
    pg_params_array_end(params);
}

typedef void (*element_fn)(pg_params_t *params, const job_t *job);

/* An array with one element for each job of that type. */
static void add_column(pg_params_t *params, const batch_t *batch, uint16_t type, pg_array_t kind,
                       element_fn element) {
    pg_params_array_begin(params, kind, count_of(batch, type));
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->jobs[i]->envelope.type == type)
            element(params, batch->jobs[i]);
    }
    pg_params_array_end(params);
}

static void element_room(pg_params_t *params, const job_t *job) {
    pg_params_element_text(params, job->envelope.room);
}

static void element_user(pg_params_t *params, const job_t *job) {
    pg_params_element_text(params, job->envelope.user);
}

static void element_client_id(pg_params_t *params, const job_t *job) {
    pg_params_element_text(params, job->body.send.client_id);
}

static void element_text(pg_params_t *params, const job_t *job) {
    pg_params_element_text(params, job->body.send.text);
}

static void element_reply_to(pg_params_t *params, const job_t *job) {
    if (job->body.send.reply_to)
        pg_params_element_i64(params, (int64_t)job->body.send.reply_to);
    else
        pg_params_element_null(params);
}

static void element_socket_id(pg_params_t *params, const job_t *job) {
    if (job->body.send.socket_id.n)
        pg_params_element_text(params, job->body.send.socket_id);
    else
        pg_params_element_null(params);
}

static void element_id(pg_params_t *params, const job_t *job) {
    pg_params_element_uuid(params, &job->id);
}

static void element_seq(pg_params_t *params, const job_t *job) {
    if (PROTO_HAS(&job->body.mark_read, 1))
        pg_params_element_i64(params, (int64_t)job->body.mark_read.seq);
    else
        pg_params_element_null(params);
}

static void element_partner(pg_params_t *params, const job_t *job) {
    pg_params_element_text(params, ids_partner(job->envelope.room, job->envelope.user));
}

static void script_send(const batch_t *batch, db_script_t *script) {
    pg_params_t *params = db_script_add(script, STATEMENT_SEND);
    add_column(params, batch, MSG_SEND, PG_ARRAY_TEXT, element_room);
    add_column(params, batch, MSG_SEND, PG_ARRAY_TEXT, element_user);
    add_column(params, batch, MSG_SEND, PG_ARRAY_TEXT, element_client_id);
    add_column(params, batch, MSG_SEND, PG_ARRAY_TEXT, element_text);
    add_column(params, batch, MSG_SEND, PG_ARRAY_I64, element_reply_to);
    add_column(params, batch, MSG_SEND, PG_ARRAY_TEXT, element_socket_id);
    add_column(params, batch, MSG_SEND, PG_ARRAY_UUID, element_id);
}

static void script_mark_read(const batch_t *batch, db_script_t *script) {
    pg_params_t *params = db_script_add(script, STATEMENT_MARK_READ);
    add_column(params, batch, MSG_MARK_READ, PG_ARRAY_TEXT, element_room);
    add_column(params, batch, MSG_MARK_READ, PG_ARRAY_TEXT, element_user);
    add_column(params, batch, MSG_MARK_READ, PG_ARRAY_I64, element_seq);
    add_column(params, batch, MSG_MARK_READ, PG_ARRAY_TEXT, element_partner);
}

store_layout_t store_batch_script(const batch_t *batch, store_known_t *known, db_script_t *script) {
    store_layout_t layout = {.send = -1, .mark_read = -1};
    size_t sends = count_of(batch, MSG_SEND);
    size_t marks = count_of(batch, MSG_MARK_READ);
    db_script_clear(script);
    script_users(batch, known, script);
    script_direct(batch, known, script);
    if (sends + marks > 0)
        script_lock(batch, sends + marks, script);
    if (sends > 0) {
        layout.send = (int)script->n;
        script_send(batch, script);
    }
    if (marks > 0) {
        layout.mark_read = (int)script->n;
        script_mark_read(batch, script);
    }
    return layout;
}

/* ---- what came back ---- */

/* The message as stored: this job's own, or the one that was there before. */
static void read_sent(const job_t *job, const PGresult *rows, int row, store_written_t *out) {
    const proto_send_t *send = &job->body.send;
    out->message = (message_t){
        .id = job->id,
        .conversation_id = job->envelope.room,
        .seq = out->seq,
        .sender_id = job->envelope.user,
        .text = send->text,
        .client_id = send->client_id,
        .reply_to = (int64_t)send->reply_to,
        .created_at_ms = out->at_ms,
    };
    if (out->outcome != STORE_UNCHANGED)
        return;
    out->message.id = pg_rows_uuid(rows, row, 3);
    out->message.text = pg_rows_text(rows, row, 4);
    out->message.reply_to = pg_rows_i64(rows, row, 5);
    out->message.edited_at_ms = pg_rows_time_ms(rows, row, 6);
    out->message.deleted_at_ms = pg_rows_time_ms(rows, row, 7);
}

void store_batch_read(const batch_t *batch, store_layout_t layout, const db_outcome_t *outcome,
                      store_written_t *written) {
    int rows_of_send = 0, rows_of_mark = 0;
    for (size_t i = 0; i < batch->n; i++) {
        const job_t *job = batch->jobs[i];
        written[i] = (store_written_t){.outcome = STORE_NEW};
        if (job->envelope.type == MSG_USER_SEEN)
            continue;
        bool is_send = job->envelope.type == MSG_SEND;
        const PGresult *rows = outcome->results[is_send ? layout.send : layout.mark_read];
        int row = is_send ? rows_of_send++ : rows_of_mark++;
        ASSERT(row < PQntuples(rows));
        written[i].outcome = (store_outcome_t)pg_rows_i64(rows, row, 0);
        written[i].seq = pg_rows_i64(rows, row, 1);
        written[i].at_ms = pg_rows_time_ms(rows, row, 2);
        if (is_send)
            read_sent(job, rows, row, &written[i]);
    }
}

void store_batch_known(const batch_t *batch, const store_written_t *written, store_known_t *known) {
    for (size_t i = 0; i < batch->n; i++) {
        const job_t *job = batch->jobs[i];
        profile_t profile;
        if (written[i].outcome == STORE_NO_CONVERSATION) {
            /* Perhaps what is remembered isn't there any more. */
            seen_forget(known->conversations, job->envelope.room);
            seen_forget(known->users, job->envelope.user);
            continue;
        }
        if (profile_of(job, &profile))
            store_user_known(known, profile.id, profile.name, profile.role);
        bool is_stored = written[i].outcome == STORE_NEW || written[i].outcome == STORE_UNCHANGED;
        if (job->envelope.type == MSG_SEND && is_stored &&
            ids_parse_room(job->envelope.room).kind == IDS_DIRECT)
            seen_put(known->conversations, job->envelope.room, 1);
    }
}
