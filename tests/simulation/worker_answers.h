/* What a simulated persist-worker's transactions do in the store, and the bodies that tell of it
 * (store_write.c, store_read.c, answers.c). */
#pragma once

#include "persist-worker/job.h"
#include "persist-worker/text_list.h"
#include "store.h"

typedef struct {
    proto_arena_t *arena;
    strbuf_t body;
    strbuf_t json;
    strbuf_t part;
    text_list_t texts;
    text_list_t ids;
} worker_answers_t;

void worker_answers_init(worker_answers_t *self);
void worker_answers_fini(worker_answers_t *self);

/* What became of one write. */
typedef struct {
    code_t code;
    bool duplicate;
    bool advanced; /* a mark */
    uint64_t seq;  /* the message's, or the mark */
    uint64_t members_version;
} worker_written_t;

/* A batch makes its users known, and their direct conversations, before it writes. */
void worker_answers_prepare(store_t *store, const job_t *job);
void worker_answers_write(worker_answers_t *self, store_t *store, const job_t *job,
                          worker_written_t *out);

/* What one read saw. */
typedef struct {
    code_t code;
    bool exists;
    uint64_t head;    /* as the conversation's row said in the first step … */
    uint64_t visible; /* … and the last message that there was in the second */
    bool members[STORE_USERS_MAX];
    uint64_t members_version;
    uint64_t heads[STORE_ROOMS_MAX];
} worker_read_t;

void worker_answers_read(store_t *store, const job_t *job, unsigned step, worker_read_t *out);

/* Bodies, valid until the next call. */
str_t worker_answers_error(worker_answers_t *self);
str_t worker_answers_fact(worker_answers_t *self, store_t *store, const job_t *job,
                          const worker_written_t *written, uint16_t *type_out);
/* conversation_added or conversation_removed, and for whom. */
str_t worker_answers_event(worker_answers_t *self, const job_t *job, uint64_t members_version,
                           str_t *user_out);
str_t worker_answers_of_read(worker_answers_t *self, store_t *store, const job_t *job,
                             const worker_read_t *read, uint16_t *type_out);
