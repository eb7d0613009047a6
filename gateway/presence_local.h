/* Whose presence this gateway follows: the participants of the conversations joined here, each
 * once, counted by the rooms that have them. */
#pragma once

#include "gateway/participants.h"
#include "gateway/rooms_local.h"

enum { PRESENCE_BATCH = 1000 }; /* users in one WATCH or UNWATCH */

typedef struct watch watch_t;
typedef struct presence presence_t;

/* A room's participant. */
struct interest {
    room_t *room;
    watch_t *watch;
    interest_t *prev, *next; /* in watch->interests */
};

/* A user whose presence is followed. */
struct watch {
    UT_hash_handle hh; /* id => watch */
    interest_t *interests;
    size_t broker; /* of the user's own room */
    bool known;    /* the broker has told; else it counts as offline */
    uint64_t told; /* counts who is told of many at once */
    user_presence_t state;
    uint8_t id_bytes;
    char id[];
};

typedef struct {
    size_t (*broker_of_user)(void *ctx, str_t user);
    /* Asks the broker for the presence of these users from now on. At most PRESENCE_BATCH. */
    void (*watch)(void *ctx, size_t broker, const proto_texts_t *users);
    void (*unwatch)(void *ctx, size_t broker, const proto_texts_t *users);
    /* What is known of the user has changed: tell the members of its rooms (watch->interests). */
    void (*changed)(void *ctx, const watch_t *watch);
    /* The presence of all of the room's participants is known now. Must not change anybody's
     * participants before presence_update() has returned. */
    void (*known)(void *ctx, room_t *room);
} presence_ops_t;

/* `brokers`: how many there are. `max_interests`: rooms times their participants. */
presence_t *presence_new(size_t brokers, size_t max_interests, const presence_ops_t *ops,
                         void *ctx);
/* Asserts that nobody is followed any more. */
void presence_free(presence_t **self);

static inline str_t watch_id(const watch_t *watch) {
    return (str_t){watch->id, watch->id_bytes};
}

/* These are the room's participants now. Follows the new ones, drops the others; all of them when
 * there would be too many interests. */
void presence_set_participants(presence_t *self, room_t *room, const proto_texts_t *users);
/* The room ends. */
void presence_forget_room(presence_t *self, room_t *room);

/* What a broker told; of a user that isn't followed nothing happens. */
void presence_update(presence_t *self, str_t user, user_presence_t state);
/* Offline while not known. */
user_presence_t presence_of(const presence_t *self, str_t user);
/* Asks a broker anew for everybody followed there. */
void presence_watch_again(presence_t *self, size_t broker);

size_t presence_count(const presence_t *self); /* users who are followed */
size_t presence_interests(const presence_t *self);
