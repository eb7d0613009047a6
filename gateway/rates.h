/* How much a client may ask for: token buckets for each socket and each user. */
#pragma once

#include "common/ratelimit.h"

typedef enum {
    RATE_SEND,    /* send_message */
    RATE_TYPING,  /* typing, stop_typing */
    RATE_REQUEST, /* everything else, unknown events too */
    RATE_CLASSES,
} rate_class_t;

typedef struct {
    bool on;
    ratelimit_rate_t socket[RATE_CLASSES];
    ratelimit_rate_t user[RATE_CLASSES]; /* of all the user's sockets on this gateway together */
} rates_t;

/* One for each socket and one for each user. Zeroed is full. */
typedef struct {
    ratelimit_bucket_t of[RATE_CLASSES];
} rate_buckets_t;

/* Takes a token of both. False when one has none: then *retry_after_ms_out says when it will. */
bool rates_take(const rates_t *self, rate_buckets_t *socket, rate_buckets_t *user,
                rate_class_t class, int64_t now_ms, int64_t *retry_after_ms_out);
