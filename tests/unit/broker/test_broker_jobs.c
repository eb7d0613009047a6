#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/envelope_copy.h"
#include "broker/peers.h"

typedef struct {
    jobs_t *jobs;
    peer_t workers[3];
    peer_t origin;
    strbuf_t record; /* "<worker><job>@<deadline>" and "expired <job>" */
    int64_t now_ms;
} fixture_t;

static void send(void *ctx, peer_t *worker, const envelope_t *envelope) {
    fixture_t *self = ctx;
    strbuf_printf(&self->record, "%c%llu@%u ", (char)('a' + (worker - self->workers)),
                  (unsigned long long)envelope->request_id, envelope->deadline_ms);
}

static void expired(void *ctx, const job_t *job, int64_t now_ms) {
    (void)now_ms;
    fixture_t *self = ctx;
    strbuf_printf(&self->record, "expired %llu ", (unsigned long long)job->id);
}

static const jobs_ops_t ops = {.send = send, .expired = expired};

static void init(fixture_t *self, size_t max_jobs, size_t max_bytes) {
    jobs_limits_t limits = {.classes = {{max_jobs, max_bytes}, {100, 100000}, {100, 100000}},
                            .max_deadline_ms = 60000};
    *self = (fixture_t){0};
    self->jobs = jobs_new(&limits, &ops, self);
}

static void up(fixture_t *self, size_t worker, uint32_t write_credit, uint32_t read_credit) {
    self->workers[worker].worker.credit[JOB_WRITE] = write_credit;
    self->workers[worker].worker.credit[JOB_READ] = read_credit;
    jobs_worker_up(self->jobs, &self->workers[worker], self->now_ms);
}

static void down(fixture_t *self, size_t worker) {
    jobs_worker_down(self->jobs, &self->workers[worker], self->now_ms);
}

static void fini(fixture_t *self) {
    for (size_t i = 0; i < 3; i++) {
        down(self, i);
        assert_null(self->workers[i].worker.sent);
        assert_null(self->workers[i].worker.bound);
    }
    jobs_free(&self->jobs);
    strbuf_fini(&self->record);
}

static void expect(fixture_t *self, const char *text) {
    assert_string_equal(strbuf_cstr(&self->record), text);
    strbuf_clear(&self->record);
}

static uint64_t add(fixture_t *self, job_class_t class, const char *room, uint32_t deadline_ms) {
    envelope_t request = {.type = MSG_SEND, .room = str_from(room), .deadline_ms = deadline_ms};
    return jobs_add(self->jobs, class, &self->origin, &request, self->now_ms);
}

static void answered(fixture_t *self, uint64_t id, size_t worker) {
    jobs_answered(self->jobs, jobs_find(self->jobs, id), &self->workers[worker], self->now_ms);
}

static void writes(fixture_t *self, const char *rooms) {
    for (const char *p = rooms; *p; p++)
        assert_int_not_equal(add(self, JOB_WRITE, (char[]){*p, 0}, 1000), 0);
}

static void least_loaded_worker_gets_the_next_read(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    up(&f, 0, 0, 2);
    up(&f, 1, 0, 2);
    for (size_t i = 0; i < 5; i++)
        add(&f, JOB_READ, "x", 500);
    expect(&f, "a1@500 b2@500 a3@500 b4@500 ");
    f.now_ms = 100;
    answered(&f, 2, 1);
    expect(&f, "b5@400 ");
    fini(&f);
}

static void lane_stays_with_its_worker_while_it_has_any(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    up(&f, 0, 1, 0);
    up(&f, 1, 3, 0);
    writes(&f, "xxyx");
    expect(&f, "a1@1000 b3@1000 ");
    answered(&f, 3, 1);
    expect(&f, "");
    answered(&f, 1, 0);
    expect(&f, "a2@1000 ");
    answered(&f, 2, 0);
    expect(&f, "a4@1000 ");
    fini(&f);
}

static void older_job_goes_first_whether_bound_or_not(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    up(&f, 0, 2, 0);
    writes(&f, "xyxzy");
    expect(&f, "a1@1000 a2@1000 ");
    answered(&f, 2, 0);
    expect(&f, "a3@1000 ");
    answered(&f, 1, 0);
    expect(&f, "a4@1000 ");
    answered(&f, 3, 0);
    expect(&f, "a5@1000 ");
    fini(&f);
}

