/* What to do after PostgreSQL refused a transaction, by its SQLSTATE. Pure. */
#pragma once

#include "common/str.h"

typedef enum {
    SQLSTATE_RETRY, /* deadlock, serialization, a lock or statement timeout: the same again */
    SQLSTATE_AWAY, /* the server can't write now (starting, standby, disk full, out of memory …) */
    SQLSTATE_FAULT, /* something in this transaction: find the offender */
} sqlstate_kind_t;

/* `sqlstate`: five characters, or empty when the failure has none. */
sqlstate_kind_t sqlstate_kind(str_t sqlstate);
