#include "view.h"

#include <inttypes.h>

void view_reset(view_t *self) {
    self->joined = self->may_hear = self->unsure = self->loose = false;
    self->told = TOLD_NOTHING;
    self->forbidden_at_ms = 0;
    self->own_count = 0;
}

static bool is_own(const view_t *self, uint64_t seq) {
    for (size_t i = 0; i < self->own_count; i++) {
        if (self->own[i] == seq)
            return true;
    }
    return false;
}

/* Over each own message that follows; forgets those that are behind. */
static void advance(view_t *self) {
    size_t kept = 0;
    while (is_own(self, self->last + 1))
        self->last++;
    for (size_t i = 0; i < self->own_count; i++) {
        if (self->own[i] > self->last)
            self->own[kept++] = self->own[i];
    }
    self->own_count = kept;
}

void view_joined(view_t *self, const view_owner_t *owner, const view_joined_t *joined) {
    uint64_t last = joined->has_after ? joined->after + joined->n : joined->head;
    if (!joined->has_after && self->joined)
        last = self->last; /* it goes on where it was */
    if (!owner->room->was_member[owner->user])
        world_fail(owner->world, "%s joins %s without a right", owner->client, owner->room->id);
    if (joined->has_after && last != joined->head)
        world_fail(owner->world, "%s joins %s after %" PRIu64 ", gets %zu messages of %" PRIu64,
                   owner->client, owner->room->id, joined->after, joined->n, joined->head);
    self->loose |= self->unsure && !joined->has_after;
    self->joined = self->may_hear = self->has_last = true;
    if (last > self->last)
        self->last = last;
    advance(self);
}

void view_refused(view_t *self) {
    self->joined = false;
    self->unsure = true;
}

void view_message(view_t *self, const view_owner_t *owner, uint64_t seq) {
    const char *room = owner->room->id;
    if (!self->may_hear)
        world_fail(owner->world, "%s hears %s %" PRIu64 " without having joined", owner->client,
                   room, seq);
    if (!store_message(owner->room, seq))
        world_fail(owner->world, "%s hears %s %" PRIu64 ", which isn't stored", owner->client, room,
                   seq);
    if (!store_may_have(owner->room, owner->user, seq))
        world_fail(owner->world, "%s hears %s %" PRIu64 " after its removal was acknowledged",
                   owner->client, room, seq);
    if (!self->joined || self->loose) {
        if (seq == self->last + 1)
            self->last = seq;
        advance(self);
        return;
    }
    if (seq <= self->last || is_own(self, seq))
        world_fail(owner->world, "%s hears %s %" PRIu64 " twice", owner->client, room, seq);
    for (uint64_t missing = self->last + 1; missing < seq; missing++) {
        if (!is_own(self, missing))
            world_fail(owner->world, "%s hears %s %" PRIu64 " before %" PRIu64, owner->client, room,
                       seq, missing);
    }
    self->last = seq;
    advance(self);
}

void view_own(view_t *self, const view_owner_t *owner, uint64_t seq) {
    if (seq <= self->last && self->has_last)
        return;
    if (self->own_count == VIEW_OWN_MAX)
        world_fail(owner->world, "%s lags behind its own messages in %s", owner->client,
                   owner->room->id);
    else if (!is_own(self, seq))
        self->own[self->own_count++] = seq;
    if (self->joined)
        advance(self);
}
