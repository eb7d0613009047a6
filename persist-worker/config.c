#include "persist-worker/config.h"

#include "persist-worker/db_address.h"

/* clang-format off */
static const config_option_t options[] = {
    {CONFIG_FIELD(persist_config_t, database_url), .variable = "DATABASE_URL",
     .kind = CONFIG_SECRET, .min = 1, .max = 2000, .fallback = "postgresql:///parley",
     .check = db_address_is_valid, .allowed = "a postgresql:// URL or name=value parameters",
     .doc = "The database: a direct connection or a pooler in session mode."},
    {CONFIG_FIELD(persist_config_t, read_connections), .variable = "DB_READ_CONNECTIONS",
     .kind = CONFIG_U64, .min = 1, .max = 16, .fallback = "2",
     .doc = "Connections for reads, besides the one for writes."},
    {CONFIG_FIELD(persist_config_t, batch_rows), .variable = "BATCH_ROWS", .kind = CONFIG_U64,
     .min = 1, .max = 1000, .fallback = "512",
     .doc = "Messages and read marks that one transaction writes at most."},
    {CONFIG_FIELD(persist_config_t, batch_bytes), .variable = "BATCH_BYTES", .kind = CONFIG_U64,
     .min = 1024, .max = 67108864, .fallback = "1048576",
     .doc = "Bytes of requests that one transaction writes at most, unless it is a single one."},
    {CONFIG_FIELD(persist_config_t, write_credit), .variable = "WRITE_CREDIT", .kind = CONFIG_U64,
     .min = 1, .max = 65535, .fallback = "2048",
     .doc = "Writes that each broker may hand over before the first is answered."},
    {CONFIG_FIELD(persist_config_t, read_credit), .variable = "READ_CREDIT", .kind = CONFIG_U64,
     .min = 1, .max = 65535, .fallback = "256",
     .doc = "Reads that each broker may hand over before the first is answered."},
    {CONFIG_FIELD(persist_config_t, queue_bytes), .variable = "QUEUE_BYTES", .kind = CONFIG_U64,
     .min = 65536, .max = 4294967296, .fallback = "67108864",
     .doc = "Bytes of waiting writes; as many again of waiting reads."},
    {CONFIG_FIELD(persist_config_t, result_bytes), .variable = "RESULT_BYTES", .kind = CONFIG_U64,
     .min = 1048576, .max = 4294967296, .fallback = "268435456",
     .doc = "Bytes of results that wait for a broker to confirm them, for each broker."},
    {CONFIG_FIELD(persist_config_t, results_max), .variable = "RESULTS_MAX", .kind = CONFIG_U64,
     .min = 10000, .max = 100000000, .fallback = "500000", .doc = "… and how many of them."},
    {CONFIG_FIELD(persist_config_t, known_users), .variable = "KNOWN_USERS", .kind = CONFIG_U64,
     .min = 1, .max = 10000000, .fallback = "100000",
     .doc = "Users, and as many conversations, that are remembered to be stored."},
    {CONFIG_FIELD(persist_config_t, statement_timeout_ms), .variable = "STATEMENT_TIMEOUT_MS",
     .kind = CONFIG_MS, .min = 100, .max = 60000, .fallback = "5000",
     .doc = "PostgreSQL ends a statement that takes longer."},
    {CONFIG_FIELD(persist_config_t, lock_timeout_ms), .variable = "LOCK_TIMEOUT_MS",
     .kind = CONFIG_MS, .min = 50, .max = 60000, .fallback = "2000",
     .doc = "PostgreSQL ends a statement that waits longer for a lock."},
};
/* clang-format on */

const config_schema_t persist_config_schema = {
    .service = "persist-worker",
    .summary = "Writes conversations and messages to PostgreSQL and reads them.",
    .admin_listen = "127.0.0.1:5041",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .size = sizeof(persist_config_t),
};
