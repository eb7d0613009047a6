/* Puts presence into the participants' JSON that a persist-worker made, without parsing it into
 * values. */
#pragma once

#include "common/strbuf.h"
#include "proto/proto.h"

typedef struct {
    bool online;
    int64_t last_seen_ms; /* Unix; 0: not known */
} user_presence_t;

typedef user_presence_t participants_lookup_fn(void *ctx, str_t user);

/* Appends the array `participants` with "online" and, where it is newer, "lastSeenAt" of each
 * user set as `lookup` says; `ids` names the users in the array's order. ERR_INVALID (nothing
 * appended) when the text is no array of as many objects. */
err_t participants_merge(str_t participants, const proto_texts_t *ids,
                         participants_lookup_fn *lookup, void *ctx, strbuf_t *out) MUST_CHECK;
