/* How often somebody may try a password or register: token buckets per account and per client
 * address, so that neither one account nor one address can be used to guess without end. */
#pragma once

#include "common/ratelimit.h"

typedef struct {
    ratelimit_rate_t account; /* attempts on one account, from anywhere */
    ratelimit_rate_t address; /* attempts from one address, on any account */
    size_t max_entries;       /* of either table */
    bool off;                 /* everything is allowed */
} attempts_settings_t;

typedef struct attempts attempts_t;

attempts_t *attempts_new(const attempts_settings_t *settings);
void attempts_free(attempts_t **self);

/* Takes one attempt on `account` (any text; empty: none in particular) from `address`. False when
 * there is none left for one of them, and when there will be. Accounts that don't exist are counted
 * as those that do. An IPv6 address counts as its /64 network, which is what one subscriber has. */
bool attempts_take(attempts_t *self, str_t account, str_t address, int64_t now_ms,
                   int64_t *retry_after_ms_out);

/* Gives back what attempts_take() took: the attempt succeeded, or was never made. */
void attempts_give_back(attempts_t *self, str_t account, str_t address);

/* How many accounts and addresses are remembered: a metric. */
size_t attempts_entries(const attempts_t *self);
