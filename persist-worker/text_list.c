#include "persist-worker/text_list.h"

void text_list_fini(text_list_t *self) {
    strbuf_fini(&self->bytes);
    free(self->ends);
    free(self->numbers);
    free(self->items);
    *self = (text_list_t){0};
}

void text_list_clear(text_list_t *self) {
    strbuf_clear(&self->bytes);
    self->n = 0;
}

static size_t start_of(const text_list_t *self, size_t index) {
    return index ? self->ends[index - 1] : 0;
}

void text_list_end(text_list_t *self, uint64_t number) {
    if (self->n == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 16;
        self->ends = xrealloc(self->ends, self->capacity * sizeof(*self->ends));
        self->numbers = xrealloc(self->numbers, self->capacity * sizeof(*self->numbers));
        self->items = xrealloc(self->items, self->capacity * sizeof(*self->items));
    }
    self->ends[self->n] = self->bytes.n;
    self->numbers[self->n++] = number;
}

void text_list_add(text_list_t *self, str_t text, uint64_t number) {
    strbuf_append(&self->bytes, text);
    text_list_end(self, number);
}

void text_list_drop_last(text_list_t *self) {
    ASSERT(self->n > 0);
    self->n--;
    self->bytes.n = start_of(self, self->n);
}

/* As a copy, because each text ends where the next begins. */
void text_list_reverse(text_list_t *self) {
    text_list_t turned = {0};
    for (size_t i = self->n; i > 0; i--)
        text_list_add(&turned, text_list_at(self, i - 1), self->numbers[i - 1]);
    text_list_fini(self);
    *self = turned;
}

str_t text_list_at(const text_list_t *self, size_t index) {
    ASSERT(index < self->n);
    size_t start = start_of(self, index);
    return (str_t){self->bytes.p + start, self->ends[index] - start};
}

proto_texts_t text_list_texts(text_list_t *self) {
    for (size_t i = 0; i < self->n; i++)
        self->items[i] = text_list_at(self, i);
    return (proto_texts_t){self->items, self->n};
}

proto_u64s_t text_list_numbers(const text_list_t *self) {
    return (proto_u64s_t){self->numbers, self->n};
}
