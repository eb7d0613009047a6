/* Texts that are written one after another into one buffer, each with a number: the lists of a
 * reply's body. Pure. */
#pragma once

#include "common/strbuf.h"
#include "proto/proto.h"

typedef struct {
    strbuf_t bytes; /* write the next text here, then text_list_end */
    size_t n;
    size_t capacity;
    size_t *ends;
    uint64_t *numbers;
    str_t *items;
} text_list_t;

/* Zeroed is a valid empty list. */
void text_list_fini(text_list_t *self);
void text_list_clear(text_list_t *self);

/* What was written to `bytes` since the last call is one text, with this number. */
void text_list_end(text_list_t *self, uint64_t number);
/* The same for a text that exists. */
void text_list_add(text_list_t *self, str_t text, uint64_t number);
/* Forgets the newest. */
void text_list_drop_last(text_list_t *self);
/* Turns the order round. */
void text_list_reverse(text_list_t *self);

/* Valid until the next change. */
str_t text_list_at(const text_list_t *self, size_t index);
proto_texts_t text_list_texts(text_list_t *self);
proto_u64s_t text_list_numbers(const text_list_t *self);
