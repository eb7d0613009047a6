/* Rows of reads as the bodies of their answers. */
#pragma once

#include "persist-worker/store.h"
#include "persist-worker/text_list.h"

/* Texts of messages or conversations in one answer; what doesn't fit comes with the next page. One
 * always fits. */
enum { ANSWER_BYTES_MAX = 1 << 20 };
/* Conversations of one kind that a returning user is told of. */
enum { CHANGES_MAX = 100 };

/* Memory for building; reused. */
typedef struct {
    strbuf_t body; /* the answer */
    strbuf_t json;
    strbuf_t part;
    text_list_t texts;
    text_list_t ids;
} answers_t;

void answers_fini(answers_t *self);

/* What a join's answer is made of; all but the participants NULL when not asked for. */
typedef struct {
    const PGresult *participants; /* rows of STATEMENT_PARTICIPANTS or STATEMENT_USERS */
    const PGresult *messages;     /* of STATEMENT_MESSAGES_AFTER */
    const PGresult *reads;        /* of STATEMENT_READS_AFTER */
} join_rows_t;

/* All write self->body. `messages` has rows of STATEMENT_MESSAGES_AFTER or _BEFORE. */
void answers_join(answers_t *self, const job_t *job, const store_conversation_t *conversation,
                  const join_rows_t *rows);
void answers_history(answers_t *self, const job_t *job, const store_conversation_t *conversation,
                     const PGresult *messages);
void answers_heads(answers_t *self, const PGresult *rows);
void answers_group(answers_t *self, const PGresult *rows);
/* `page`: rows of STATEMENT_LIST, one more than asked for when there are more. `participants`: of
 * their conversations, in their order. */
void answers_list(answers_t *self, const job_t *job, const PGresult *page,
                  const PGresult *participants);
/* Whether row `row` of STATEMENT_CHANGES tells of a conversation that is new to the user: its
 * participants are needed. */
bool answers_is_added(const PGresult *rows, int row);
/* `participants` (NULL: none is new): of those conversations, in the order of `rows`. */
void answers_changes(answers_t *self, const PGresult *rows, const PGresult *participants);
/* The JSON object of self->json as it is. */
void answers_json(answers_t *self, bool created);
