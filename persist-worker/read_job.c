#include "persist-worker/read_job.h"

#include "common/clock.h"
#include "common/ids.h"
#include "persist-worker/cursor.h"
#include "persist-worker/pg_rows.h"

#define US_OF_2000 INT64_C(946684800000000)

/* ---- scripts ---- */

/* A time as PostgreSQL takes it; what is beyond any real one is the last that it knows well. */
static int64_t us_of_2000(uint64_t unix_ms) {
    const uint64_t last_ms = UINT64_C(253402300800000); /* the year 10000 */
    return (int64_t)(unix_ms < last_ms ? unix_ms : last_ms) * 1000 - US_OF_2000;
}

static void add_ids(db_script_t *script, statement_t statement, const str_t *ids, size_t n) {
    pg_params_t *params = db_script_add(script, statement);
    pg_params_array_begin(params, PG_ARRAY_TEXT, n);
    for (size_t i = 0; i < n; i++)
        pg_params_element_text(params, ids[i]);
    pg_params_array_end(params);
}

static void add_messages_after(db_script_t *script, str_t room, uint64_t after, uint64_t before,
                               uint64_t limit) {
    pg_params_t *params = db_script_add(script, STATEMENT_MESSAGES_AFTER);
    pg_params_text(params, room);
    pg_params_i64(params, (int64_t)after);
    pg_params_i64(params, (int64_t)before);
    pg_params_i64(params, (int64_t)limit);
}

static void script_join(read_line_t *line) {
    const job_t *job = line->job;
    const proto_join_t *join = &job->body.join;
    store_user_script(&line->script, line->parts->known, job->envelope.user, join->name,
                      join->role);
    line->introduces = line->script.n > 0;
    store_conversation_script(&line->script, job->envelope.room, job->envelope.user);
    add_ids(&line->script, STATEMENT_PARTICIPANTS, &job->envelope.room, 1);
    if (PROTO_HAS(join, 1))
        add_messages_after(&line->script, job->envelope.room, join->after, INT64_MAX,
                           PAGE_LIMIT_MAX);
    if (PROTO_HAS(join, 4)) {
        pg_params_t *params = db_script_add(&line->script, STATEMENT_READS_AFTER);
        pg_params_text(params, job->envelope.room);
        pg_params_i64(params, us_of_2000(join->read_after_ms));
    }
}

static void script_changes(read_line_t *line) {
    pg_params_t *params = db_script_add(&line->script, STATEMENT_CHANGES);
    pg_params_text(params, line->job->envelope.user);
    pg_params_i64(params, us_of_2000(line->job->body.changes.since_ms));
    pg_params_i64(params, CHANGES_MAX);
}

static void script_history(read_line_t *line) {
    const proto_history_t *history = &line->job->body.history;
    str_t room = line->job->envelope.room;
    uint64_t before = PROTO_HAS(history, 1) ? history->before : INT64_MAX;
    store_conversation_script(&line->script, room, line->job->envelope.user);
    if (PROTO_HAS(history, 2)) {
        add_messages_after(&line->script, room, history->after, before, history->limit);
        return;
    }
    pg_params_t *params = db_script_add(&line->script, STATEMENT_MESSAGES_BEFORE);
    pg_params_text(params, room);
    pg_params_i64(params, (int64_t)before);
    pg_params_i64(params, (int64_t)history->limit);
}

/* false: the cursor isn't one of ours. */
static bool script_list(read_line_t *line) {
    const proto_list_conversations_t *list = &line->job->body.list;
    cursor_t cursor;
    bool paged = list->cursor.n > 0;
    if (paged && cursor_parse(list->cursor, &cursor) != OK)
        return false;
    pg_params_t *params = db_script_add(&line->script, STATEMENT_LIST);
    pg_params_text(params, line->job->envelope.user);
    if (paged) {
        pg_params_i64(params, cursor.activity_us - US_OF_2000);
        pg_params_text(params, (str_t){cursor.conversation, cursor.conversation_n});
    } else {
        pg_params_null(params);
        pg_params_null(params);
    }
    pg_params_i64(params, (int64_t)list->limit + 1);
    return true;
}

