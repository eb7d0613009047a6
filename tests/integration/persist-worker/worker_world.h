/* The real worker as a child process, and this program in the broker's place on the real bus. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/bus_server.h"

/* Something the worker said: an answer, a fact, an event. The envelope's texts are copies. */
typedef struct heard {
    envelope_t envelope;
    uint64_t job;   /* facts: whose; answers: the request id */
    uint64_t epoch; /* facts */
    struct heard *prev, *next;
    char memory[];
} heard_t;

typedef struct {
    uv_loop_t loop;
    uv_timer_t deadline;
    bool late;
    char directory[64];
    char endpoint[96];
    char keys[96]; /* the directory of keys */
    char broker_name[32];
    uint64_t digest;
    bus_server_t *server;
    link_peer_t *peer;
    uv_process_t process;
    bool running;
    int64_t exit_code;
    heard_t *heard; /* oldest first */
    bool silent;    /* facts get no DONE */
    uint64_t jobs;
    uint32_t deadline_ms; /* of the next jobs */
    proto_arena_t *arena;
    strbuf_t answer;
} worker_world_t;

/* Starts bus and worker and waits until it said hello. */
worker_world_t *worker_world_new(void);
/* Ends the worker by SIGTERM, which must exit with 0. */
void worker_world_free(worker_world_t **self);

void worker_world_start_server(worker_world_t *self);
void worker_world_stop_server(worker_world_t *self);
void worker_world_until_up(worker_world_t *self);

/* Hands the worker a job; returns its id. The body is freed. */
uint64_t worker_world_ask(worker_world_t *self, uint16_t type, const char *room, const char *user,
                          strbuf_t *body);
/* Waits for what the worker says of that job; asserts its type. Lives as long as the world. */
const heard_t *worker_world_answer(worker_world_t *self, uint64_t job, uint16_t type);
/* Waits for an ERROR of that code. */
void worker_world_refused(worker_world_t *self, uint64_t job, code_t code);
/* Waits for a USER_EVENT to this user; returns its payload as C text, valid until the next call. It
 * is taken out. */
const char *worker_world_event(worker_world_t *self, const char *user, const char *event);
/* How much was heard of a job so far. */
size_t worker_world_count(worker_world_t *self, uint64_t job);
/* Runs the loop once more, at most this long. */
void worker_world_turn(worker_world_t *self, uint64_t ms);

/* Runs a statement in the database itself; returns the first field of what it answers, as C text
 * that the caller frees. */
char *worker_world_query(const char *sql);
void worker_world_run(const char *sql);
/* Leaves the tables empty. */
void worker_world_empty(void);

/* Jobs in short. */
uint64_t worker_world_send(worker_world_t *self, const char *room, const char *user,
                           const char *client_id, const char *text);
uint64_t worker_world_mark(worker_world_t *self, const char *room, const char *user);
uint64_t worker_world_join(worker_world_t *self, const char *room, const char *user, int64_t after);
uint64_t worker_world_history(worker_world_t *self, const char *room, const char *user,
                              proto_history_t history);
uint64_t worker_world_user(worker_world_t *self, const char *user, const char *name);
uint64_t worker_world_create(worker_world_t *self, const char *room, const char *creator,
                             const char *const *users, size_t n);
/* Asks and waits: SEND's seq, the JSON of an answer (valid until the next call). */
uint64_t worker_world_stored(worker_world_t *self, uint64_t job);
const char *worker_world_json(worker_world_t *self, uint64_t job);
