#include "gateway/socketio/deadlines.h"

void deadline_clear(deadline_t *self) {
    deadline_list_t *list = self->list;
    if (!list)
        return;
    *(self->prev ? &self->prev->next : &list->head) = self->next;
    *(self->next ? &self->next->prev : &list->tail) = self->prev;
    self->prev = self->next = NULL;
    self->list = NULL;
}

void deadline_set(deadline_t *self, deadline_list_t *list, uint64_t at_ms) {
    deadline_clear(self);
    deadline_t *before = list->tail;
    while (before && before->at_ms > at_ms)
        before = before->prev;
    deadline_t *behind = before ? before->next : list->head;
    self->at_ms = at_ms;
    self->list = list;
    self->prev = before;
    self->next = behind;
    *(before ? &before->next : &list->head) = self;
    *(behind ? &behind->prev : &list->tail) = self;
}

deadline_t *deadline_pop_due(deadline_list_t *list, uint64_t now_ms) {
    deadline_t *first = list->head;
    if (!first || first->at_ms > now_ms)
        return NULL;
    deadline_clear(first);
    return first;
}
