/* Fields of a binary result. What is asked for must be of that type: the SQL is ours. */
#pragma once

#include <libpq-fe.h>

#include "common/idgen.h"
#include "common/str.h"

bool pg_rows_is_null(const PGresult *rows, int row, int column);
/* Empty for null; valid as long as the result. */
str_t pg_rows_text(const PGresult *rows, int row, int column);
/* An int or bigint; 0 for null. */
int64_t pg_rows_i64(const PGresult *rows, int row, int column);
/* false for null. */
bool pg_rows_bool(const PGresult *rows, int row, int column);
/* A timestamptz in Unix milliseconds, or as PostgreSQL counts: microseconds since 2000. 0 for null.
 */
int64_t pg_rows_time_ms(const PGresult *rows, int row, int column);
int64_t pg_rows_time_us2000(const PGresult *rows, int row, int column);
/* Zeros for null. */
idgen_uuid_t pg_rows_uuid(const PGresult *rows, int row, int column);
