#include "persist-worker/answers.h"

#include "persist-worker/cursor.h"
#include "persist-worker/pg_rows.h"

#define US_OF_2000 INT64_C(946684800000000)

void answers_fini(answers_t *self) {
    strbuf_fini(&self->body);
    strbuf_fini(&self->json);
    strbuf_fini(&self->part);
    text_list_fini(&self->texts);
    text_list_fini(&self->ids);
}

static void clear(answers_t *self) {
    strbuf_clear(&self->body);
    strbuf_clear(&self->json);
    strbuf_clear(&self->part);
    text_list_clear(&self->texts);
    text_list_clear(&self->ids);
}

/* Writes the rows' messages up to `head` into texts, as many as fit. */
static void take_messages(answers_t *self, const PGresult *rows, int64_t head) {
    for (int row = 0; rows && row < PQntuples(rows); row++) {
        message_t message;
        store_message_read(rows, row, 0, &message);
        if (message.seq > head)
            continue;
        entities_append_message(&self->texts.bytes, &message);
        text_list_end(&self->texts, (uint64_t)message.seq);
        if (self->texts.bytes.n > ANSWER_BYTES_MAX && self->texts.n > 1) {
            text_list_drop_last(&self->texts);
            return;
        }
    }
}

/* Writes the array of rows [from, to) into `out`. */
static void append_participants(strbuf_t *out, const PGresult *rows, int from, int to) {
    strbuf_append_char(out, '[');
    for (int row = from; row < to; row++) {
        participant_t participant;
        store_participant_read(rows, row, &participant);
        if (row > from)
            strbuf_append_char(out, ',');
        entities_append_participant(out, &participant);
    }
    strbuf_append_char(out, ']');
}

/* Which of the messages came from this socket. Returns a list on the heap. */
static uint64_t *own_seqs(const answers_t *self, const PGresult *rows, str_t socket_id,
                          size_t *n_out) {
    uint64_t *own = xcalloc(self->texts.n + 1, sizeof(*own));
    *n_out = 0;
    for (int row = 0; socket_id.n && rows && row < PQntuples(rows); row++) {
        message_t message;
        store_message_read(rows, row, 0, &message);
        if (str_eq(message.socket_id, socket_id) && *n_out < self->texts.n)
            own[(*n_out)++] = (uint64_t)message.seq;
    }
    return own;
}

/* Marks, as the three lists of an answer; on the heap. */
typedef struct {
    str_t *users;
    uint64_t *seqs, *at_ms;
    size_t n;
} marks_t;

static marks_t marks_of(const PGresult *rows) {
    size_t n = rows ? (size_t)PQntuples(rows) : 0;
    marks_t marks = {.users = xcalloc(n + 1, sizeof(str_t)),
                     .seqs = xcalloc(n + 1, sizeof(uint64_t)),
                     .at_ms = xcalloc(n + 1, sizeof(uint64_t)),
                     .n = n};
    for (size_t i = 0; i < n; i++) {
        marks.users[i] = pg_rows_text(rows, (int)i, 0);
        marks.seqs[i] = (uint64_t)pg_rows_i64(rows, (int)i, 1);
        marks.at_ms[i] = (uint64_t)pg_rows_time_ms(rows, (int)i, 2);
    }
    return marks;
}

static void marks_fini(marks_t *marks) {
    free(marks->users);
    free(marks->seqs);
    free(marks->at_ms);
}

/* Adds the participants' ids; returns when one of their marks moved last. */
static int64_t add_participant_ids(answers_t *self, const PGresult *rows) {
    int64_t newest_ms = 0;
    for (int row = 0; row < PQntuples(rows); row++) {
        int64_t read_at_ms = pg_rows_time_ms(rows, row, 6);
        text_list_add(&self->ids, pg_rows_text(rows, row, 1), 0);
        newest_ms = read_at_ms > newest_ms ? read_at_ms : newest_ms;
    }
    return newest_ms;
}

