/* A broker core with named peers, whose effects are recorded as lines of text. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/broker_core.h"

enum { SCENE_EPOCH = 77, SCENE_PEERS = 8, SCENE_UNIX_MS = 1000000 };

typedef struct {
    broker_core_t *core;
    broker_core_config_t config;
    int64_t now_ms; /* starts at 0; the wall clock is SCENE_UNIX_MS ahead */
    struct {
        char name[16];
        role_t role;
        peer_t *peer; /* NULL: not there */
    } peers[SCENE_PEERS];
    const char *behind; /* the peer that is behind with reading; NULL: none */
    strbuf_t record;
    strbuf_t body;
    proto_arena_t *arena;
    size_t ended[JOB_CLASSES][JOB_OUTCOMES];
} scene_t;

/* Room for a test to change self->config between init and start. */
void scene_init(scene_t *self);
void scene_start(scene_t *self);
/* Takes all peers down and frees the core, which asserts that nothing is left. */
void scene_fini(scene_t *self);

/* Brings a peer up: "g…" a gateway, "r…" rest, "w…" a persist-worker, "a…" an auth-worker;
 * workers with this credit for writes and for reads. */
void scene_up(scene_t *self, const char *name, uint16_t write_credit, uint16_t read_credit);
void scene_down(scene_t *self, const char *name);
/* Moves time on, and ticks. */
void scene_at(scene_t *self, int64_t now_ms);

/* What a test says of an envelope. */
typedef struct {
    const char *room;
    const char *user;
    uint64_t session;
    uint64_t id;
    uint32_t deadline_ms;
    code_t code;
} scene_head_t;

/* Delivers a request or state message with self->body (which is cleared afterwards). */
void scene_deliver(scene_t *self, const char *from, uint16_t type, const scene_head_t *head);
/* The same as an answer to request `head->id`. */
void scene_answer(scene_t *self, const char *from, uint16_t type, const scene_head_t *head);

/* ---- what tests often say; every one is a request with the id given ---- */
void scene_join(scene_t *self, const char *from, const scene_head_t *head);
void scene_leave(scene_t *self, const char *from, const char *room, uint64_t session);
void scene_subscribe(scene_t *self, const char *from, const char *user, uint64_t session);
void scene_send(scene_t *self, const char *from, const scene_head_t *head);
void scene_typing(scene_t *self, const char *from, const scene_head_t *head, bool on);
/* A worker's answers. */
void scene_conversation(scene_t *self, const char *from, uint64_t job);
void scene_stored(scene_t *self, const char *from, const scene_head_t *head, uint64_t job,
                  uint64_t seq);
void scene_group(scene_t *self, const char *from, uint64_t job, uint64_t version,
                 const char *members);
void scene_error(scene_t *self, const char *from, uint64_t job, code_t code);
void scene_members_changed(scene_t *self, const char *from, const scene_head_t *head, uint64_t job,
                           uint64_t version, const char *removed);

/* Splits "1,2,3" into at most `max` pieces; returns their number. */
size_t scene_split(const char *list, str_t *items_out, size_t max);

/* The effects since the last call must be exactly these lines. */
#define scene_expect(self, text)                                                                   \
    do {                                                                                           \
        assert_string_equal(strbuf_cstr(&(self)->record), text);                                   \
        strbuf_clear(&(self)->record);                                                             \
    } while (0)
void scene_forget(scene_t *self);