static void lost_workers_jobs_come_first_and_in_order(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    up(&f, 0, 3, 1);
    writes(&f, "xyxxz");
    add(&f, JOB_READ, "r", 1000);
    add(&f, JOB_READ, "r", 1000);
    expect(&f, "a1@1000 a2@1000 a3@1000 a6@1000 ");
    down(&f, 0);
    assert_int_equal(jobs_requeued(f.jobs), 4);
    assert_int_equal(jobs_gauges(f.jobs, JOB_WRITE).in_flight, 0);
    up(&f, 1, 9, 9);
    expect(&f, "b1@1000 b2@1000 b3@1000 b4@1000 b5@1000 b6@1000 b7@1000 ");
    fini(&f);
}

static void other_worker_takes_over_at_once(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    up(&f, 0, 9, 9);
    writes(&f, "xx");
    up(&f, 1, 9, 9);
    writes(&f, "x");
    expect(&f, "a1@1000 a2@1000 a3@1000 ");
    down(&f, 0);
    expect(&f, "b1@1000 b2@1000 b3@1000 ");
    fini(&f);
}

static void lanes_take_turns(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    writes(&f, "xxxyz");
    up(&f, 0, 1, 0);
    for (uint64_t id = 1; id <= 5; id += 3)
        answered(&f, id, 0);
    expect(&f, "a1@1000 a4@1000 a5@1000 ");
    answered(&f, 5, 0);
    expect(&f, "a2@1000 ");
    fini(&f);
}

static void answer_to_a_job_sent_again_settles_it(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    up(&f, 0, 1, 0);
    writes(&f, "xxx");
    down(&f, 0);
    answered(&f, 1, 0);
    assert_null(jobs_find(f.jobs, 1));
    up(&f, 1, 1, 0);
    answered(&f, 2, 0);
    assert_true(jobs_find(f.jobs, 2)->is_settled);
    expect(&f, "a1@1000 b2@1000 ");
    answered(&f, 2, 1);
    expect(&f, "b3@1000 ");
    fini(&f);
}

static void settled_reads_of_a_lost_worker_are_not_sent_again(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    up(&f, 0, 0, 3);
    for (f.now_ms = 0; f.now_ms < 4; f.now_ms++)
        add(&f, JOB_READ, "x", 1000);
    f.now_ms = 500;
    add(&f, JOB_READ, "x", 1000);
    f.now_ms = 1003;
    jobs_tick(f.jobs, f.now_ms);
    expect(&f, "a1@1000 a2@1000 a3@1000 expired 1 expired 2 expired 3 expired 4 ");
    down(&f, 0);
    assert_int_equal(jobs_gauges(f.jobs, JOB_READ).jobs, 1);
    up(&f, 1, 0, 9);
    expect(&f, "b5@497 ");
    fini(&f);
}

/* The worker may have committed them without having told anybody. */
static void writes_of_unknown_outcome_are_sent_again_though_nobody_waits(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    up(&f, 0, 2, 0);
    writes(&f, "xxx");
    expect(&f, "a1@1000 a2@1000 ");
    jobs_origin_down(f.jobs, &f.origin, 0);
    f.now_ms = 10;
    down(&f, 0);
    writes(&f, "x");
    up(&f, 1, 9, 0);
    expect(&f, "b1@60000 b2@60000 b4@1000 ");
    answered(&f, 1, 1);
    answered(&f, 2, 1);
    answered(&f, 4, 1);
    assert_int_equal(jobs_gauges(f.jobs, JOB_WRITE).jobs, 0);
    fini(&f);
}

static void write_that_timed_out_is_sent_again_when_its_worker_is_lost(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    up(&f, 0, 1, 0);
    writes(&f, "x");
    jobs_tick(f.jobs, 1000);
    expect(&f, "a1@1000 expired 1 ");
    f.now_ms = 1500;
    down(&f, 0);
    f.now_ms = 61499;
    jobs_tick(f.jobs, f.now_ms);
    assert_int_equal(jobs_gauges(f.jobs, JOB_WRITE).jobs, 1);
    f.now_ms = 61500;
    jobs_tick(f.jobs, f.now_ms);
    expect(&f, "");
    assert_int_equal(jobs_gauges(f.jobs, JOB_WRITE).jobs, 0);
    fini(&f);
}

static void write_that_another_worker_answered_is_not_sent_again(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    up(&f, 0, 1, 0);
    writes(&f, "x");
    down(&f, 0);
    up(&f, 1, 1, 0);
    answered(&f, 1, 0);
    expect(&f, "a1@1000 b1@1000 ");
    down(&f, 1);
    assert_int_equal(jobs_gauges(f.jobs, JOB_WRITE).jobs, 0);
    fini(&f);
}

