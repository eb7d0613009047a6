#include "rest/exchange.h"

#include "rest/http_error.h"

void exchange_answer(exchange_t *self, unsigned status) {
    ASSERT(self->answer.status == 0 && status != 0);
    self->answer.status = status;
    if (self->wake)
        self->wake(self);
}

static void write_error(exchange_t *self, code_t code, str_t message) {
    strbuf_clear(&self->answer.body);
    http_error_write(code, message, &self->answer.body);
}

void exchange_fail(exchange_t *self, code_t code, str_t message, uint64_t retry_after_ms) {
    write_error(self, code, message);
    self->answer.retry_after_seconds = http_error_retry_after(code, retry_after_ms);
    exchange_answer(self, http_error_status(code));
}

void exchange_fail_as(exchange_t *self, unsigned status, code_t code, str_t message) {
    write_error(self, code, message);
    exchange_answer(self, status);
}

void exchange_fini(exchange_t *self) {
    free(self->target);
    strbuf_fini(&self->storage);
    strbuf_fini(&self->body);
    strbuf_fini(&self->answer.body);
}
