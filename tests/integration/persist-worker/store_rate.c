/* Durable messages a second by the store alone, for batches of several sizes, one and two writers:
 *     deploy/local/pg_private run build/release/tests/integration/persist-worker/store_rate
 * [SECONDS]
 */
#include "store_world.h"

#include <inttypes.h>

#include "common/clock.h"

enum { ROOMS = 1000, TEXT_BYTES = 200 };

typedef struct {
    uint64_t messages, batches, slowest_us, total_us;
    int64_t samples[100000];
} figures_t;

static uint64_t client_ids;

static job_t *next_job(world_t *world, size_t writer) {
    char room[32], client_id[32], text[TEXT_BYTES + 1];
    memset(text, 'x', TEXT_BYTES);
    text[TEXT_BYTES] = '\0';
    uint64_t n = ++client_ids;
    /* Each writer has rooms of its own, as brokers see to it. */
    snprintf(room, sizeof(room), "conv_%zu_%" PRIu64, writer + 1, 1000 + n * 7919 % ROOMS);
    snprintf(client_id, sizeof(client_id), "%" PRIu64, n);
    return world_send(world, room, writer == 0 ? "1" : "2", client_id, text, 0);
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void measure(world_t *world, size_t writers, size_t rows, int64_t ms) {
    static figures_t figures;
    job_t *jobs[2][WORLD_JOBS_MAX];
    uint64_t began_at[2];
    memset(&figures, 0, sizeof(figures));
    int64_t end_ms = clock_now_ms() + ms;
    bool busy[2] = {false, false};
    for (bool more = true; more || busy[0] || busy[1];) {
        more = clock_now_ms() < end_ms;
        for (size_t w = 0; w < writers; w++) {
            world_line_t *line = &world->lines[w];
            if (busy[w] && !line->running) {
                busy[w] = false;
                assert_int_equal(line->status, DB_OK);
                int64_t us = (int64_t)(uv_hrtime() / 1000 - began_at[w]);
                if (figures.batches < 100000)
                    figures.samples[figures.batches] = us;
                figures.batches++;
                figures.messages += rows;
                world_free_jobs(jobs[w], rows);
            }
            if (!busy[w] && more && db_is_ready(line->db)) {
                for (size_t i = 0; i < rows; i++)
                    jobs[w][i] = next_job(world, w);
                began_at[w] = uv_hrtime() / 1000;
                world_start(world, w, jobs[w], rows);
                busy[w] = true;
            }
        }
        uv_run(&world->loop, busy[0] || busy[1] ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    }
    size_t n = figures.batches < 100000 ? figures.batches : 100000;
    qsort(figures.samples, n, sizeof(figures.samples[0]), compare);
    printf("%zu writer%s, %3zu rows: %7.0f messages/s, batch p50 %.2f ms, p99 %.2f ms\n", writers,
           writers > 1 ? "s" : " ", rows, (double)figures.messages * 1000 / (double)ms,
           (double)figures.samples[n / 2] / 1000, (double)figures.samples[n * 99 / 100] / 1000);
}

int main(int argc, char **argv) {
    int64_t ms = 1000 * (argc > 1 ? strtol(argv[1], NULL, 10) : 3);
    world_t *world = world_new(2);
    for (int i = 0; i < ROOMS; i++) {
        char user[16];
        snprintf(user, sizeof(user), "%d", 1000 + i);
        world_write_one(world, world_seen(world, user, "", ""));
    }
    const size_t sizes[] = {1, 10, 50, 100, 200, 400};
    measure(world, 2, 100, 1000); /* makes the conversations */
    for (size_t writers = 1; writers <= 2; writers++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            measure(world, writers, sizes[i], ms);
    }
    world_free(&world);
    return 0;
}
