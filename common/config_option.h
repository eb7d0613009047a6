/* What config.c and config_text.c share: the rows of a service's table, the common ones first. */
#pragma once

#include "common/config.h"

/* Room for a default that is made from the service's name. */
typedef struct {
    char text[64];
} config_default_t;

size_t config_option_count(const config_schema_t *schema);

/* Row `index`. A default made for this service is written to `storage`, which the row then borrows.
 */
config_option_t config_option_at(const config_schema_t *schema, size_t index,
                                 config_default_t *storage);

/* Appends what values the option takes, in words: "a whole number from 1 to 60". */
void config_append_allowed(const config_option_t *option, strbuf_t *out);
