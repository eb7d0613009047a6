/* Tokens for load clients. */
#pragma once

#include "common/str.h"

/* A HS256 JWT for `user_id` that expires in a day, on the heap. */
char *token_new(str_t secret, const char *user_id);
