/* Where DATABASE_URL points to: its parameters for libpq, with host names looked up on the loop's
 * threads, because libpq would wait for the resolver. (A list of several hosts is left to libpq.)
 */
#pragma once

#include <uv.h>

#include "common/str.h"

typedef struct db_address db_address_t;

/* Whether libpq understands it: a postgresql:// URL or a list of name=value. */
bool db_address_is_valid(str_t url);

/* `url` must be valid; both are borrowed. */
db_address_t *db_address_new(uv_loop_t *loop, const char *url, const char *application_name);
void db_address_free(db_address_t **self);

/* Parameters for PQconnectStartParams, valid until the next call; NULL when the host isn't known.
 */
typedef void (*db_address_fn)(void *arg, const char *const *keywords, const char *const *values);

/* Looks the address up and calls `done` once: later, or within this call when there is nothing to
 * look up. Not while another look-up is under way. */
void db_address_resolve(db_address_t *self, db_address_fn done, void *arg);
/* `done` will not be called. */
void db_address_cancel(db_address_t *self);
