#include "gateway/rates.h"

bool rates_take(const rates_t *self, rate_buckets_t *socket, rate_buckets_t *user,
                rate_class_t class, int64_t now_ms, int64_t *retry_after_ms_out) {
    if (!self->on)
        return true;
    return ratelimit_take(&socket->of[class], &self->socket[class], 1, now_ms,
                          retry_after_ms_out) &&
           ratelimit_take(&user->of[class], &self->user[class], 1, now_ms, retry_after_ms_out);
}
