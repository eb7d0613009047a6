#include "persist-worker/sqlstate.h"

/* PostgreSQL's manual, appendix A. */
static const struct {
    const char *prefix; /* class, or the whole state */
    sqlstate_kind_t kind;
} kinds[] = {
    {"40", SQLSTATE_RETRY},    /* transaction rollback: deadlock, serialization failure */
    {"55P03", SQLSTATE_RETRY}, /* lock not available: lock_timeout */
    {"57014", SQLSTATE_RETRY}, /* query canceled: statement_timeout */
    {"08", SQLSTATE_AWAY},     /* connection exception */
    {"25006", SQLSTATE_AWAY},  /* read-only transaction: a standby */
    {"53", SQLSTATE_AWAY},     /* insufficient resources: disk full, out of memory, connections */
    {"57", SQLSTATE_AWAY},     /* operator intervention: shutdown, cannot connect now */
    {"58", SQLSTATE_AWAY},     /* system error: an I/O error of the server's */
};

sqlstate_kind_t sqlstate_kind(str_t sqlstate) {
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (str_starts_with(sqlstate, str_from(kinds[i].prefix)))
            return kinds[i].kind;
    }
    return SQLSTATE_FAULT;
}
