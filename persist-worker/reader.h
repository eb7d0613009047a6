/* Executes reads, each on the first of several connections that is free; what is left of their time
 * goes to conversation_updated. */
#pragma once

#include "persist-worker/parts.h"

enum { READ_ATTEMPTS = 3, READ_RETRY_MS = 200 };

typedef struct reader reader_t;

/* `parts` is borrowed. */
reader_t *reader_new(const worker_parts_t *parts);
/* Connects; once the schema is in place. */
void reader_open(reader_t *self);
/* Closes the connections; what is under way ends unanswered. Free memory once the loop has run. */
void reader_close(reader_t *self);
void reader_free(reader_t **self);

/* Takes a checked job over; answers it when the queue is full. */
void reader_add(reader_t *self, job_t *job);
/* The broker will give its jobs to somebody: forget those that wait. */
void reader_drop(reader_t *self, size_t broker);
/* Answers what is overdue and starts what can be started, unless `finishing`. */
void reader_turn(reader_t *self, int64_t now_ms, bool finishing);
/* When reader_turn has something to do if nothing else happens; INT64_MAX: never. */
int64_t reader_next_ms(const reader_t *self);

bool reader_is_busy(const reader_t *self);
void reader_write_stats(const reader_t *self);
