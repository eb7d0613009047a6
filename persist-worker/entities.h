/* The JSON text of messages, users and conversations, exactly as clients get it (API.md): made here
 * once, passed on as text by everybody else. Pure. */
#pragma once

#include "common/idgen.h"
#include "common/strbuf.h"

typedef struct {
    idgen_uuid_t id;
    str_t conversation_id;
    int64_t seq;
    str_t sender_id;
    str_t text;
    str_t client_id;
    int64_t reply_to; /* 0: none */
    int64_t created_at_ms;
    int64_t edited_at_ms;  /* 0: never */
    int64_t deleted_at_ms; /* 0: never */
    str_t socket_id;       /* that sent it, empty: none did; not for clients */
} message_t;

/* {id, conversationId, seq, senderId, text, clientId, replyTo?, createdAt, editedAt?, deletedAt?}
 */
void entities_append_message(strbuf_t *out, const message_t *message);

typedef struct {
    str_t id;
    str_t name;
    str_t role;
    int64_t last_read_seq;
    int64_t last_seen_at_ms; /* 0: not known, null */
    int64_t read_at_ms;      /* when the mark moved last, 0: never; not for clients */
} participant_t;

/* {id, name, role, lastReadSeq, lastSeenAt} */
void entities_append_participant(strbuf_t *out, const participant_t *participant);

/* {id, name, role} */
void entities_append_user(strbuf_t *out, str_t id, str_t name, str_t role);

typedef struct {
    str_t id;
    bool is_group;
    str_t title;           /* groups */
    str_t creator_id;      /* groups */
    int64_t created_at_ms; /* 0: there is no row yet */
} conversation_t;

/* {id, kind, title?, creatorId?, createdAt?}: what somebody who joins gets. */
void entities_append_conversation(strbuf_t *out, const conversation_t *conversation);

/* What a list of conversations adds for one viewer; the two texts are JSON. */
typedef struct {
    str_t participants; /* array */
    str_t last_message; /* object, empty: null */
    int64_t unread_count;
} conversation_view_t;

/* {id, kind, title?, creatorId?, participants, lastMessage, unreadCount, createdAt} */
void entities_append_conversation_view(strbuf_t *out, const conversation_t *conversation,
                                       const conversation_view_t *view);

/* {conversationId, lastMessage, unreadCount}: conversation_updated. */
void entities_append_update(strbuf_t *out, str_t conversation_id, str_t last_message,
                            int64_t unread_count);
/* {conversationId}: conversation_removed. */
void entities_append_removal(strbuf_t *out, str_t conversation_id);
