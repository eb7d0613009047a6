/* Where a client puts its token, and the session that it wants to go on with. */
#pragma once

#include "common/json.h"

enum { CREDENTIALS_AUTH_BYTES_MAX = 64 << 10 };

/* What a CONNECT shows; texts may be empty. They live in the two arguments and in `doc`. */
typedef struct {
    str_t token;       /* member "token" of its `auth` object, else of an Authorization header */
    str_t pid, offset; /* members that the stock client adds: connection state recovery */
    json_doc_t *doc;
} credentials_t;

/* `auth`: JSON text, may be empty; `authorization`: that header, "Bearer …". */
void credentials_read(str_t auth, str_t authorization, credentials_t *credentials_out);
void credentials_fini(credentials_t *credentials);
