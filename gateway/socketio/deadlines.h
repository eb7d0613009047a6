/* Equal time-outs without a timer each: a list ordered by time, to which nearly every insertion is
 * at the end, and whose head is all a timer has to know. */
#pragma once

#include "common/str.h"

typedef struct deadline {
    struct deadline *prev, *next;
    struct deadline_list *list; /* the one it is on, or NULL */
    uint64_t at_ms;
} deadline_t;

/* Zeroed is a valid empty list. */
typedef struct deadline_list {
    deadline_t *head, *tail;
} deadline_list_t;

/* Puts `deadline` on `list`, off the one it was on. Walks from the end to its place. */
void deadline_set(deadline_t *deadline, deadline_list_t *list, uint64_t at_ms);
/* Takes it off its list, if it is on one. */
void deadline_clear(deadline_t *deadline);
/* Takes off the first whose time has come, or returns NULL. */
deadline_t *deadline_pop_due(deadline_list_t *list, uint64_t now_ms);

#define DEADLINE_NONE UINT64_MAX
/* The time of the first one, DEADLINE_NONE for an empty list. */
static inline uint64_t deadline_first(const deadline_list_t *list) {
    return list->head ? list->head->at_ms : DEADLINE_NONE;
}
