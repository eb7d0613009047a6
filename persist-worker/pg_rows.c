#include "persist-worker/pg_rows.h"

#include <endian.h>

#define UNIX_MS_OF_2000 INT64_C(946684800000)

bool pg_rows_is_null(const PGresult *rows, int row, int column) {
    return PQgetisnull(rows, row, column);
}

str_t pg_rows_text(const PGresult *rows, int row, int column) {
    return (str_t){PQgetvalue(rows, row, column), (size_t)PQgetlength(rows, row, column)};
}

static int64_t read_i64(str_t bytes) {
    uint64_t number;
    ASSERT(bytes.n == sizeof(number));
    memcpy(&number, bytes.p, sizeof(number));
    return (int64_t)be64toh(number);
}

int64_t pg_rows_i64(const PGresult *rows, int row, int column) {
    str_t bytes = pg_rows_text(rows, row, column);
    uint32_t number;
    if (pg_rows_is_null(rows, row, column))
        return 0;
    if (bytes.n != sizeof(number))
        return read_i64(bytes);
    memcpy(&number, bytes.p, sizeof(number));
    return (int32_t)be32toh(number);
}

bool pg_rows_bool(const PGresult *rows, int row, int column) {
    str_t byte = pg_rows_text(rows, row, column);
    return byte.n == 1 && byte.p[0] != 0;
}

int64_t pg_rows_time_us2000(const PGresult *rows, int row, int column) {
    return pg_rows_is_null(rows, row, column) ? 0 : read_i64(pg_rows_text(rows, row, column));
}

int64_t pg_rows_time_ms(const PGresult *rows, int row, int column) {
    if (pg_rows_is_null(rows, row, column))
        return 0;
    return pg_rows_time_us2000(rows, row, column) / 1000 + UNIX_MS_OF_2000;
}

idgen_uuid_t pg_rows_uuid(const PGresult *rows, int row, int column) {
    idgen_uuid_t uuid = {0};
    str_t bytes = pg_rows_text(rows, row, column);
    if (bytes.n == sizeof(uuid.bytes))
        memcpy(uuid.bytes, bytes.p, bytes.n);
    return uuid;
}
