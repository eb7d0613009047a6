/* Where a page of the conversation list ended, as an opaque word that clients give back. Pure. */
#pragma once

#include "common/ids.h"
#include "common/strbuf.h"

enum { CURSOR_TEXT_MAX = 256 };

typedef struct {
    int64_t activity_us;             /* last_activity_at of its last conversation, Unix µs */
    char conversation[IDS_ROOM_MAX]; /* … and its id */
    size_t conversation_n;
} cursor_t;

/* Appends the cursor: letters, digits, - and _. */
void cursor_append(strbuf_t *out, int64_t activity_us, str_t conversation);

/* ERR_INVALID unless cursor_append wrote it. */
err_t cursor_parse(str_t text, cursor_t *cursor_out) MUST_CHECK;