void answers_join(answers_t *self, const job_t *job, const store_conversation_t *conversation,
                  const join_rows_t *rows) {
    const proto_join_t *join = &job->body.join;
    int64_t head = conversation->head_seq;
    int64_t after = PROTO_HAS(join, 1) ? (int64_t)join->after : head;
    size_t own_count;
    clear(self);
    entities_append_conversation(&self->json, &conversation->conversation);
    append_participants(&self->part, rows->participants, 0, PQntuples(rows->participants));
    uint64_t read_at_ms = (uint64_t)add_participant_ids(self, rows->participants);
    take_messages(self, rows->messages, head);
    uint64_t *own = own_seqs(self, rows->messages, join->socket_id, &own_count);
    marks_t marks = marks_of(rows->reads);
    proto_conversation_t answer = {
        .conversation = strbuf_str(&self->json),
        .participants = strbuf_str(&self->part),
        .participant_ids = text_list_texts(&self->ids),
        .head_seq = (uint64_t)head,
        .generation = conversation->generation,
        .messages = text_list_texts(&self->texts),
        .seqs = text_list_numbers(&self->texts),
        .truncated = head > after && (uint64_t)(head - after) > self->texts.n,
        .reset = after > head,
        .read_at_ms = read_at_ms,
        .own = {own, own_count},
        .readers = {marks.users, marks.n},
        .read_seqs = {marks.seqs, marks.n},
        .reads_at_ms = {marks.at_ms, marks.n},
    };
    if (conversation->conversation.is_group)
        answer.members_version = (uint64_t)conversation->members_version;
    proto_conversation_encode(&answer, &self->body);
    marks_fini(&marks);
    free(own);
}

void answers_history(answers_t *self, const job_t *job, const store_conversation_t *conversation,
                     const PGresult *messages) {
    clear(self);
    take_messages(self, messages, INT64_MAX);
    if (!PROTO_HAS(&job->body.history, 2))
        text_list_reverse(&self->texts); /* they came newest first */
    proto_messages_t answer = {
        .messages = text_list_texts(&self->texts),
        .seqs = text_list_numbers(&self->texts),
        .head_seq = (uint64_t)conversation->head_seq,
    };
    /* Seqs count from 1 without a hole, so below the lowest there is more unless it is 1. */
    if (answer.seqs.n > 0 && answer.seqs.items[0] > 1)
        answer.next_before = answer.seqs.items[0];
    proto_messages_encode(&answer, &self->body);
}

void answers_heads(answers_t *self, const PGresult *rows) {
    str_t generation = STR("");
    clear(self);
    for (int row = 0; row < PQntuples(rows); row++) {
        text_list_add(&self->texts, STR(""), (uint64_t)pg_rows_i64(rows, row, 0));
        generation = pg_rows_text(rows, row, 1);
    }
    proto_head_seqs_t answer = {.seqs = text_list_numbers(&self->texts), .generation = generation};
    proto_head_seqs_encode(&answer, &self->body);
}

void answers_group(answers_t *self, const PGresult *rows) {
    proto_group_t answer = {0};
    clear(self);
    for (int row = 0; row < PQntuples(rows); row++) {
        answer.members_version = (uint64_t)pg_rows_i64(rows, row, 0);
        if (!pg_rows_is_null(rows, row, 1))
            text_list_add(&self->ids, pg_rows_text(rows, row, 1), 0);
    }
    answer.members = text_list_texts(&self->ids);
    proto_group_encode(&answer, &self->body);
}

/* Columns of STATEMENT_LIST and STATEMENT_CHANGES, and those that the latter has behind them. */
enum { CREATOR = 7, NEWEST = 8, REMOVED = 19, IS_IN, CHANGED_AT, NOW, GENERATION };

/* Writes row `row` of the page into `out`. Its participants are the rows from *at on, which moves
 * behind them. */
static void append_listed(answers_t *self, const PGresult *page, int row,
                          const PGresult *participants, int *at, strbuf_t *out) {
    str_t id = pg_rows_text(page, row, 0);
    conversation_t conversation = {
        .id = id,
        .is_group = str_eq(pg_rows_text(page, row, 1), STR("group")),
        .title = pg_rows_text(page, row, 2),
        .created_at_ms = pg_rows_time_ms(page, row, 3),
        .creator_id = pg_rows_text(page, row, CREATOR),
    };
    int from = *at;
    while (*at < PQntuples(participants) && str_eq(pg_rows_text(participants, *at, 0), id))
        (*at)++;
    text_list_clear(&self->texts);
    append_participants(&self->texts.bytes, participants, from, *at);
    text_list_end(&self->texts, 0);
    if (!pg_rows_is_null(page, row, NEWEST)) {
        message_t message;
        store_message_read(page, row, NEWEST, &message);
        entities_append_message(&self->texts.bytes, &message);
    }
    text_list_end(&self->texts, 0);
    conversation_view_t view = {
        .participants = text_list_at(&self->texts, 0),
        .last_message = text_list_at(&self->texts, 1),
        .unread_count = pg_rows_i64(page, row, 5) - pg_rows_i64(page, row, 6),
    };
    entities_append_conversation_view(out, &conversation, &view);
}

