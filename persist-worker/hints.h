/* Makes conversation_updated events from what the database says of changed conversations. */
#pragma once

#include "persist-worker/outbox.h"
#include "persist-worker/store.h"
#include "persist-worker/updates.h"

/* The two statements for these changes. */
void hints_script(db_script_t *script, const update_t *updates, size_t n);
/* Sends the events. */
void hints_send(outbox_t *outbox, const db_outcome_t *outcome);
