/* The broker and the store of the world, and the link to them: in order, nothing missing, from up
 * to down; requests that are not bound to a link are repeated. */
#pragma once

#include "gateway_world_state.h"

void broker_up(world_t *self);
/* What was on its way is lost, and the broker's memory with it. */
void broker_down(world_t *self);
/* The oldest envelope that it hasn't seen: acted on, answered, or handed on to the database. */
void broker_take_request(world_t *self);
/* One of the reads is done; `which` chooses. */
void broker_do_read(world_t *self, size_t which);
/* The gateway gets the next envelope. */
void broker_deliver(world_t *self);
/* A request's time is over at the gateway; `which` chooses. */
void broker_time_out(world_t *self, size_t which);
/* The gateway doesn't wait for this request any more. */
void broker_forget(world_t *self, uint64_t id);
/* Somebody elsewhere sends to this room; `unheard`: its broker tells of the next one only. */
void broker_store_from_elsewhere(world_t *self, size_t room, bool unheard);
/* A worker tells again what it has stored, which the broker's life before may have known. */
void broker_repeat_fact(world_t *self, size_t room);
/* The user is no member of the group any more. */
void broker_expel(world_t *self, size_t user);

/* Its memberships are those that the gateway has. */
void broker_check_memberships(const world_t *self);
void broker_fini(world_t *self);

/* ---- between the broker and its link ---- */

/* Sends self->body in this envelope, and clears it. */
void world_send(world_t *self, envelope_t envelope);
/* The place of a request among those unanswered; their count when it isn't one. */
size_t world_find_pending(const world_t *self, uint64_t id);
/* Takes it out; its body is freed. */
world_request_t world_take_pending(world_t *self, size_t index);
