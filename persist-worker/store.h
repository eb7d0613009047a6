/* Jobs as scripts for the database, and the rows that come back. */
#pragma once

#include "persist-worker/batch.h"
#include "persist-worker/db.h"
#include "persist-worker/entities.h"
#include "persist-worker/seen.h"

/* What is known to be stored, so that it needn't be looked for again. Forget it with the
 * connection. */
typedef struct {
    seen_t *users;         /* id => digest of name and role */
    seen_t *conversations; /* direct ones */
} store_known_t;

/* ---- batches (store_write.c) ---- */

/* As STATEMENT_SEND and STATEMENT_MARK_READ number them. */
typedef enum {
    STORE_NEW = 0,
    STORE_UNCHANGED = 1,       /* the message was there already; the mark wasn't below */
    STORE_NO_CONVERSATION = 2, /* … and a direct one can't be made: its partner is unknown */
    STORE_NOT_PARTICIPANT = 3,
    STORE_NO_REPLY_TARGET = 4,
    STORE_EMPTY = 5, /* marks: a direct conversation that may be made, but isn't yet */
} store_outcome_t;

typedef struct {
    store_outcome_t outcome;
    int64_t seq;       /* the message's, or the mark now */
    int64_t at_ms;     /* of the message or the mark, Unix */
    message_t message; /* SEND: what is stored; borrows from job and result */
} store_written_t;

/* Where a batch's jobs are in its script. */
typedef struct {
    int send, mark_read; /* index of the statement, -1 without one */
} store_layout_t;

/* Writes the script of a batch of batched kinds; it stays empty when nothing needs to be written.
 */
store_layout_t store_batch_script(const batch_t *batch, store_known_t *known, db_script_t *script);
/* Reads what became of each job of a batch into `written`, in order. */
void store_batch_read(const batch_t *batch, store_layout_t layout, const db_outcome_t *outcome,
                      store_written_t *written);
/* Remembers what a committed batch made sure of. */
void store_batch_known(const batch_t *batch, const store_written_t *written, store_known_t *known);

/* ---- writes that come alone (store_alone.c) ---- */

/* Writes the script of one job of another kind. `arena` is for its lists. */
void store_alone_script(const job_t *job, proto_arena_t *arena, db_script_t *script);

typedef struct {
    code_t code; /* CODE_NOT_FOUND: a user is unknown */
    const char *message;
    bool created;
    int64_t members_version;
    str_t *users; /* whom the change was about; borrow from job and result */
    size_t user_count;
    bool has_view; /* the caller may see the conversation … */
    size_t view;   /* … from the results from this index on (store_view_append) */
} store_alone_t;

/* Reads what became of it. */
void store_alone_read(const job_t *job, const db_outcome_t *outcome, store_alone_t *out);
void store_alone_fini(store_alone_t *self);

/* ---- reads (store_read.c) ---- */

/* One row of STATEMENT_CONVERSATION. */
typedef struct {
    bool exists;
    conversation_t conversation;
    int64_t head_seq;
    int64_t members_version;
    bool is_participant; /* the viewer */
    int64_t read_seq;    /* the viewer's mark */
    bool partner_known;
    str_t generation;
    int64_t now_ms; /* the database's time when this was read, Unix */
} store_conversation_t;

void store_conversation_script(db_script_t *script, str_t id, str_t viewer);
void store_conversation_read(const PGresult *rows, str_t id, store_conversation_t *out);

/* Makes sure that a user is stored, unless that is known. */
void store_user_script(db_script_t *script, store_known_t *known, str_t id, str_t name, str_t role);
void store_user_known(store_known_t *known, str_t id, str_t name, str_t role);

/* A row of STATEMENT_PARTICIPANTS or STATEMENT_USERS. */
void store_participant_read(const PGresult *rows, int row, participant_t *out);
/* Message columns of a row, the first at `column`. */
void store_message_read(const PGresult *rows, int row, int column, message_t *out);

/* The three statements of a conversation as `viewer` sees it. */
void store_view_script(db_script_t *script, str_t id, str_t viewer);
/* Appends the JSON object of it from the three results, as seen by a participant whose mark is
 * `read_seq`. */
void store_view_append(PGresult *const *results, str_t id, int64_t read_seq, strbuf_t *out);
/* The database's time when the three were read, Unix. */
int64_t store_view_time_ms(PGresult *const *results);
