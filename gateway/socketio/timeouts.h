/* Equal time-outs without a timer each: a list ordered by time, to which nearly every insertion is
 * at the end, and whose head is all a timer has to know. */
#pragma once

#include "common/str.h"

typedef struct timeout {
    struct timeout *prev, *next;
    struct timeout_list *list; /* the one it is on, or NULL */
    uint64_t at_ms;
} timeout_t;

/* Zeroed is a valid empty list. */
typedef struct timeout_list {
    timeout_t *head, *tail;
} timeout_list_t;

/* Puts `timeout` on `list`, off the one it was on. Walks from the end to its place. */
void timeout_set(timeout_t *timeout, timeout_list_t *list, uint64_t at_ms);
/* Takes it off its list, if it is on one. */
void timeout_clear(timeout_t *timeout);
/* Takes off the first whose time has come, or returns NULL. */
timeout_t *timeout_pop_due(timeout_list_t *list, uint64_t now_ms);

#define TIMEOUT_NONE UINT64_MAX
/* The time of the first one, TIMEOUT_NONE for an empty list. */
static inline uint64_t timeout_first(const timeout_list_t *list) {
    return list->head ? list->head->at_ms : TIMEOUT_NONE;
}
