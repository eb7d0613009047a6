/* The id that the edge gives a request (X-Request-Id), which goes into the answer and into logs. */
#pragma once

#include <stdbool.h>

#include "common/str.h"

enum { REQUEST_ID_BYTES_MAX = 64 };

/* May this one be taken over? 1 to 64 of A-Z a-z 0-9 . _ - */
bool request_id_is_valid(str_t text);
