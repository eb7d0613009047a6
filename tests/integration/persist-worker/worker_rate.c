/* Durable messages a second through the whole worker, this program in the broker's place, a fixed
 * number in flight:
 *     deploy/local/pg_private run build/release/tests/integration/persist-worker/worker_rate
 *         [IN_FLIGHT] [SECONDS]
 */
#include "worker_world.h"

#include <inttypes.h>

#include <utlist.h>

#include "common/clock.h"

enum { ROOMS = 500, IN_FLIGHT_MAX = 4000, SAMPLES_MAX = 4000000 };

static int64_t sent_us[IN_FLIGHT_MAX + 1];
static uint32_t samples[SAMPLES_MAX];
static uint64_t client_ids;

static void send_next(worker_world_t *world) {
    static const char text[] = "0123456789012345678901234567890123456789012345678901234567890123456"
                               "789012345678901234567890123456789012345678901234567890123456789012"
                               "345678901234567890123456789012345678901234567890123456789012345678";
    char room[32], client_id[32];
    uint64_t n = ++client_ids;
    snprintf(room, sizeof(room), "conv_1_%" PRIu64, 1000 + n * 7919 % ROOMS);
    snprintf(client_id, sizeof(client_id), "%" PRIu64, n);
    uint64_t job = worker_world_send(world, room, "1", client_id, text);
    sent_us[job % (IN_FLIGHT_MAX + 1)] = (int64_t)(uv_hrtime() / 1000);
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Counts what was heard and sends as many anew. */
static size_t answer(worker_world_t *world, size_t done, bool more) {
    heard_t *heard = NULL, *following = NULL;
    DL_FOREACH_SAFE(world->heard, heard, following) {
        if (heard->envelope.type == MSG_STORED) {
            int64_t now_us = (int64_t)(uv_hrtime() / 1000);
            samples[done++ % SAMPLES_MAX] =
                (uint32_t)(now_us - sent_us[heard->job % (IN_FLIGHT_MAX + 1)]);
            if (more)
                send_next(world);
        }
        DL_DELETE(world->heard, heard);
        free(heard);
    }
    return done;
}

int main(int argc, char **argv) {
    size_t in_flight = argc > 1 ? strtoul(argv[1], NULL, 10) : 1600;
    int64_t ms = 1000 * (argc > 2 ? strtol(argv[2], NULL, 10) : 5);
    if (in_flight > IN_FLIGHT_MAX)
        in_flight = IN_FLIGHT_MAX;
    worker_world_t *world = worker_world_new();
    for (int i = 0; i < ROOMS; i++) {
        char user[16];
        snprintf(user, sizeof(user), "%d", 1000 + i);
        worker_world_answer(world, worker_world_user(world, user, "U"), MSG_DONE);
    }
    answer(world, 0, false);
    int64_t end_ms = clock_now_ms() + ms;
    size_t done = 0;
    for (size_t i = 0; i < in_flight; i++)
        send_next(world);
    while (clock_now_ms() < end_ms) {
        worker_world_turn(world, 1000);
        done = answer(world, done, true);
    }
    size_t n = done < SAMPLES_MAX ? done : SAMPLES_MAX;
    qsort(samples, n, sizeof(samples[0]), compare);
    printf("%zu in flight: %.0f messages/s, p50 %.2f ms, p99 %.2f ms\n", in_flight,
           (double)done * 1000 / (double)ms, samples[n / 2] / 1000.0,
           samples[n * 99 / 100] / 1000.0);
    worker_world_free(&world);
    return 0;
}
