#include "persist-worker/store.h"

#include "common/ids.h"
#include "persist-worker/pg_rows.h"

/* ---- scripts ---- */

static void add_texts(pg_params_t *params, const str_t *texts, size_t n) {
    pg_params_array_begin(params, PG_ARRAY_TEXT, n);
    for (size_t i = 0; i < n; i++)
        pg_params_element_text(params, texts[i]);
    pg_params_array_end(params);
}

static int compare(const void *a, const void *b) {
    return str_compare(*(const str_t *)a, *(const str_t *)b);
}

/* The users and `extra` (unless empty), each once, sorted, on the heap. */
static str_t *distinct_users(proto_texts_t users, str_t extra, size_t *n_out) {
    str_t *all = xcalloc(users.n + 1, sizeof(*all));
    size_t n = 0, distinct = 0;
    for (; n < users.n; n++)
        all[n] = users.items[n];
    if (extra.n)
        all[n++] = extra;
    qsort(all, n, sizeof(*all), compare);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !str_eq(all[i], all[i - 1]))
            all[distinct++] = all[i];
    }
    *n_out = distinct;
    return all;
}

static void script_lock(str_t room, db_script_t *script) {
    add_texts(db_script_add(script, STATEMENT_LOCK), &room, 1);
}

static void script_create(const job_t *job, proto_arena_t *arena, db_script_t *script) {
    proto_create_conversation_t create;
    ASSERT(proto_create_conversation_decode(job->envelope.body, arena, &create) == OK);
    str_t room = job->envelope.room, creator = job->envelope.user;
    ids_room_t parts = ids_parse_room(room);
    pg_params_t *params = db_script_add(script, STATEMENT_UPSERT_USERS);
    add_texts(params, &creator, 1);
    add_texts(params, &create.name, 1);
    add_texts(params, &create.role, 1);
    if (parts.kind == IDS_DIRECT) {
        params = db_script_add(script, STATEMENT_CREATE_DIRECT);
        add_texts(params, &room, 1);
        add_texts(params, &parts.user, 1);
        add_texts(params, &parts.other, 1);
        add_texts(params, &creator, 1);
        pg_params_i64(params, 1);
    } else {
        size_t n;
        str_t *members = distinct_users(create.users, creator, &n);
        params = db_script_add(script, STATEMENT_CREATE_GROUP);
        pg_params_text(params, room);
        pg_params_text(params, create.title);
        pg_params_text(params, creator);
        add_texts(params, members, n);
        free(members);
    }
    store_view_script(script, room, creator);
}

static void script_add(const job_t *job, proto_arena_t *arena, db_script_t *script) {
    proto_add_participants_t add;
    size_t n;
    ASSERT(proto_add_participants_decode(job->envelope.body, arena, &add) == OK);
    str_t *users = distinct_users(add.users, (str_t){0}, &n);
    script_lock(job->envelope.room, script);
    pg_params_t *params = db_script_add(script, STATEMENT_ADD_PARTICIPANTS);
    pg_params_text(params, job->envelope.room);
    pg_params_text(params, job->envelope.user);
    add_texts(params, users, n);
    pg_params_i64(params, GROUP_MEMBERS_MAX);
    free(users);
    store_view_script(script, job->envelope.room, job->envelope.user);
}

static void script_remove(const job_t *job, db_script_t *script) {
    script_lock(job->envelope.room, script);
    pg_params_t *params = db_script_add(script, STATEMENT_REMOVE_PARTICIPANT);
    pg_params_text(params, job->envelope.room);
    pg_params_text(params, job->envelope.user);
    pg_params_text(params, job->body.remove.target);
    store_view_script(script, job->envelope.room, job->envelope.user);
}

static void script_last_seen(const job_t *job, proto_arena_t *arena, db_script_t *script) {
    proto_last_seen_t seen;
    ASSERT(proto_last_seen_decode(job->envelope.body, arena, &seen) == OK);
    pg_params_t *params = db_script_add(script, STATEMENT_LAST_SEEN);
    add_texts(params, seen.users.items, seen.users.n);
    pg_params_array_begin(params, PG_ARRAY_I64, seen.at_ms.n);
    for (size_t i = 0; i < seen.at_ms.n; i++)
        pg_params_element_i64(params, (int64_t)seen.at_ms.items[i]);
    pg_params_array_end(params);
}

void store_alone_script(const job_t *job, proto_arena_t *arena, db_script_t *script) {
    pg_params_t *params;
    db_script_clear(script);
    switch (job->envelope.type) {
    case MSG_CREATE_CONVERSATION:
        script_create(job, arena, script);
        return;
    case MSG_ADD_PARTICIPANTS:
        script_add(job, arena, script);
        return;
    case MSG_REMOVE_PARTICIPANT:
        script_remove(job, script);
        return;
    case MSG_LAST_SEEN:
        script_last_seen(job, arena, script);
        return;
    default:
        ASSERT(job->envelope.type == MSG_PUT_USER);
        params = db_script_add(script, STATEMENT_PUT_USER);
        pg_params_text(params, ids_parse_room(job->envelope.room).user);
        pg_params_text(params, job->body.put_user.name);
        pg_params_text(params, job->body.put_user.role);
    }
}

