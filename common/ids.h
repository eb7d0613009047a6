/* The rules of user ids, conversation ids and room names (API.md, Identity): the one place that
 * knows how they are spelled. */
#pragma once

#include <stdbool.h>

#include "common/strbuf.h"

#define IDS_USER_MAX 64
/* Bytes of the longest room name, conv_{a}_{b}. */
#define IDS_ROOM_MAX (5 + IDS_USER_MAX + 1 + IDS_USER_MAX)

typedef enum {
    IDS_INVALID = 0,
    IDS_USER,   /* user_{id}: every socket of that user */
    IDS_DIRECT, /* conv_{a}_{b} */
    IDS_GROUP,  /* group_{uuid} */
} ids_kind_t;

/* A room name taken apart; borrows from the text it was parsed from. */
typedef struct {
    ids_kind_t kind;
    str_t user;  /* IDS_USER: the user; IDS_DIRECT: the first participant */
    str_t other; /* IDS_DIRECT: the second participant */
    str_t uuid;  /* IDS_GROUP */
} ids_room_t;

/* 1 to 64 characters of A-Z a-z 0-9 . @ | : - */
bool ids_is_user(str_t id);

/* The order of the two users in a direct conversation's name: by number when both are all digits
 * (of any length; equal numbers by bytes), else by bytes. <0, 0 (the same user) or >0. */
int ids_compare_users(str_t a, str_t b);

/* Kind and parts of a room's name; IDS_INVALID unless it is spelled exactly as the rules say: users
 * in order, not twice the same, a uuid in canonical lower case. */
ids_room_t ids_parse_room(str_t name);

/* True for a direct or a group conversation's id. */
bool ids_is_conversation(str_t name);

/* Appends conv_{a}_{b} in the right order. ERR_INVALID (nothing appended) unless both are user ids
 * and not the same one. */
err_t ids_append_direct(strbuf_t *out, str_t a, str_t b) MUST_CHECK;

/* Appends user_{id}. */
void ids_append_user_room(strbuf_t *out, str_t user);

/* True when `conversation` is a valid direct one and `user` is one of the two. */
bool ids_is_participant(str_t conversation, str_t user);

/* The other of the two; empty when `user` isn't a participant of a direct conversation. Borrowed
 * from `conversation`. */
str_t ids_partner(str_t conversation, str_t user);
