#include "gateway/socketio/timeouts.h"

void timeout_clear(timeout_t *self) {
    timeout_list_t *list = self->list;
    if (!list)
        return;
    *(self->prev ? &self->prev->next : &list->head) = self->next;
    *(self->next ? &self->next->prev : &list->tail) = self->prev;
    self->prev = self->next = NULL;
    self->list = NULL;
}

void timeout_set(timeout_t *self, timeout_list_t *list, uint64_t at_ms) {
    timeout_clear(self);
    timeout_t *before = list->tail;
    while (before && before->at_ms > at_ms)
        before = before->prev;
    timeout_t *behind = before ? before->next : list->head;
    self->at_ms = at_ms;
    self->list = list;
    self->prev = before;
    self->next = behind;
    *(before ? &before->next : &list->head) = self;
    *(behind ? &behind->prev : &list->tail) = self;
}

timeout_t *timeout_pop_due(timeout_list_t *list, uint64_t now_ms) {
    timeout_t *first = list->head;
    if (!first || first->at_ms > now_ms)
        return NULL;
    timeout_clear(first);
    return first;
}
