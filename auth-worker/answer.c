#include "auth-worker/answer.h"

void answer_fini(answer_t *self) {
    strbuf_fini(&self->body);
    *self = (answer_t){0};
}

static void begin(answer_t *self, uint16_t type, code_t code) {
    self->type = type;
    self->code = code;
    strbuf_clear(&self->body);
}

void answer_error(answer_t *self, code_t code, const char *message, uint64_t retry_after_ms) {
    proto_error_t error = {.message = str_from(message), .retry_after_ms = retry_after_ms};
    begin(self, MSG_ERROR, code);
    proto_error_encode(&error, &self->body);
}

void answer_identity(answer_t *self, const proto_identity_t *identity) {
    begin(self, MSG_IDENTITY, CODE_OK);
    proto_identity_encode(identity, &self->body);
}

void answer_token(answer_t *self, const proto_token_t *token) {
    begin(self, MSG_TOKEN, CODE_OK);
    proto_token_encode(token, &self->body);
}
