/* Executes writes: batches, on a connection of its own. */
#pragma once

#include "persist-worker/parts.h"

typedef struct writer writer_t;

/* Connects and brings the schema up to date. `parts` is borrowed. */
writer_t *writer_new(const worker_parts_t *parts);
/* Closes the connection; what is under way ends unanswered. Frees memory once the loop has run. */
void writer_close(writer_t *self);
void writer_free(writer_t **self);

/* Takes a checked job over; answers it when the queue is full. */
void writer_add(writer_t *self, job_t *job);
/* The broker will give its jobs to somebody: forget those that wait. */
void writer_drop(writer_t *self, size_t broker);
/* Answers what is overdue and starts a batch if none is out, unless `finishing`. */
void writer_turn(writer_t *self, int64_t now_ms, bool finishing);
/* When writer_turn has something to do if nothing else happens; INT64_MAX: never. */
int64_t writer_next_ms(const writer_t *self);

bool writer_is_busy(const writer_t *self);
bool writer_is_connected(const writer_t *self);
/* The schema is in place. */
/* More than half of its queue is taken. */
bool writer_is_crowded(const writer_t *self);
bool writer_is_migrated(const writer_t *self);
void writer_write_stats(const writer_t *self);