static void script_heads(read_line_t *line) {
    proto_heads_t heads;
    ASSERT(proto_heads_decode(line->job->envelope.body, line->parts->arena, &heads) == OK);
    add_ids(&line->script, STATEMENT_HEADS, heads.rooms.items, heads.rooms.n);
}

bool read_job_script(read_line_t *line) {
    const envelope_t *envelope = &line->job->envelope;
    str_t user = ids_parse_room(envelope->room).user;
    db_script_clear(&line->script);
    line->introduces = false;
    switch (envelope->type) {
    case MSG_JOIN:
        script_join(line);
        return true;
    case MSG_HISTORY:
        script_history(line);
        return true;
    case MSG_HEADS:
        script_heads(line);
        return true;
    case MSG_LIST_CONVERSATIONS:
        return script_list(line);
    case MSG_CHANGES:
        script_changes(line);
        return true;
    case MSG_GET_CONVERSATION:
        store_view_script(&line->script, envelope->room, envelope->user);
        return true;
    case MSG_GET_USER:
        add_ids(&line->script, STATEMENT_USERS, &user, 1);
        return true;
    default:
        pg_params_text(db_script_add(&line->script, STATEMENT_LOAD_GROUP), envelope->room);
        return true;
    }
}

/* ---- answers ---- */

void read_job_end(read_line_t *line) {
    PQclear(line->first);
    line->first = NULL;
    job_free(&line->job);
}

void read_job_refuse(read_line_t *line, code_t code, const char *message) {
    outbox_refuse(line->parts->outbox, line->job, code, message);
    read_job_end(line);
}

static void reply(read_line_t *line, uint16_t type) {
    outbox_reply(line->parts->outbox, line->job, type, strbuf_str(&line->answers->body));
    read_job_end(line);
}

/* Makes a second step of the script that was written; `first` is kept for it. */
static bool keep_for_second(read_line_t *line, PGresult **first) {
    line->first = *first;
    *first = NULL;
    return true;
}

/* May the job's user see the conversation? Else it is ended here. One that isn't there yet can be
 * seen if it can be made. */
static bool admit(read_line_t *line, const store_conversation_t *conversation) {
    job_t *job = line->job;
    bool is_direct = !conversation->conversation.is_group;
    bool trusted = job->envelope.type == MSG_HISTORY && job->body.history.trusted;
    if (trusted || conversation->is_participant ||
        (is_direct && !conversation->exists && conversation->partner_known))
        return true;
    if (conversation->exists || !is_direct) {
        read_job_refuse(line, CODE_FORBIDDEN, "not a participant of this conversation");
        return false;
    }
    int64_t retry_ms = 0;
    if (job->envelope.type == MSG_JOIN)
        retry_ms = job_look_again(job, clock_now_ms());
    if (retry_ms) {
        line->job = NULL;
        read_queue_retry(line->queue, job, retry_ms);
    } else {
        read_job_refuse(line, CODE_NOT_FOUND, "no such user");
    }
    return false;
}

static bool answer_join(read_line_t *line, const db_outcome_t *outcome) {
    const job_t *job = line->job;
    const proto_join_t *join = &job->body.join;
    answers_t *answers = line->answers;
    PGresult **results = outcome->results + line->introduces;
    store_conversation_t conversation;
    if (line->first) { /* second step: the participants of one that isn't there yet */
        store_conversation_read(line->first, job->envelope.room, &conversation);
        answers_join(answers, job, &conversation,
                     &(join_rows_t){.participants = outcome->results[0]});
        reply(line, MSG_CONVERSATION);
        return false;
    }
    if (line->introduces)
        store_user_known(line->parts->known, job->envelope.user, join->name, join->role);
    store_conversation_read(results[0], job->envelope.room, &conversation);
    if (!admit(line, &conversation))
        return false;
    if (conversation.exists) {
        bool has_after = PROTO_HAS(join, 1), has_reads = PROTO_HAS(join, 4);
        answers_join(answers, job, &conversation,
                     &(join_rows_t){.participants = results[1],
                                    .messages = has_after ? results[2] : NULL,
                                    .reads = has_reads ? results[2 + has_after] : NULL});
        reply(line, MSG_CONVERSATION);
        return false;
    }
    ids_room_t room = ids_parse_room(job->envelope.room);
    db_script_clear(&line->script);
    add_ids(&line->script, STATEMENT_USERS, (str_t[]){room.user, room.other}, 2);
    return keep_for_second(line, &results[0]);
}

