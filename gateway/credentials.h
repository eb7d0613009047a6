/* Where a client puts its token. */
#pragma once

#include "common/json.h"

enum { CREDENTIALS_AUTH_BYTES_MAX = 64 << 10 };

/* The token of a CONNECT: the member "token" of its `auth` object (JSON text, may be empty), else
 * that of an `Authorization: Bearer` header. Empty when there is none. *doc_out, if set, is what
 * the token lives in; the caller frees it. */
str_t credentials_token(str_t auth, str_t authorization, json_doc_t **doc_out);
