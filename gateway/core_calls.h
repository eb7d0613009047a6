/* A client's event that waits for a broker's answer; core_calls.c keeps them. */
#pragma once

#include "gateway/core_state.h"

struct call {
    core_request_t request;
    session_t *session; /* NULL: it has gone */
    event_kind_t kind;
    gateway_ack_t ack;
    bool is_write; /* … that counts in its link's `writes` */
    int64_t started_ms;
    call_t *prev, *next; /* in session->calls */
    str_t room;          /* these two point into `texts` */
    str_t client_id;     /* of send_message */
    char texts[];
};
