/* One read job on one connection: its script, in one step or two, and its answer. Used by reader
 * alone. */
#pragma once

#include "persist-worker/parts.h"
#include "persist-worker/read_queue.h"

/* A connection and what runs on it. */
typedef struct {
    const worker_parts_t *parts;
    read_queue_t *queue; /* for jobs that wait and are tried again */
    answers_t *answers;
    void *reader;
    db_t *db;
    db_script_t script;
    job_t *job; /* NULL: nothing, or hints */
    bool hints;
    bool connected;
    bool introduces; /* the script's first statement makes sure of the user */
    PGresult *first; /* kept between the two steps of a job that takes two */
    uint64_t began_ns;
} read_line_t;

/* Writes the job's (first) script; false when the job can't be. */
bool read_job_script(read_line_t *line);

/* Answers the job from what was read, or puts it back to look again later; true when its second
 * script is written and must run now. */
bool read_job_answer(read_line_t *line, const db_outcome_t *outcome);

/* Ends the job with an error. */
void read_job_refuse(read_line_t *line, code_t code, const char *message);
/* Frees the job, if there is one. */
void read_job_end(read_line_t *line);
