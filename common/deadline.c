#include "common/deadline.h"

#include "common/err.h"

static void put(deadline_heap_t *self, size_t at, deadline_t *node) {
    self->items[at] = node;
    node->place = at + 1;
}

static void sift_up(deadline_heap_t *self, size_t at) {
    deadline_t *node = self->items[at];
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (self->items[parent]->at_ms <= node->at_ms)
            break;
        put(self, at, self->items[parent]);
        at = parent;
    }
    put(self, at, node);
}

static void sift_down(deadline_heap_t *self, size_t at) {
    deadline_t *node = self->items[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= self->n)
            break;
        if (child + 1 < self->n && self->items[child + 1]->at_ms < self->items[child]->at_ms)
            child++;
        if (self->items[child]->at_ms >= node->at_ms)
            break;
        put(self, at, self->items[child]);
        at = child;
    }
    put(self, at, node);
}

void deadline_heap_fini(deadline_heap_t *self) {
    for (size_t i = 0; i < self->n; i++)
        self->items[i]->place = 0;
    free(self->items);
    *self = (deadline_heap_t){0};
}

void deadline_add(deadline_heap_t *self, deadline_t *node, int64_t at_ms) {
    deadline_remove(self, node);
    if (self->n == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 16;
        self->items = xrealloc(self->items, self->capacity * sizeof(deadline_t *));
    }
    node->at_ms = at_ms;
    put(self, self->n++, node);
    sift_up(self, self->n - 1);
}

void deadline_remove(deadline_heap_t *self, deadline_t *node) {
    if (node->place == 0)
        return;
    size_t at = node->place - 1;
    ASSERT(at < self->n && self->items[at] == node);
    node->place = 0;
    deadline_t *last = self->items[--self->n];
    if (last == node)
        return;
    put(self, at, last);
    sift_up(self, at);
    sift_down(self, last->place - 1);
}

deadline_t *deadline_pop_due(deadline_heap_t *self, int64_t now_ms) {
    if (self->n == 0 || self->items[0]->at_ms > now_ms)
        return NULL;
    deadline_t *node = self->items[0];
    deadline_remove(self, node);
    return node;
}

int64_t deadline_next(const deadline_heap_t *self) {
    return self->n ? self->items[0]->at_ms : INT64_MAX;
}