static void answer_history(read_line_t *line, const db_outcome_t *outcome) {
    store_conversation_t conversation;
    store_conversation_read(outcome->results[0], line->job->envelope.room, &conversation);
    if (!admit(line, &conversation))
        return;
    answers_history(line->answers, line->job, &conversation, outcome->results[1]);
    reply(line, MSG_MESSAGES);
}

static bool answer_list(read_line_t *line, const db_outcome_t *outcome) {
    if (line->first) {
        answers_list(line->answers, line->job, line->first, outcome->results[0]);
        reply(line, MSG_JSON);
        return false;
    }
    const PGresult *page = outcome->results[0];
    int rows = PQntuples(page), limit = (int)line->job->body.list.limit;
    size_t n = (size_t)(rows < limit ? rows : limit);
    str_t *ids = xcalloc(n, sizeof(*ids));
    for (size_t i = 0; i < n; i++)
        ids[i] = pg_rows_text(page, (int)i, 0);
    db_script_clear(&line->script);
    add_ids(&line->script, STATEMENT_PARTICIPANTS, ids, n);
    free(ids);
    return keep_for_second(line, &outcome->results[0]);
}

/* The conversations that are new come with their participants: a second step. */
static bool answer_changes(read_line_t *line, const db_outcome_t *outcome) {
    const PGresult *rows = line->first ? line->first : outcome->results[0];
    str_t *ids = xcalloc((size_t)PQntuples(rows), sizeof(*ids));
    size_t n = 0;
    for (int row = 0; !line->first && row < PQntuples(rows); row++) {
        if (answers_is_added(rows, row))
            ids[n++] = pg_rows_text(rows, row, 0);
    }
    if (n > 0) {
        db_script_clear(&line->script);
        add_ids(&line->script, STATEMENT_PARTICIPANTS, ids, n);
    }
    free(ids);
    if (n > 0)
        return keep_for_second(line, &outcome->results[0]);
    answers_changes(line->answers, rows, line->first ? outcome->results[0] : NULL);
    reply(line, MSG_CHANGED);
    return false;
}

static void answer_conversation(read_line_t *line, const db_outcome_t *outcome) {
    str_t room = line->job->envelope.room;
    answers_t *answers = line->answers;
    store_conversation_t conversation;
    store_conversation_read(outcome->results[0], room, &conversation);
    if (!admit(line, &conversation))
        return;
    if (!conversation.exists) {
        read_job_refuse(line, CODE_NOT_FOUND, "no such conversation yet");
        return;
    }
    strbuf_clear(&answers->json);
    store_view_append(outcome->results, room, conversation.read_seq, &answers->json);
    answers_json(answers, false);
    reply(line, MSG_JSON);
}

static void answer_user(read_line_t *line, const db_outcome_t *outcome) {
    answers_t *answers = line->answers;
    participant_t user;
    if (PQntuples(outcome->results[0]) == 0) {
        read_job_refuse(line, CODE_NOT_FOUND, "no such user");
        return;
    }
    store_participant_read(outcome->results[0], 0, &user);
    strbuf_clear(&answers->json);
    entities_append_user(&answers->json, user.id, user.name, user.role);
    answers_json(answers, false);
    reply(line, MSG_JSON);
}

bool read_job_answer(read_line_t *line, const db_outcome_t *outcome) {
    switch (line->job->envelope.type) {
    case MSG_JOIN:
        return answer_join(line, outcome);
    case MSG_LIST_CONVERSATIONS:
        return answer_list(line, outcome);
    case MSG_CHANGES:
        return answer_changes(line, outcome);
    case MSG_HISTORY:
        answer_history(line, outcome);
        return false;
    case MSG_HEADS:
        answers_heads(line->answers, outcome->results[0]);
        reply(line, MSG_HEAD_SEQS);
        return false;
    case MSG_GET_CONVERSATION:
        answer_conversation(line, outcome);
        return false;
    case MSG_GET_USER:
        answer_user(line, outcome);
        return false;
    default:
        answers_group(line->answers, outcome->results[0]);
        reply(line, MSG_GROUP);
        return false;
    }
}
