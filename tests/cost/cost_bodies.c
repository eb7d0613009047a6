/* What needs no scene: persist-worker's queue and JSON, the wire's codec, REST's request, a token's
 * claims. */
#include "tests/cost/cost.h"

#include "auth-worker/claims.h"
#include "common/json.h"
#include "persist-worker/batch.h"
#include "persist-worker/entities.h"
#include "proto/envelope_scan.h"
#include "proto/proto.h"
#include "rest/body.h"
#include "rest/routes.h"
#include "tests/unit/persist-worker/job_maker.h"

enum { BATCH = 100 };

#define TEXT "a message of ordinary length, as people write them"

static batches_t *batches;
static proto_arena_t *arena;
static strbuf_t buffer, frame;

static void set_up(void) {
    batches = batches_new(&(batch_limits_t){
        .rows = BATCH, .bytes = 1 << 20, .queue_jobs = 10 * BATCH, .queue_bytes = 1 << 24});
    arena = proto_arena_new();
}

static void tear_down(void) {
    batches_free(&batches);
    proto_arena_free(&arena);
    strbuf_fini(&buffer);
    strbuf_fini(&frame);
}

/* A hundred messages of ten conversations are queued, written and done with. */
static void batch(size_t number) {
    char room[32];
    for (size_t i = 0; i < BATCH; i++) {
        snprintf(room, sizeof(room), "conv_1_%zu", i % 10 + 2);
        ASSERT(batches_add(batches, make_job(MSG_SEND, room, number * BATCH + i, 200)) == OK);
    }
    batch_t out = batches_next(batches, 0);
    ASSERT(out.n == BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        job_t *job = out.jobs[i];
        batches_done(batches, job);
        job_free(&job);
    }
}

static void entity(size_t number) {
    strbuf_clear(&buffer);
    entities_append_message(&buffer, &(message_t){.conversation_id = STR("conv_1_2"),
                                                  .seq = (int64_t)number,
                                                  .sender_id = STR("1"),
                                                  .text = STR(TEXT),
                                                  .client_id = STR("c1"),
                                                  .created_at_ms = 1700000000000});
}

/* A SEND: encoded, checked, decoded. */
static void wire(size_t number) {
    proto_send_t send = {.text = STR(TEXT), .client_id = STR("c1")}, decoded;
    envelope_t envelope = {
        .type = MSG_SEND, .request_id = number + 1, .room = STR("conv_1_2"), .user = STR("1")};
    strbuf_clear(&buffer);
    strbuf_clear(&frame);
    proto_send_encode(&send, &buffer);
    envelope.body = strbuf_str(&buffer);
    envelope_encode(&envelope, &frame);
    ASSERT(envelope_decode(strbuf_str(&frame), &envelope) == OK);
    ASSERT(envelope_scan(envelope.body) == OK);
    ASSERT(proto_send_decode(envelope.body, arena, &decoded) == OK);
}

static void request(size_t number) {
    (void)number;
    route_match_t match;
    json_doc_t *document = NULL;
    body_message_t message;
    body_fault_t fault;
    strbuf_clear(&buffer);
    ASSERT(routes_match(METHOD_POST, STR("/messages/send"), &buffer, &match) == ROUTES_FOUND);
    ASSERT(json_doc_new(STR("{\"conversationId\":\"conv_1_2\",\"text\":\"" TEXT "\"}"),
                        &(json_limits_t){.max_bytes = ROUTE_BODY_MESSAGE,
                                         .max_depth = BODY_JSON_DEPTH_MAX,
                                         .max_values = BODY_JSON_VALUES_MAX},
                        &document) == OK);
    ASSERT(body_message(json_doc_root(document), (str_t){0}, &message, &fault) == OK);
    json_doc_free(&document);
}

static void claims(size_t number) {
    claims_t read;
    (void)number;
    ASSERT(claims_check(STR("{\"userId\":\"42\",\"name\":\"Ada\",\"role\":\"customer\","
                            "\"iat\":1700000000,\"exp\":1800000000}"),
                        &(claims_rules_t){0}, 1700000001000, &read) == CLAIMS_OK);
}

int main(int argc, char **argv) {
    static const cost_path_t paths[] = {
        {"batch", set_up, batch, tear_down},   {"entity", set_up, entity, tear_down},
        {"wire", set_up, wire, tear_down},     {"request", set_up, request, tear_down},
        {"claims", set_up, claims, tear_down},
    };
    return cost_main(paths, sizeof(paths) / sizeof(paths[0]), argc, argv);
}
