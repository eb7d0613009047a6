/* What a request is answered with: an envelope's type, code and body. */
#pragma once

#include "common/strbuf.h"
#include "proto/proto.h"

/* Zeroed is valid, and no answer yet. */
typedef struct {
    uint16_t type;
    code_t code;
    strbuf_t body;
} answer_t;

void answer_fini(answer_t *self);

/* Each replaces what the answer was. retry_after_ms: 0 says nothing. */
void answer_error(answer_t *self, code_t code, const char *message, uint64_t retry_after_ms);
void answer_identity(answer_t *self, const proto_identity_t *identity);
void answer_token(answer_t *self, const proto_token_t *token);