void answers_list(answers_t *self, const job_t *job, const PGresult *page,
                  const PGresult *participants) {
    int rows = PQntuples(page), limit = (int)job->body.list.limit, at = 0, row = 0;
    clear(self);
    strbuf_append(&self->json, STR("{\"conversations\":["));
    for (; row < rows && row < limit; row++) {
        strbuf_clear(&self->part);
        append_listed(self, page, row, participants, &at, &self->part);
        if (row > 0 && self->json.n + self->part.n > ANSWER_BYTES_MAX)
            break;
        if (row > 0)
            strbuf_append_char(&self->json, ',');
        strbuf_append(&self->json, strbuf_str(&self->part));
    }
    strbuf_append(&self->json, STR("],\"nextCursor\":"));
    if (row < rows) {
        strbuf_append_char(&self->json, '"');
        cursor_append(&self->json, pg_rows_time_us2000(page, row - 1, 4) + US_OF_2000,
                      pg_rows_text(page, row - 1, 0));
        strbuf_append(&self->json, STR("\"}"));
    } else {
        strbuf_append(&self->json, STR("null}"));
    }
    answers_json(self, false);
}

/* ---- what a returning user missed ---- */

bool answers_is_added(const PGresult *rows, int row) {
    return !pg_rows_is_null(rows, row, 1) && pg_rows_bool(rows, row, IS_IN);
}

/* The lists of the answer being made. */
typedef struct {
    str_t *events, *conversations;
    uint64_t *at_ms;
    size_t n, changed;
    text_list_t payloads;
} changes_t;

/* The payload has been written to payloads.bytes. */
static void end_change(changes_t *changes, str_t event, str_t conversation, int64_t at_ms) {
    changes->events[changes->n] = event;
    changes->conversations[changes->n] = conversation;
    changes->at_ms[changes->n++] = (uint64_t)at_ms;
    text_list_end(&changes->payloads, 0);
}

/* Has the list made of row `row`; participants from *at on are of the next that is added. */
static void add_change(answers_t *self, changes_t *changes, const PGresult *rows, int row,
                       const PGresult *participants, int *at) {
    str_t id = pg_rows_text(rows, row, 0);
    strbuf_t *payload = &changes->payloads.bytes;
    bool logged = !pg_rows_is_null(rows, row, CHANGED_AT);
    int64_t at_ms = pg_rows_time_ms(rows, row, CHANGED_AT);
    changes->changed += logged;
    if (pg_rows_bool(rows, row, REMOVED)) {
        entities_append_removal(payload, id);
        end_change(changes, STR("conversation_removed"), id, at_ms);
    }
    if (answers_is_added(rows, row)) {
        append_listed(self, rows, row, participants, at, payload);
        end_change(changes, STR("conversation_added"), id, at_ms);
    } else if (!logged && !pg_rows_is_null(rows, row, NEWEST)) {
        message_t newest;
        store_message_read(rows, row, NEWEST, &newest);
        strbuf_clear(&self->part);
        entities_append_message(&self->part, &newest);
        entities_append_update(payload, id, strbuf_str(&self->part),
                               pg_rows_i64(rows, row, 5) - pg_rows_i64(rows, row, 6));
        end_change(changes, STR("conversation_updated"), id, 0);
    }
}

void answers_changes(answers_t *self, const PGresult *rows, const PGresult *participants) {
    int n = PQntuples(rows), at = 0;
    size_t most = (size_t)n * 2;
    changes_t changes = {.events = xcalloc(most, sizeof(str_t)),
                         .conversations = xcalloc(most, sizeof(str_t)),
                         .at_ms = xcalloc(most, sizeof(uint64_t))};
    clear(self);
    for (int row = 0; row < n; row++) {
        if (!pg_rows_is_null(rows, row, 0))
            add_change(self, &changes, rows, row, participants, &at);
    }
    proto_changed_t answer = {
        .events = {changes.events, changes.n},
        .conversations = {changes.conversations, changes.n},
        .payloads = text_list_texts(&changes.payloads),
        .at_ms = {changes.at_ms, changes.n},
        .now_ms = (uint64_t)pg_rows_time_ms(rows, 0, NOW),
        .generation = pg_rows_text(rows, 0, GENERATION),
        .truncated = changes.changed >= CHANGES_MAX || changes.payloads.bytes.n > ANSWER_BYTES_MAX,
    };
    if (answer.truncated)
        answer.events.n = answer.conversations.n = answer.payloads.n = answer.at_ms.n = 0;
    proto_changed_encode(&answer, &self->body);
    text_list_fini(&changes.payloads);
    free(changes.events);
    free(changes.conversations);
    free(changes.at_ms);
}

void answers_json(answers_t *self, bool created) {
    proto_json_t answer = {.json = strbuf_str(&self->json), .created = created};
    strbuf_clear(&self->body);
    proto_json_encode(&answer, &self->body);
}
