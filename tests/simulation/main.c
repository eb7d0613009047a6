/* Runs schedules: parley_simulation [--seed N] [--schedules N] [--processes N] [--plant NAME]
 * [--trace]. Schedules are numbered by consecutive seeds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schedule.h"

enum { REPEAT_EVERY = 100 };

typedef struct {
    uint64_t seed, schedules, processes;
    bool one; /* a seed without a number of schedules: tell all of it */
    bool tracing;
    plant_t plant;
} options_t;

static int usage(void) {
    fputs("usage: parley_simulation [--seed N] [--schedules N] [--processes N] [--plant NAME]"
          " [--trace]\n"
          "plants:",
          stderr);
#define X(NAME, name) fputs(" " name, stderr);
    PLANTS(X)
#undef X
    fputc('\n', stderr);
    return 2;
}

static plant_t plant_of(const char *text) {
#define X(NAME, name)                                                                              \
    if (strcmp(text, name) == 0)                                                                   \
        return PLANT_##NAME;
    PLANTS(X)
#undef X
    return PLANT_NONE;
}

static bool parse(int argc, char **argv, options_t *out) {
    *out = (options_t){.seed = 1, .schedules = 1000, .processes = 1};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        uint64_t *number = strcmp(argv[i], "--seed") == 0        ? &out->seed
                           : strcmp(argv[i], "--schedules") == 0 ? &out->schedules
                           : strcmp(argv[i], "--processes") == 0 ? &out->processes
                                                                 : NULL;
        if (strcmp(argv[i], "--trace") == 0) {
            out->tracing = true;
            continue;
        }
        i++;
        if (strcmp(argv[i - 1], "--plant") == 0 && (out->plant = plant_of(value)))
            continue;
        if (!number || str_to_u64(str_from(value), UINT64_MAX, number) != OK)
            return false;
        if (number == &out->seed)
            out->one = true;
        if (number == &out->schedules)
            out->one = false;
    }
    if (out->one)
        out->schedules = 1;
    return out->processes >= 1 && out->processes <= 64;
}

/* Now and then a schedule is run again, to see that it goes the same way. */
static bool is_repeatable(const schedule_config_t *config, const schedule_result_t *result) {
    if (config->tracing || config->seed % REPEAT_EVERY != 0)
        return true;
    schedule_result_t again = schedule_run(config);
    if (again.digest == result->digest && again.steps == result->steps)
        return true;
    printf("seed %" PRIu64 " goes another way the second time\n", config->seed);
    return false;
}

/* The schedules whose turn is `first`, `first` + processes, …; stops at the first that fails. */
static int run(const options_t *options, uint64_t first) {
    uint64_t done = 0, steps = 0, stored = 0, acknowledged = 0, simulated_ms = 0;
    for (uint64_t i = first; i < options->schedules; i += options->processes) {
        schedule_config_t config = {
            .seed = options->seed + i, .plant = options->plant, .tracing = options->tracing};
        schedule_result_t result = schedule_run(&config);
        done++;
        steps += result.steps;
        stored += result.stored;
        acknowledged += result.acknowledged;
        simulated_ms += (uint64_t)result.simulated_ms;
        if (options->one)
            printf("digest %016" PRIx64 "\n", result.digest);
        if (!result.ok) {
            printf("seed %" PRIu64 " fails after %" PRIu64 " schedules\n  %s\n", config.seed, done,
                   result.fault);
            return 1;
        }
        if (!is_repeatable(&config, &result))
            return 1;
    }
    printf("%" PRIu64 " schedules from seed %" PRIu64 ": %" PRIu64 " steps, %" PRIu64
           " simulated seconds, %" PRIu64 " messages stored, %" PRIu64 " acknowledged\n",
           done, options->seed + first, steps, simulated_ms / 1000, stored, acknowledged);
    return 0;
}

int main(int argc, char **argv) {
    options_t options;
    int failed = 0, status = 0;
    if (!parse(argc, argv, &options))
        return usage();
    if (options.processes == 1)
        return run(&options, 0);
    for (uint64_t i = 0; i < options.processes; i++) {
        if (fork() == 0)
            exit(run(&options, i));
    }
    for (uint64_t i = 0; i < options.processes; i++) {
        if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            failed = 1;
    }
    return failed;
}
