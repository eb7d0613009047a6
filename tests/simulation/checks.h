/* What must be true of a whole schedule. What is promised to one client, it checks itself. */
#pragma once

#include "parts.h"

/* NULL when everybody is served, nothing waits, and all tables agree; else what is still missing.
 * Valid until the next call. */
const char *checks_unsettled(parts_t *self);
/* Of the messages stored: each once, those of one socket in the order sent. */
void checks_final(parts_t *self);
