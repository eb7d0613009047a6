/* Any body for any job: job_check never reads beyond it, and what it accepts keeps the rules. */
#include "common/ids.h"
#include "persist-worker/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_accepted(const job_t *job) {
    const envelope_t *envelope = &job->envelope;
    size_t length;
    if (envelope->type != MSG_SEND)
        return;
    const proto_send_t *send = &job->body.send;
    ASSERT(str_utf8_length(send->text, &length) == OK && length >= 1 && length <= TEXT_MAX);
    ASSERT(!memchr(send->text.p, '\0', send->text.n));
    ASSERT(str_utf8_length(send->client_id, &length) == OK && length >= 1 &&
           length <= CLIENT_ID_MAX);
    ASSERT(ids_is_conversation(envelope->room) && ids_is_user(envelope->user));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint16_t types[] = {MSG_SEND,
                                     MSG_MARK_READ,
                                     MSG_USER_SEEN,
                                     MSG_PUT_USER,
                                     MSG_CREATE_CONVERSATION,
                                     MSG_JOIN,
                                     MSG_HISTORY,
                                     MSG_LAST_SEEN,
                                     MSG_LIST_CONVERSATIONS,
                                     MSG_ADD_PARTICIPANTS,
                                     MSG_HEADS,
                                     MSG_GET_USER,
                                     MSG_CHANGES,
                                     MSG_REMOVE_PARTICIPANT,
                                     MSG_GET_CONVERSATION,
                                     MSG_LOAD_GROUP};
    static const char *const rooms[] = {"conv_1_2", "user_1",
                                        "group_0190a0b0-0001-7002-8003-040506070809", "conv_2_1"};
    static proto_arena_t *arena;
    if (!arena)
        arena = proto_arena_new();
    if (size < 1)
        return 0;
    envelope_t envelope = {.type = types[data[0] & 15],
                           .room = str_from(rooms[data[0] >> 4 & 3]),
                           .user = str_from(data[0] & 64 ? "1" : "3"),
                           .body = {(const char *)data + 1, size - 1}};
    if (!job_is_write(envelope.type) && !job_is_read(envelope.type))
        return 0;
    job_t *job = job_new(&envelope, 0, 1, 0, 1000);
    const char *why = NULL;
    if (job_check(job, arena, &why) == CODE_OK)
        check_accepted(job);
    else
        ASSERT(why);
    job_free(&job);
    return 0;
}