static void deadlines_are_bounded_and_end_queued_jobs(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    uint64_t none = add(&f, JOB_READ, "x", 0), late = add(&f, JOB_READ, "x", 90000);
    f.now_ms = 59999;
    jobs_tick(f.jobs, f.now_ms);
    expect(&f, "");
    f.now_ms = 60000;
    jobs_tick(f.jobs, f.now_ms);
    expect(&f, "expired 1 expired 2 ");
    assert_null(jobs_find(f.jobs, none));
    assert_null(jobs_find(f.jobs, late));
    fini(&f);
}

static void lost_origin_drops_what_no_worker_has(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 100, 100000);
    up(&f, 0, 1, 1);
    writes(&f, "xxx");
    peer_t other = {0};
    envelope_t request = {.room = STR("x")};
    jobs_add(f.jobs, JOB_WRITE, &other, &request, 0);
    jobs_origin_down(f.jobs, &f.origin, 0);
    assert_int_equal(jobs_gauges(f.jobs, JOB_WRITE).jobs, 2);
    assert_true(jobs_find(f.jobs, 1)->is_settled);
    answered(&f, 1, 0);
    expect(&f, "a1@1000 a4@60000 ");
    fini(&f);
}

static void classes_have_bounds_of_their_own(void **state) {
    (void)state;
    fixture_t f;
    envelope_t request = {.type = MSG_SEND, .room = STR("x")};
    size_t one = sizeof(job_t) + envelope_copy_bytes(&request);
    init(&f, 2, 100000);
    writes(&f, "xx");
    assert_int_equal(add(&f, JOB_WRITE, "x", 5), 0);
    assert_int_not_equal(add(&f, JOB_READ, "x", 5), 0);
    assert_int_equal(jobs_gauges(f.jobs, JOB_WRITE).bytes, 2 * one);
    fini(&f);

    init(&f, 100, 2 * one);
    writes(&f, "xx");
    assert_int_equal(add(&f, JOB_WRITE, "x", 5), 0);
    up(&f, 0, 1, 0);
    answered(&f, 1, 0);
    assert_int_not_equal(add(&f, JOB_WRITE, "x", 5), 0);
    fini(&f);
}

static void credit_is_never_exceeded(void **state) {
    (void)state;
    fixture_t f;
    init(&f, 1000, 1000000);
    up(&f, 0, 3, 0);
    up(&f, 1, 2, 0);
    unsigned seed = 1;
    for (size_t round = 0; round < 2000; round++) {
        seed = seed * 1103515245 + 12345;
        if (seed >> 16 & 1) {
            writes(&f, (char[]){(char)('a' + (seed >> 17) % 5), 0});
        } else {
            peer_t *worker = &f.workers[seed >> 17 & 1];
            if (worker->worker.sent)
                jobs_answered(f.jobs, worker->worker.sent, worker, 0);
        }
        assert_true(f.workers[0].worker.in_flight[JOB_WRITE] <= 3);
        assert_true(f.workers[1].worker.in_flight[JOB_WRITE] <= 2);
        job_class_gauges_t gauges = jobs_gauges(f.jobs, JOB_WRITE);
        bool is_idle = gauges.in_flight < gauges.jobs && gauges.in_flight == 0;
        assert_false(is_idle);
    }
    fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(least_loaded_worker_gets_the_next_read),
        cmocka_unit_test(lane_stays_with_its_worker_while_it_has_any),
        cmocka_unit_test(older_job_goes_first_whether_bound_or_not),
        cmocka_unit_test(lost_workers_jobs_come_first_and_in_order),
        cmocka_unit_test(other_worker_takes_over_at_once),
        cmocka_unit_test(lanes_take_turns),
        cmocka_unit_test(answer_to_a_job_sent_again_settles_it),
        cmocka_unit_test(settled_reads_of_a_lost_worker_are_not_sent_again),
        cmocka_unit_test(writes_of_unknown_outcome_are_sent_again_though_nobody_waits),
        cmocka_unit_test(write_that_timed_out_is_sent_again_when_its_worker_is_lost),
        cmocka_unit_test(write_that_another_worker_answered_is_not_sent_again),
        cmocka_unit_test(deadlines_are_bounded_and_end_queued_jobs),
        cmocka_unit_test(lost_origin_drops_what_no_worker_has),
        cmocka_unit_test(classes_have_bounds_of_their_own),
        cmocka_unit_test(credit_is_never_exceeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
