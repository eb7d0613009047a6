/* The configured list of brokers, and which of them a room lives on. Pure. */
#pragma once

#include "common/str.h"

enum { BROKERS_MAX = 64 };

typedef struct brokers brokers_t;

/* `endpoints`: one or more, separated by commas, each `tcp://…` or `ipc://…`, none twice.
 * ERR_INVALID with a sentence in *why_out (static) otherwise. */
err_t brokers_new(str_t endpoints, brokers_t **self_out, const char **why_out) MUST_CHECK;
void brokers_free(brokers_t **self);

size_t brokers_count(const brokers_t *self);
const char *brokers_endpoint(const brokers_t *self, size_t index);
/* The place of an endpoint in the list, or brokers_count() when it isn't in it. */
size_t brokers_find(const brokers_t *self, str_t endpoint);
/* The one broker of a room: rendezvous hashing over the endpoints' names, independent of their
 * order; a list that grows by one moves 1/n of the rooms. */
size_t brokers_of_room(const brokers_t *self, str_t room);
/* A digest of the set of endpoints, independent of their order; equal lists have equal digests. */
uint64_t brokers_digest(const brokers_t *self);