/* ---- what came back ---- */

static void refuse(store_alone_t *out, code_t code, const char *message) {
    out->code = code;
    out->message = message;
}

static void add_user(store_alone_t *out, str_t user) {
    out->users[out->user_count++] = user;
}

/* Everybody in the conversation but the creator is told. */
static void read_others(const PGresult *participants, str_t creator, store_alone_t *out) {
    int rows = PQntuples(participants);
    out->users = xcalloc((size_t)rows + 1, sizeof(*out->users));
    for (int row = 0; row < rows; row++) {
        str_t user = pg_rows_text(participants, row, 1);
        if (!str_eq(user, creator))
            add_user(out, user);
    }
}

static void read_create(const job_t *job, const db_outcome_t *outcome, store_alone_t *out) {
    store_conversation_t conversation;
    str_t room = job->envelope.room, caller = job->envelope.user;
    PGresult *made = outcome->results[1];
    bool is_group = ids_parse_room(room).kind == IDS_GROUP;
    out->view = 2;
    store_conversation_read(outcome->results[2], room, &conversation);
    if (!conversation.exists) {
        refuse(out, CODE_NOT_FOUND, "no such user");
        return;
    }
    if (!is_group) {
        out->created = strcmp(PQcmdTuples(made), "0") != 0;
    } else if (!pg_rows_bool(made, 0, 1) && !str_eq(conversation.conversation.creator_id, caller)) {
        refuse(out, CODE_FORBIDDEN, "not a participant of this conversation");
        return;
    } else {
        out->created = true; /* or a second try after an answer that was lost */
    }
    out->has_view = conversation.is_participant;
    out->members_version = conversation.members_version;
    if (out->created)
        read_others(outcome->results[3], caller, out);
}

static void read_add(const db_outcome_t *outcome, store_alone_t *out) {
    const PGresult *rows = outcome->results[1];
    int n = PQntuples(rows);
    bool any_new = false;
    out->view = 2;
    if (n == 0 || !pg_rows_bool(rows, 0, 0)) {
        refuse(out, CODE_FORBIDDEN, "not a participant of this conversation");
        return;
    }
    if (!pg_rows_bool(rows, 0, 1)) {
        refuse(out, CODE_NOT_FOUND, "no such user");
        return;
    }
    if (!pg_rows_bool(rows, 0, 2)) {
        refuse(out, CODE_INVALID_PAYLOAD, "a group has at most 1000 participants");
        return;
    }
    out->has_view = true;
    out->members_version = pg_rows_i64(rows, 0, 3);
    out->users = xcalloc((size_t)n, sizeof(*out->users));
    for (int row = 0; row < n; row++)
        any_new = any_new || !pg_rows_bool(rows, row, 5);
    /* When none is new, this may be a second try of a request that added them all. */
    for (int row = 0; row < n; row++) {
        if (!any_new || !pg_rows_bool(rows, row, 5))
            add_user(out, pg_rows_text(rows, row, 4));
    }
}

static void read_remove(const job_t *job, const db_outcome_t *outcome, store_alone_t *out) {
    const PGresult *rows = outcome->results[1];
    str_t target = job->body.remove.target;
    bool is_self = str_eq(target, job->envelope.user);
    out->view = 2;
    bool exists = PQntuples(rows) > 0;
    bool is_member = exists && pg_rows_bool(rows, 0, 0);
    bool is_creator = exists && pg_rows_bool(rows, 0, 1);
    /* Gone already: this is a second try, or he lost a race for it. */
    bool was_member = exists && (pg_rows_bool(rows, 0, 2) || pg_rows_bool(rows, 0, 3));
    if (is_self ? !was_member : !is_member) {
        refuse(out, CODE_FORBIDDEN, "not a participant of this conversation");
        return;
    }
    if (!is_self && !is_creator) {
        refuse(out, CODE_FORBIDDEN, "only the creator removes others");
        return;
    }
    if (!was_member) {
        refuse(out, CODE_NOT_FOUND, "no such participant");
        return;
    }
    out->has_view = !is_self;
    out->members_version = pg_rows_i64(rows, 0, 4);
    out->users = xcalloc(1, sizeof(*out->users));
    add_user(out, target);
}

void store_alone_read(const job_t *job, const db_outcome_t *outcome, store_alone_t *out) {
    *out = (store_alone_t){.code = CODE_OK};
    switch (job->envelope.type) {
    case MSG_CREATE_CONVERSATION:
        read_create(job, outcome, out);
        return;
    case MSG_ADD_PARTICIPANTS:
        read_add(outcome, out);
        return;
    case MSG_REMOVE_PARTICIPANT:
        read_remove(job, outcome, out);
        return;
    case MSG_PUT_USER:
        out->created = pg_rows_bool(outcome->results[0], 0, 0);
        return;
    default:
        return;
    }
}

void store_alone_fini(store_alone_t *self) {
    free(self->users);
    self->users = NULL;
}
