/* How far the other side of a link is behind: each side counts the bytes that it sends, and tells
 * with its heartbeats how many it has read. So both queues of ZeroMQ and what is on the way between
 * them are bounded together in bytes, which ZeroMQ itself bounds in number alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* A gateway may have 128 MiB of requests unanswered; after a resync all of them go out at once,
     * behind all of its memberships. */
    LINK_UNREAD_MAX_BYTES = 256 << 20, /* over it the link ends, and begins anew */
    LINK_BEHIND_BYTES = 8 << 20,       /* over it hints are left out */
    LINK_TELL_BYTES = 1 << 20,         /* read, and not told yet: a heartbeat goes out at once */
};

/* One side of one link; zeroed when it opens. */
typedef struct {
    uint64_t sent;
    uint64_t sent_read; /* of them, as the other side has told */
    uint64_t read;
    uint64_t read_told; /* of them, as the other side knows */
} link_flow_t;

static inline size_t link_flow_unread(const link_flow_t *self) {
    return (size_t)(self->sent - self->sent_read);
}

static inline bool link_flow_is_behind(const link_flow_t *self) {
    return link_flow_unread(self) > LINK_BEHIND_BYTES;
}

/* The other side tells how much it has read. What can't be is left aside. */
static inline void link_flow_told(link_flow_t *self, uint64_t read) {
    if (read > self->sent_read && read <= self->sent)
        self->sent_read = read;
}

/* Counts a frame that was read; true when the other side should be told. */
static inline bool link_flow_read(link_flow_t *self, size_t bytes) {
    self->read += bytes;
    return self->read - self->read_told >= LINK_TELL_BYTES;
}
