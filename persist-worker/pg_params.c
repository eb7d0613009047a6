#include "persist-worker/pg_params.h"

#include <endian.h>

/* The array header of array_send() in PostgreSQL: dimensions, has nulls, element type, then size
 * and lower bound of the one dimension; each element has its length before it, -1 for null. */

static const uint32_t element_oids[] = {
    [PG_ARRAY_TEXT] = 25, [PG_ARRAY_I64] = 20, [PG_ARRAY_UUID] = 2950};

void pg_params_fini(pg_params_t *self) {
    strbuf_fini(&self->bytes);
}

void pg_params_clear(pg_params_t *self) {
    strbuf_clear(&self->bytes);
    self->n = 0;
}

static void append_u32(pg_params_t *self, uint32_t number) {
    number = htobe32(number);
    strbuf_append(&self->bytes, (str_t){(const char *)&number, sizeof(number)});
}

static void append_u64(pg_params_t *self, uint64_t number) {
    number = htobe64(number);
    strbuf_append(&self->bytes, (str_t){(const char *)&number, sizeof(number)});
}

static void begin(pg_params_t *self) {
    ASSERT(self->n < PG_PARAMS_MAX);
    self->items[self->n].offset = self->bytes.n;
    self->items[self->n].is_null = false;
}

static void end(pg_params_t *self) {
    self->items[self->n].length = self->bytes.n - self->items[self->n].offset;
    self->n++;
}

void pg_params_text(pg_params_t *self, str_t text) {
    begin(self);
    strbuf_append(&self->bytes, text);
    end(self);
}

void pg_params_i64(pg_params_t *self, int64_t number) {
    begin(self);
    append_u64(self, (uint64_t)number);
    end(self);
}

void pg_params_null(pg_params_t *self) {
    begin(self);
    self->items[self->n].is_null = true;
    end(self);
}

void pg_params_array_begin(pg_params_t *self, pg_array_t kind, size_t n) {
    begin(self);
    append_u32(self, n > 0 ? 1 : 0);
    append_u32(self, 1);
    append_u32(self, element_oids[kind]);
    if (n > 0) {
        append_u32(self, (uint32_t)n);
        append_u32(self, 1);
    }
    self->elements = n;
}

void pg_params_element_text(pg_params_t *self, str_t text) {
    self->elements--;
    append_u32(self, (uint32_t)text.n);
    strbuf_append(&self->bytes, text);
}

void pg_params_element_i64(pg_params_t *self, int64_t number) {
    self->elements--;
    append_u32(self, sizeof(number));
    append_u64(self, (uint64_t)number);
}

void pg_params_element_uuid(pg_params_t *self, const idgen_uuid_t *uuid) {
    self->elements--;
    append_u32(self, sizeof(uuid->bytes));
    strbuf_append(&self->bytes, (str_t){(const char *)uuid->bytes, sizeof(uuid->bytes)});
}

void pg_params_element_null(pg_params_t *self) {
    self->elements--;
    append_u32(self, UINT32_MAX);
}

void pg_params_array_end(pg_params_t *self) {
    ASSERT(self->elements == 0);
    end(self);
}

const char *pg_params_value(const pg_params_t *self, size_t index, int *length_out) {
    ASSERT(index < self->n);
    *length_out = (int)self->items[index].length;
    if (self->items[index].is_null)
        return NULL;
    return self->bytes.n ? self->bytes.p + self->items[index].offset : "";
}
