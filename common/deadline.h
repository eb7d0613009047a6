/* Deadlines in a binary min-heap with intrusive nodes: O(log n) to add, move and remove, one timer
 * for all of them. Times are milliseconds of whatever clock the caller passes as now_ms. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what has the deadline. Zeroed is valid: in no heap. */
typedef struct {
    int64_t at_ms;
    size_t place; /* its position in the heap + 1; 0 when in none */
} deadline_t;

/* Zeroed is a valid empty heap. It owns its array, never the nodes: a node must be removed before
 * its memory goes. */
typedef struct {
    deadline_t **items;
    size_t n;
    size_t capacity;
} deadline_heap_t;

/* The struct of type `type` in which `node` is the member `member`. */
#define DEADLINE_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Frees the array; the nodes left in the heap are marked as being in none. */
void deadline_heap_fini(deadline_heap_t *self);

/* Sets the node's deadline, moving it when it is in this heap already. */
void deadline_add(deadline_heap_t *self, deadline_t *node, int64_t at_ms);

/* Takes the node out; nothing happens when it is in no heap. */
void deadline_remove(deadline_heap_t *self, deadline_t *node);

/* Takes out and returns a node with the earliest deadline, if that is at or before now_ms; else
 * NULL. Equal deadlines come in an order that only depends on the calls made. */
deadline_t *deadline_pop_due(deadline_heap_t *self, int64_t now_ms);

/* The earliest deadline, INT64_MAX when there is none. */
int64_t deadline_next(const deadline_heap_t *self);

static inline bool deadline_is_set(const deadline_t *node) {
    return node->place != 0;
}
