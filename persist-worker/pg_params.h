/* The parameters of one statement in PostgreSQL's binary format: scalars and arrays that are filled
 * element by element. */
#pragma once

#include "common/idgen.h"
#include "common/strbuf.h"

enum { PG_PARAMS_MAX = 8 };

typedef struct {
    strbuf_t bytes;
    size_t n;
    struct {
        size_t offset;
        size_t length;
        bool is_null;
    } items[PG_PARAMS_MAX];
    size_t elements; /* of the array that is being filled, so far */
} pg_params_t;

void pg_params_fini(pg_params_t *self);
void pg_params_clear(pg_params_t *self);

void pg_params_text(pg_params_t *self, str_t text);
void pg_params_i64(pg_params_t *self, int64_t number);
void pg_params_null(pg_params_t *self);

typedef enum { PG_ARRAY_TEXT, PG_ARRAY_I64, PG_ARRAY_UUID } pg_array_t;

/* Between begin and end come exactly `n` elements of that kind or null. */
void pg_params_array_begin(pg_params_t *self, pg_array_t kind, size_t n);
void pg_params_element_text(pg_params_t *self, str_t text);
void pg_params_element_i64(pg_params_t *self, int64_t number);
void pg_params_element_uuid(pg_params_t *self, const idgen_uuid_t *uuid);
void pg_params_element_null(pg_params_t *self);
void pg_params_array_end(pg_params_t *self);

/* Where parameter `index` lies, NULL for null; valid until the next change. */
const char *pg_params_value(const pg_params_t *self, size_t index, int *length_out);
