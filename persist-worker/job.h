/* One request that a broker hands to this worker, with its own copy of the envelope: what batch
 * and read queue hold until it is answered. Pure. */
#pragma once

#include "common/deadline.h"
#include "common/idgen.h"
#include "proto/envelope.h"
#include "proto/proto.h"

enum {
    TEXT_MAX = 8000,    /* code points */
    CLIENT_ID_MAX = 64, /* code points */
    TITLE_MAX = 200,    /* code points */
    LIST_LIMIT_MAX = 200,
    PAGE_LIMIT_MAX = 500,
    CREATE_USERS_MAX = 100,
    GROUP_MEMBERS_MAX = 1000,
    PARTNER_WAIT_MS = 1000, /* how long an unknown partner is looked for … */
    PARTNER_RETRY_MS = 100, /* … and how often */
};

typedef struct job {
    size_t broker;       /* whose job: index in the list of brokers */
    uint64_t epoch;      /* … and that broker's incarnation */
    envelope_t envelope; /* room, user and body point into `memory` */
    int64_t arrived_ms;
    uint64_t order;  /* counts arrivals */
    uint64_t digest; /* SEND: of user and client id; MARK_READ: of the user */
    size_t bytes;    /* memory it takes */
    /* An attempt whose outcome is unknown was made: it must be made again until it is known, so
     * its deadline counts no more. */
    bool unsure;
    unsigned attempts; /* reads: how often it failed for what may pass */
    int64_t missed_ms; /* when an unknown partner was first looked for in vain, 0: never */
    idgen_uuid_t id;   /* SEND: of the message, should this attempt make it */
    union {            /* what needs no list, decoded; strings point into `memory` */
        proto_send_t send;
        proto_mark_read_t mark_read;
        proto_user_seen_t user_seen;
        proto_put_user_t put_user;
        proto_join_t join;
        proto_history_t history;
        proto_list_conversations_t list;
        proto_changes_t changes;
        proto_remove_participant_t remove;
    } body;
    deadline_t deadline;
    deadline_t retry; /* read queue: when to look again */
    struct job *prev, *next;
    char memory[];
} job_t;

/* Copies the envelope. deadline_ms 0 counts as `default_deadline_ms`. */
job_t *job_new(const envelope_t *envelope, size_t broker, uint64_t epoch, int64_t now_ms,
               uint32_t default_deadline_ms);
void job_free(job_t **self);

/* Whether this message type is a write (batch) or a read (read queue); neither: no job. */
bool job_is_write(uint16_t type);
bool job_is_read(uint16_t type);
/* Writes that share one transaction with others of these kinds. */
bool job_is_batched(uint16_t type);

/* Decodes and checks a job against every rule that needs no database: lengths, characters, ids,
 * a direct conversation's participants. CODE_OK, or the code and (static) text of the refusal. */
code_t job_check(job_t *self, proto_arena_t *arena, const char **message_out);

/* A user that the job is about isn't known (yet): when to look again, or 0 when it's time to give
 * up. */
int64_t job_look_again(job_t *self, int64_t now_ms);
