/* Every prepared statement: its name and its SQL (statements.c). */
#pragma once

typedef enum {
    /* writes */
    STATEMENT_UPSERT_USERS,
    STATEMENT_CREATE_DIRECT,
    STATEMENT_LOCK,
    STATEMENT_SEND,
    STATEMENT_MARK_READ,
    STATEMENT_LAST_SEEN,
    STATEMENT_PUT_USER,
    STATEMENT_CREATE_GROUP,
    STATEMENT_ADD_PARTICIPANTS,
    STATEMENT_REMOVE_PARTICIPANT,
    /* reads */
    STATEMENT_CONVERSATION,
    STATEMENT_PARTICIPANTS,
    STATEMENT_USERS,
    STATEMENT_MESSAGES_AFTER,
    STATEMENT_MESSAGES_BEFORE,
    STATEMENT_HEADS,
    STATEMENT_LIST,
    STATEMENT_LOAD_GROUP,
    STATEMENT_LAST_MESSAGES,
    STATEMENT_UNREAD,
    STATEMENT_COUNT
} statement_t;

const char *statement_name(statement_t statement);
const char *statement_sql(statement_t statement);
