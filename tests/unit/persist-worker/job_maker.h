/* Jobs for tests, with nothing but what a queue looks at. */
#pragma once

#include "persist-worker/job.h"

static inline job_t *make_job(uint16_t type, const char *room, uint64_t digest, size_t body_bytes) {
    static const char zeros[4096];
    envelope_t envelope = {.type = type,
                           .request_id = 1,
                           .deadline_ms = 1000,
                           .room = str_from(room),
                           .body = {zeros, body_bytes}};
    job_t *job = job_new(&envelope, 0, 1, 0, 15000);
    job->digest = digest;
    return job;
}
